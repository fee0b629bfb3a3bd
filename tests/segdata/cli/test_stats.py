"""stats as a user types it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from segdata.inspect.stats import StatsReport, stats
from segdata.labels.classes import Classes
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, write_list
from segdata.opening import open_dataset

Run = Callable[..., Result]

LABELS = [[[0, 0, 1], [1, 255, 0]], [[0, 0, 2], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]


@pytest.fixture
def data_lst(tmp_path: Path) -> Path:
    """A list of three images of 3 x 2 pixels, all in one color."""
    pairs = [Pair(f"{index}.png", f"{index}_label.png") for index in range(len(LABELS))]
    for pair, label in zip(pairs, LABELS, strict=True):
        Image.new("RGB", (3, 2), (51, 102, 255)).save(tmp_path / pair.image)
        (tmp_path / pair.label).write_bytes(encode_index_png(np.array(label, np.uint8)))
    write_list(tmp_path / "list.txt", pairs, overwrite=False)
    (tmp_path / "names.txt").write_text("sky\nroad\ncar\ntram\n")
    return tmp_path / "list.txt"


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    from segdata.miniature.coco import write_coco

    write_coco(tmp_path / "coco", images=4)
    return tmp_path / "coco" / "annotations" / "instances.json"


def test_the_report_ends_with_the_weights_for_training(segdata: Run, data_lst: Path) -> None:
    result = segdata("stats", data_lst, "--class_names", data_lst.parent / "names.txt")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"{data_lst}: semantic data set, 3 samples counted",
        "",
        "id  class  pixels   share  images  weight",
        " 0  sky        14  82.35%       3   0.429",
        " 1  road        2  11.76%       1   1.000",
        " 2  car         1   5.88%       1   2.000",
        " 3  tram        0   0.00%       0       -",
        "",
        "ignored    label 255, 5.56% of all pixels",
        "sizes      3 x 2 pixels, 3 images",
        "mean       R 51.00  G 102.00  B 255.00  (scaled to 1: 0.2000, 0.4000, 1.0000)",
        "std        R 0.00  G 0.00  B 0.00  (scaled to 1: 0.0000, 0.0000, 0.0000)",
        "",
        "--set class_weights=[0.4286,1,2,0]",
    ]


def test_an_instance_set_has_instances_and_no_weights(segdata: Run, coco: Path) -> None:
    result = segdata("stats", coco)
    assert result.exit_code == 0, result.output
    assert "id  class      pixels   share  images  instances" in result.output
    annotations = json.loads(coco.read_text())["annotations"]
    per_image = Counter(item["image_id"] for item in annotations if not item["iscrowd"])
    instances = (
        f"{per_image.total()} in 4 images, {4 - len(per_image)} of them empty, "
        f"at most {max(per_image.values())} per image; plus {len(annotations) - per_image.total()} crowd"
    )
    assert f"instances  {instances}\n" in result.output
    assert "4 different" in result.output
    assert "class_weights" not in result.output


def test_the_report_as_json_is_the_report(segdata: Run, data_lst: Path, coco: Path) -> None:
    for path, dataset in (
        (data_lst, open_dataset(data_lst, classes=Classes(("class_0", "class_1", "class_2")))),
        (coco, open_dataset(coco)),
    ):
        result = segdata("stats", path, "--json", *(("--num_classes", 3) if path == data_lst else ()))
        assert result.exit_code == 0, result.output
        assert msgspec.json.decode(result.output, type=StatsReport) == stats(dataset)


def test_what_cannot_be_read_is_named_and_counted(segdata: Run, data_lst: Path) -> None:
    (data_lst.parent / "1.png").write_bytes(b"no image")
    result = segdata("stats", data_lst)
    assert result.exit_code == 0, result.output
    assert "2 of 3 samples counted" in result.output
    assert "1 sample left out (run segdata check for details):\n  1.png: not a readable image" in result.output


def test_annotations_without_a_mask_are_named_and_counted(segdata: Run, coco: Path) -> None:
    members = json.loads(coco.read_text())
    members["annotations"][0]["segmentation"] = [[1, 2, 3, 4]]
    coco.write_text(json.dumps(members))
    result = segdata("stats", coco)
    assert result.exit_code == 0, result.output
    assert "1 annotation left out (run segdata check for details):\n  annotation 5000 (" in result.output


def test_the_plot_is_a_picture_and_the_same_each_time(segdata: Run, data_lst: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.png", tmp_path / "new" / "b.PNG"
    for plot in (first, second):
        result = segdata("stats", data_lst, "--plot", plot, "--workers", 1)
        assert result.exit_code == 0, result.output
        assert f"plot       {plot}" in result.output
    with Image.open(first) as image:
        assert image.format == "PNG"
    assert first.read_bytes() == second.read_bytes()


def test_an_existing_plot_is_replaced_only_when_asked(segdata: Run, data_lst: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    result = segdata("stats", data_lst, "--plot", tmp_path / "a.png")
    assert (result.exit_code, "already exists (--overwrite replaces it)" in result.output) == (1, True), result.output
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    result = segdata("stats", data_lst, "--plot", tmp_path / "a.png", "--overwrite")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (("{list}", "--plot", "{root}/x.jpg"), 2, "expected a name that ends in .png"),
        (("{list}", "--plot", "{root}/names.txt/x.png"), 1, "names.txt"),
        (("{list}", "--workers", "0"), 2, "not in the range"),
        (("{root}/none.txt",), 2, "does not exist"),
        (("{root}",), 1, "no record set"),
        (("{list}", "--num_classes", "1"), 0, "1_label.png: pixel (x=2, y=0) has value 2; expected 0 to 0 or 255"),
        (("{list}", "--data_root", "/"), 1, "none of 3 images is below /; all are below"),
        (("{root}/names.txt",), 1, "an id list or an image list"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_status(
    segdata: Run, data_lst: Path, options: tuple[str, ...], status: int, sentence: str
) -> None:
    result = segdata("stats", *(option.format(root=data_lst.parent, list=data_lst) for option in options))
    assert (result.exit_code, sentence in result.output) == (status, True), result.output
    assert "Traceback" not in result.output
    assert not list(data_lst.parent.glob("x.*"))
