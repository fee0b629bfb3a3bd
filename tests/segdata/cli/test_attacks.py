"""Inputs and targets that are not what their names say: other files survive, and each command says what is wrong."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from command_lines import SEGDATA

Run = Callable[..., Result]

#: A label of the data set, and a line of it.
LABEL = "VOCdevkit/VOC2012/SegmentationClassGray/2012_000000.png"
VAL = "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt"
LABELME, YOLO = "labelme labelme --dst_path", "yolo-seg yolo --dst_path"
MASKS = "masks-to-coco masks --images pngs --dst_path"
BRACKETS = "[" * 5000 + "]" * 5000


@pytest.fixture
def root(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(inputs, tmp_path / "data")
    monkeypatch.chdir(tmp_path / "data")
    return tmp_path / "data"


def contents(root: Path) -> dict[str, bytes | str]:
    """Return the content of every file, and what every link leads to."""
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def fifo(name: str) -> Callable[[], None]:
    """Return a function that puts a FIFO in the place of a file: who opens it waits forever."""

    def make() -> None:
        Path(name).unlink(missing_ok=True)
        os.mkfifo(name)

    return make


def link(name: str, to: str) -> Callable[[], None]:
    def make() -> None:
        Path(name).unlink(missing_ok=True)
        Path(name).symlink_to(to)

    return make


def text(name: str, content: str) -> Callable[[], object]:
    return lambda: Path(name).write_text(content)


def folder(name: str) -> Callable[[], None]:
    def make() -> None:
        Path(name).mkdir()
        Path(name, "thesis.tex").write_text("years of work")

    return make


def hard_link() -> None:
    Path("a.png").hardlink_to(LABEL)


def second_image() -> None:
    shutil.copy("yolo/images/0.png", "yolo/images/1.png")


def described(**members: object) -> Callable[[], None]:
    """Return a function that changes members of labelme's file."""

    def change() -> None:
        file = Path("labelme/0.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | members))

    return change


def file_name(name: str) -> Callable[[], None]:
    """Return a function that renames the first image in the COCO JSON."""

    def change() -> None:
        file = Path("coco/annotations/instances.json")
        document = json.loads(file.read_text())
        document["images"][0]["file_name"] = name
        file.write_text(json.dumps(document))

    return change


def refused(segdata: Run, line: str, sentence: str) -> None:
    before = contents(Path())
    ended = segdata(*line.split())
    assert (ended.exit_code, sentence in ended.output) == (1, True), ended.output
    assert contents(Path()) == before


@pytest.mark.parametrize(
    ("prepare", "line", "sentence"),
    [
        (None, f"stats voc_train_lst.txt --plot {LABEL} --overwrite", f"{LABEL}: is an input of this command"),
        (None, f"preview voc_train_lst.txt --out {LABEL} --overwrite", f"{LABEL}: is an input of this command"),
        (hard_link, "stats voc_train_lst.txt --plot a.png --overwrite", "a.png: is an input"),
        (link("a.png", LABEL), "stats voc_train_lst.txt --plot a.png --overwrite", "a.png: is an input"),
        (None, "pair-list --images pngs --labels masks --dst_path masks/0.png --overwrite", "is not a list file"),
        (None, f"{LABELME} labelme/0.json --overwrite", "is not a COCO JSON"),
        (None, f"{MASKS} masks/0.png --overwrite", "is not a COCO JSON"),
        (text("a.json", BRACKETS), f"{LABELME} a.json --overwrite", "is not a COCO JSON"),
        (folder("a.json"), f"{LABELME} a.json --overwrite", "a.json: already exists"),
        (folder("a.json"), f"{MASKS} a.json --overwrite", "a.json: already exists"),
        (fifo("a.json"), f"{LABELME} a.json --overwrite", "a.json: already exists"),
        (link("a.json", "nowhere/b.json"), f"{LABELME} a.json", "/nowhere/b.json, which is missing"),
        (link("a.json", "a.json"), f"{LABELME} a.json", "a link that leads back to itself"),
        (link("a.txt", "nowhere.txt"), "pair-list --images pngs --labels masks --dst_path a.txt", "which is missing"),
        (link("voc_train_train.txt", "nowhere"), "split voc_train_lst.txt --ratio 0.5 --overwrite", "which is missing"),
        (None, f"{YOLO} . --overwrite", "yolo: is in the target ."),
        (None, f"{YOLO} yolo --overwrite", "yolo: is the target itself"),
        (None, f"{YOLO} yolo/images --overwrite", "has no .segdata-files.json"),
        (fifo(".out.segdata-lock"), f"{YOLO} out", "is not a file; segdata needs this name for a lock file"),
    ],
)  # fmt: skip
def test_a_target_that_is_something_else_is_refused_and_nothing_changes(
    prepare: Callable[[], object] | None, line: str, sentence: str, root: Path, segdata: Run
) -> None:
    if prepare:
        prepare()
    refused(segdata, line, sentence)


@pytest.mark.parametrize(
    ("prepare", "line", "sentence"),
    [
        (fifo("list.txt"), "check list.txt", "list.txt: is a FIFO"),
        (fifo("names.txt"), "check voc_train_lst.txt --class_names names.txt", "names.txt: is a FIFO"),
        (fifo("a.json"), "check a.json --images pngs", "a.json: is a FIFO"),
        (fifo("set/set.mindrecord0"), "stats set", "set/set.mindrecord0: is a FIFO"),
        (fifo("set/manifest.json"), "info set", "set/manifest.json: is a FIFO"),
        (fifo(VAL), "voc-list --data_root . --dst_path out", f"{VAL}: is a FIFO"),
        (link(VAL, "gone"), "voc-list --data_root . --dst_path out", f"{VAL}: cannot be read: No such file"),
        (fifo("tif/train-volume.tif"), "tif-slice --images tif/train-volume.tif --dst_path out", "is a FIFO"),
        (fifo("labelme/1.json"), f"{LABELME} out", "1.json: is a FIFO"),
        (fifo("yolo/data.yaml"), f"{YOLO} out", "yolo/data.yaml: is a FIFO"),
        (fifo("yolo/images/1.png"), f"{YOLO} out", "yolo/images/1.png: is a FIFO"),
        (lambda: (second_image(), fifo("yolo/labels/1.txt")()), f"{YOLO} out", "1.txt is a FIFO"),
        (lambda: (second_image(), link("yolo/labels/1.txt", "gone")()), f"{YOLO} out", "1.txt cannot be read"),
        (fifo("masks/0.png"), f"{MASKS} out", "masks/0.png: is a FIFO"),
        (link("masks/0.png", "gone"), f"{MASKS} out", "masks/0.png: does not exist"),
        (text("a.json", BRACKETS), "check a.json --images pngs", "not a COCO instances file"),
        (described(flags=json.loads("[" * 500 + "]" * 500)), f"{LABELME} out", "not a labelme file"),
        (text("yolo/data.yaml", f"names: {'[' * 600 + ']' * 600}"), f"{YOLO} out", "Error: yolo/data.yaml: "),
        (text("yolo/data.yaml", 'names: [a]\ntrain: "im\\0ages"\n'), f"{YOLO} out", "no such folder or list"),
        (described(imagePath="0\0.png"), f"{LABELME} out", "image '0\\x00.png' does not exist"),
        (file_name("../../pngs/0.png"), f"coco-subset {SEGDATA['coco-subset']}", "is outside the data root"),
        (file_name("a\0.jpg"), f"coco-to-masks {SEGDATA['coco-to-masks']}", "is outside the data root"),
    ],
)
def test_an_input_that_is_something_else_is_refused(
    prepare: Callable[[], object], line: str, sentence: str, root: Path, segdata: Run
) -> None:
    prepare()
    refused(segdata, line, sentence)


@pytest.mark.parametrize(
    ("copied", "line", "sentence"),
    [
        (("yolo/images",), f"{YOLO} out", "'caf\\udce9.png'"),
        (("pngs", "masks"), f"{MASKS} out", "'caf\\udce9.png'"),
        (("labelme",), f"{LABELME} out", "0.json: damaged JSON: JSON is malformed: invalid utf-16 surrogate pair"),
    ],
)
def test_file_names_that_are_not_unicode_are_refused(
    copied: tuple[str, ...], line: str, sentence: str, root: Path, segdata: Run
) -> None:
    name = b"caf\xe9.png".decode(errors="surrogateescape")
    for folder in copied:
        shutil.copy(f"{folder}/0.png", f"{folder}/{name}")
    described(imagePath=name)()
    refused(segdata, line, sentence)


@pytest.mark.parametrize("command", ["labelme", "yolo-seg", "masks-to-coco"])
def test_a_name_that_is_not_unicode_may_be_the_target(command: str, root: Path, segdata: Run) -> None:
    name = b"caf\xe9".decode(errors="surrogateescape")
    ended = segdata(command, *SEGDATA[command].replace(" out", f" {name}").split(), "--json")
    assert (ended.exit_code, Path(name).exists()) == (0, True), ended.output


def test_an_embedded_image_replaces_only_its_own_earlier_one(root: Path, segdata: Run) -> None:
    data = base64.b64encode(Path("labelme/0.png").read_bytes()).decode()
    described(imageData=data, imagePath="../../../evil/0.png")()
    Path("labelme/0.png").unlink()
    folder("out_images")()
    refused(segdata, f"{LABELME} out.json", "out_images: has no .segdata-files.json")
    shutil.rmtree("out_images")
    assert segdata(*f"{LABELME} out.json".split()).exit_code == 0
    assert sorted(os.listdir("out_images")) == [".segdata-files.json", "0.png"]
    first = Path("out_images/0.png").read_bytes()
    data = base64.b64encode(Path("pngs/1.png").read_bytes()).decode()
    described(imageData=data)()
    assert segdata(*f"{LABELME} out.json --overwrite".split()).exit_code == 0
    assert Path("out_images/0.png").read_bytes() != first
    assert not (root.parent / "evil").exists()


@pytest.mark.parametrize("other", ["links/0.png", "pngs/9.png"])
def test_check_names_one_file_under_two_names(other: str, root: Path, segdata: Run) -> None:
    Path("links").symlink_to("pngs")
    Path("pngs/9.png").hardlink_to("pngs/0.png")
    Path("a.txt").write_text("pngs/0.png masks/0.png\n")
    Path("b.txt").write_text(f"{other} masks/0.png\n")
    ended = segdata("check", "a.txt", "--against", "b.txt")
    assert f"pngs/0.png: is the same file as {other} in b.txt" in ended.output


@pytest.fixture
def mounted(root: Path) -> Iterator[Callable[[str], None]]:
    """Mount something in the place of a path, for as long as the test runs."""

    def mount(name: str) -> None:
        if subprocess.run(["mount", "--bind", name, name], capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
        places.append(name)

    places: list[str] = []
    yield mount
    for name in places:
        subprocess.run(["umount", name], check=True)


@pytest.mark.skipif(not shutil.which("mount") or os.geteuid() != 0, reason="nothing can be mounted here")
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("out/", f"{YOLO} out"),
        ("out.json", f"{LABELME} out.json --overwrite"),
        ("voc_train_train.txt", "split voc_train_lst.txt --ratio 0.5 --overwrite"),
    ],
)
def test_a_mount_point_is_refused_before_the_work(
    name: str, line: str, root: Path, segdata: Run, mounted: Callable[[str], None]
) -> None:
    if name.endswith("/"):
        Path(name).mkdir()
    else:
        Path(name).touch()
    mounted(name.rstrip("/"))
    refused(segdata, line, f"{name.rstrip('/')}: is a mount point, which a rename cannot replace")
