"""Files that end too early, given to the commands that read them: an error that names the file, and no result."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

import segdata
from segdata.miniature.coco import write_coco
from segdata.miniature.sbd import write_release
from segdata.miniature.tif import write_stacks
from segdata.miniature.voc import write_devkit
from segdata.records.reader import read_rows
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor

Run = Callable[..., Result]

VOC = "VOCdevkit/VOC2012"
SBD = "benchmark_RELEASE/dataset"

#: Where a file is cut, of its length.
CUTS: dict[str, Callable[[int], int]] = {
    "empty": lambda size: 0,
    "1 byte": lambda size: 1,
    "10 bytes": lambda size: 10,
    "25 %": lambda size: size // 4,
    "50 %": lambda size: size // 2,
    "90 %": lambda size: size * 9 // 10,
    "all but 1 byte": lambda size: size - 1,
}


OUT = ("--dst_path", "out")


def to_mindrecord(data_lst: str, *options: str) -> tuple[str, ...]:
    return ("to-mindrecord", "--data_root", ".", "--data_lst", data_lst, "--num_shards", "1", *options, *OUT)


COCO = ("--annotations", "coco/annotations/instances.json", "--images", "coco/images", *OUT)
STACKS = ("--images", "tif/train-volume.tif", "--labels", "tif/train-labels.tif", "--map", "0:0,255:1")

#: The file that is cut, and the command that reads it.
READERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "JPEG": (f"{VOC}/JPEGImages/2012_000001.jpg", to_mindrecord("voc_train_lst.txt", "--decode")),
    "PNG image": ("pngs/2012_000001.png", to_mindrecord("png_lst.txt", "--decode")),
    "palette mask": (f"{VOC}/SegmentationClass/2012_000001.png", ("voc-decolor", "--data_root", ".", *OUT)),
    "index mask": (f"{VOC}/SegmentationClassGray/2012_000001.png", to_mindrecord("voc_train_lst.txt")),
    "index mask to be split by": (
        f"{VOC}/SegmentationClassGray/2012_000001.png",
        ("split", "voc_train_lst.txt", "--ratio", "0.5", "--stratify"),
    ),
    "MATLAB": (f"{SBD}/cls/2012_000005.mat", ("sbd-merge", "--data_root", ".")),
    "TIFF images": ("tif/train-volume.tif", ("tif-slice", *STACKS, *OUT)),
    "TIFF labels": ("tif/train-labels.tif", ("tif-slice", *STACKS, *OUT)),
    "COCO JSON": ("coco/annotations/instances.json", ("coco-subset", *COCO)),
    "COCO JSON for masks": ("coco/annotations/instances.json", ("coco-to-masks", *COCO)),
    "COCO JSON for records": ("coco/annotations/instances.json", ("to-mindrecord", *COCO, "--num_shards", "1")),
    "COCO JPEG": ("coco/images/000000000002.jpg", ("to-mindrecord", *COCO, "--num_shards", "1", "--decode")),
    "shard": ("set/set.mindrecord", ("verify", "set", "--quick")),
    "index of a shard": ("set/set.mindrecord.db", ("verify", "set", "--quick")),
    "manifest": ("set/manifest.json", ("verify", "set", "--quick")),
}

#: The byte that is lost is of the checksum of an empty chunk, or a line break.
HARMLESS = {("PNG image", "all but 1 byte"), ("manifest", "all but 1 byte")}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound") / "data"
    write_devkit(root, train=4, val=1)
    write_release(root, voc_train=4, voc_val=1)
    voc_decolor(root)
    voc_list(root)
    write_coco(root / "coco", images=3)
    write_stacks(root / "tif", pages=4, size=32)
    (root / "pngs").mkdir()
    lines = []
    for line in (root / "voc_train_lst.txt").read_text().splitlines():
        image, label = line.split()
        Image.open(root / image).save(root / "pngs" / f"{Path(image).stem}.png")
        lines.append(f"pngs/{Path(image).stem}.png {label}\n")
    (root / "png_lst.txt").write_text("".join(lines))
    segdata.to_mindrecord(segdata.open_dataset(root / "voc_train_lst.txt", data_root=root), root / "set", num_shards=1)
    return root


@pytest.fixture
def run(segdata: Run) -> Run:
    """The command line; the name `segdata` is the package's here."""
    return segdata


@pytest.fixture
def root(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sound data to damage, as the current directory."""
    shutil.copytree(sound, tmp_path / "data")
    monkeypatch.chdir(tmp_path / "data")
    return tmp_path / "data"


def refused(result: Result, root: Path, sound: Path) -> None:
    assert (result.exit_code, "Traceback" in result.output) == (1, False), result.output
    assert {path.relative_to(root) for path in root.rglob("*")} == {
        path.relative_to(sound) for path in sound.rglob("*")
    }


@pytest.mark.parametrize(
    ("reader", "cut"), [(reader, cut) for reader in READERS for cut in CUTS if (reader, cut) not in HARMLESS]
)
def test_a_file_that_ends_too_early_is_named_and_nothing_is_written(
    run: Run, root: Path, sound: Path, reader: str, cut: str
) -> None:
    name, command = READERS[reader]
    data = Path(name).read_bytes()
    Path(name).write_bytes(data[: CUTS[cut](len(data))])
    result = run(*command)
    refused(result, root, sound)
    assert Path(name).name in result.output


def test_a_png_image_without_the_last_byte_of_its_end_chunk_has_all_its_pixels(run: Run, root: Path) -> None:
    name, command = READERS["PNG image"]
    expected = np.asarray(Image.open(name))
    Path(name).write_bytes(Path(name).read_bytes()[:-1])
    result = run(*command)
    assert result.exit_code == 0, result.output
    rows = {str(row["file_name"]): row["data"] for row in read_rows(segdata.open_set(Path("out")))}
    assert len(rows) == 4
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(rows[name]))), expected)


def test_a_manifest_without_its_last_line_break_says_the_same(run: Run, root: Path, sound: Path) -> None:
    Path("set/manifest.json").write_bytes(Path("set/manifest.json").read_bytes()[:-1])
    assert run("verify", "set").exit_code == 0
    assert segdata.open_set(Path("set")).manifest == segdata.open_set(sound / "set").manifest


@pytest.mark.parametrize(
    ("end", "named"),
    [
        ("", "voc_train_lst.txt: contains no samples"),
        ("VOCdevkit/VO", "voc_train_lst.txt: is an id list or an image list"),
        (
            "{lines}VOCdevkit/VO",
            "leave them out with --on-error skip:\n  line 4: expected an image path",
        ),
        ("{lines}VOCdevkit/VOC2012/JPEGImages/2012_000003.jpg VOCdevkit/VO", "\n  VOCdevkit/VO: "),
        ("{lines}VOCdevkit/VOC2012/JPEGImages/2012_000003.jpg {masks}/2012_0", "/2012_0: does not exist"),
    ],
    ids=["empty", "in the first path", "in an image path", "in a folder of a label", "in the name of a label"],
)
def test_a_list_cut_within_a_line_is_refused(run: Run, root: Path, sound: Path, end: str, named: str) -> None:
    path = Path("voc_train_lst.txt")
    lines = "".join(path.read_text().splitlines(keepends=True)[:3])
    path.write_text(end.format(lines=lines, masks=f"{VOC}/SegmentationClassGray"))
    result = run(*to_mindrecord(path.name))
    refused(result, root, sound)
    assert named in result.output


def test_a_list_without_its_last_line_break_has_all_its_samples(run: Run, root: Path) -> None:
    path = Path("voc_train_lst.txt")
    path.write_text(path.read_text().rstrip("\n"))
    result = run("to-mindrecord", "--data_root", ".", "--data_lst", path, "--num_shards", 1, "--dst_path", "out/set")
    assert result.exit_code == 0, result.output
    assert {file.name: file.read_bytes() for file in Path("out/set").iterdir()} == {
        file.name: file.read_bytes() for file in Path("set").iterdir()
    }
