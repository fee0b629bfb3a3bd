"""COCO JSONs as CVAT, Label Studio, Roboflow and others write them: used as meant, or refused with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError
from segdata.inspect.check import check
from segdata.labels.masks import decode_index_png
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.reader import open_set, read_rows
from segdata.sources.coco.masks import coco_to_masks
from segdata.sources.coco.select import Choice
from segdata.sources.coco.subset import coco_subset

Run = Callable[..., Result]

HEIGHT, WIDTH = 30, 40
IMAGE = {"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}
CAT = {"id": 1, "name": "cat", "supercategory": ""}
#: Rows 5 to 14 of columns 5 to 19: 150 pixels.
INSIDE = np.s_[5:15, 5:20]
POLYGON = [[5, 5, 20, 5, 20, 15, 5, 15]]
BOX = [5, 5, 15, 10]


def runs() -> dict[str, Any]:
    """Return the 150 pixels as CVAT's run lengths: down the columns, zeros first."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[INSIDE] = True
    edges = np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=False))
    return {"size": [HEIGHT, WIDTH], "counts": np.diff(edges, prepend=0, append=mask.size).tolist()}


def annotation(**changes: Any) -> dict[str, Any]:
    whole = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": POLYGON, "area": 150, "bbox": BOX, "iscrowd": 0}
    return {**whole, **changes}


def write(root: Path, *annotations: Any, images: Any = (IMAGE,), categories: Any = (CAT,), at: str = "a.jpg") -> Path:
    path = root / "annotations" / "i.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    (root / "images" / at).parent.mkdir(parents=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / "images" / at)
    return path


def pixels(path: Path, name: str = "a", **options: Any) -> dict[int, int]:
    """Return the number of pixels of each value in the index mask of the image."""
    coco_to_masks(path, path.parent.parent / "images", path.parent / "m", overwrite=True, **options)
    values, counts = np.unique(decode_index_png((path.parent / f"m/masks/{name}.png").read_bytes()), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def codes(path: Path, **options: Any) -> list[str]:
    return [finding.code for finding in check(path, **options).findings]


# Crowds


@pytest.fixture
def brush(tmp_path: Path) -> Path:
    """CVAT's export of a mask drawn with the brush."""
    attributes = {"occluded": False}
    return write(tmp_path, annotation(segmentation=runs(), iscrowd=1, attributes=attributes))


def test_brush_masks_are_objects_when_told(brush: Path, tmp_path: Path) -> None:
    assert pixels(brush) == {0: 1050, 255: 150}
    assert pixels(brush, crowd="object") == {0: 1050, 1: 150}
    assert codes(brush) == ["only_crowds"]
    assert codes(brush, crowd="object") == []
    report = to_mindrecord(open_dataset(brush), tmp_path / "crowd", num_shards=1)
    assert [str(fault) for fault in report.warnings] == [
        f"{brush}: the only annotation is a crowd (iscrowd 1), as tools write brush masks"
    ]
    report = to_mindrecord(open_dataset(brush, crowd="object"), tmp_path / "object", num_shards=1)
    assert report.warnings == ()
    (row,) = read_rows(open_set(tmp_path / "object"))
    assert row["iscrowd"].tolist() == [0]
    assert codes(tmp_path / "crowd") == ["only_crowds"]


@pytest.mark.parametrize(
    ("brushed", "others", "what"),
    [
        ({"attributes": {"occluded": False}}, {}, "1 of 2 annotations is a crowd (iscrowd 1) with attributes"),
        ({"attributes": {}}, {"attributes": {}}, "1 of 2 annotations is a crowd (iscrowd 1) with attributes"),
        ({}, {"attributes": {"occluded": False}}, None),
        ({"attributes": {"occluded": False}, "iscrowd": 0}, {}, None),
        ({"name": "attributes"}, {}, None),
    ],
)
def test_brush_masks_among_polygons_are_named(tmp_path: Path, brushed: Any, others: Any, what: str | None) -> None:
    path = write(tmp_path, annotation(segmentation=runs(), **{"iscrowd": 1, **brushed}), annotation(id=2, **others))
    report = to_mindrecord(open_dataset(path), tmp_path / "crowd", num_shards=1)
    expected = [f"{path}: {what}, as CVAT writes brush masks"] if what else []
    assert [str(fault) for fault in report.warnings] == expected
    report = to_mindrecord(open_dataset(path, crowd="object"), tmp_path / "object", num_shards=1)
    (row,) = read_rows(open_set(tmp_path / "object"))
    assert (report.warnings, row["iscrowd"].tolist()) == ((), [0, 0])


def test_a_subset_writes_crowds_as_objects(brush: Path, tmp_path: Path) -> None:
    choice = Choice(crowd="object")
    report = coco_subset(brush, tmp_path / "images", tmp_path / "s", choice=choice, strip_prefix="")
    assert report.annotations == 1
    (kept,) = json.loads((tmp_path / "s/annotations/instances.json").read_text())["annotations"]
    assert kept == annotation(segmentation=runs(), iscrowd=0, attributes={"occluded": False})
    assert codes(tmp_path / "s/annotations/instances.json") == []


def test_the_commands_take_crowd_and_name_it(segdata: Run, brush: Path, tmp_path: Path) -> None:
    done = segdata("check", brush)
    assert (done.exit_code, "with --crowd object" in done.output) == (0, True), done.output
    assert segdata("check", brush, "--strict", "--crowd", "object").exit_code == 0
    done = segdata("to-mindrecord", brush, "--dst_path", tmp_path / "r", "--num_shards", 1)
    assert "training ignores crowds; if each crowd is one object, use --crowd object (1):" in done.output
    images = ("--annotations", brush, "--images", tmp_path / "images", "--dst_path", tmp_path / "m")
    assert "no mask shows an object: if each crowd is one object" in segdata("coco-to-masks", *images).output
    done = segdata("coco-to-masks", *images, "--overwrite", "--crowd", "object", "--json")
    assert (json.loads(done.stdout)["crowds"], json.loads(done.stdout)["empty_masks"]) == (0, 0)
    (tmp_path / "l.txt").write_text("a.jpg a.png\n")
    done = segdata("check", tmp_path / "l.txt", "--crowd", "object")
    assert (done.exit_code, "is a list file, which does not take --crowd" in done.output) == (1, True), done.output


# Image names


def named(name: str) -> dict[str, Any]:
    return {**IMAGE, "file_name": name}


def test_backslashes_separate_folders(tmp_path: Path) -> None:
    path = write(tmp_path, annotation(), images=[named("sub\\a.jpg")], at="sub/a.jpg")
    assert codes(path) == []
    assert pixels(path, "sub/a") == {0: 1050, 1: 150}
    coco_subset(path, tmp_path / "images", tmp_path / "s")
    (image,) = json.loads((tmp_path / "s/annotations/instances.json").read_text())["images"]
    assert (image, (tmp_path / "s/images/sub/a.jpg").is_file()) == (named("sub/a.jpg"), True)


@pytest.mark.parametrize("prefix", ["data/upload/", "..\\..\\media\\", "/home/me/"])
def test_a_prefix_is_named_and_removed(tmp_path: Path, prefix: str) -> None:
    images = tmp_path / "images"
    path = write(tmp_path, annotation(), images=[named(f"{prefix}a.jpg")])
    hint = f"the only image is missing; with --strip_prefix {prefix.replace(chr(92), '/')}, 1 of 1 exist"
    found = {finding.code: finding.examples[0].what for finding in check(path).findings}
    assert found["image_prefix"] == hint
    for use in (
        lambda: coco_to_masks(path, images, tmp_path / "out"),
        lambda: coco_to_masks(path, images, tmp_path / "out", on_error="skip"),
        lambda: coco_subset(path, images, tmp_path / "out"),
        lambda: coco_subset(path, images, tmp_path / "out", on_error="skip"),
        lambda: to_mindrecord(open_dataset(path), tmp_path / "out", num_shards=1),
    ):
        with pytest.raises(FaultsError) as error:
            use()
        assert hint in str(error.value)
    assert codes(path, strip_prefix=prefix) == []
    assert pixels(path, strip_prefix=prefix) == {0: 1050, 1: 150}
    coco_subset(path, images, tmp_path / "s", strip_prefix=prefix)
    assert codes(tmp_path / "s/annotations/instances.json") == []
    to_mindrecord(open_dataset(path, strip_prefix=prefix), tmp_path / "r", num_shards=1)
    assert [row["file_name"] for row in read_rows(open_set(tmp_path / "r"))] == ["a.jpg"]


def test_names_that_become_one_are_refused(tmp_path: Path) -> None:
    images = [named("x/a.jpg"), {**named("a.jpg"), "id": 2}]
    path = write(tmp_path, annotation(), images=images)
    with pytest.raises(FaultsError, match=r"a\.jpg: named by the image ids 1, 2"):
        coco_to_masks(path, tmp_path / "images", tmp_path / "out", strip_prefix="x")


# Categories and ids


def test_a_root_category_is_named_and_can_be_dropped(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "pets", "supercategory": "none"}, {**CAT, "supercategory": "pets"}]
    path = write(tmp_path, annotation(), categories=categories)
    (finding,) = check(path).findings
    assert (finding.code, "coco-subset --drop-unused leaves it out" in finding.examples[0].what) == (
        "class_unused",
        True,
    )
    choice = Choice(drop_unused=True)
    coco_subset(path, tmp_path / "images", tmp_path / "s", choice=choice, remap_ids=True)
    assert codes(tmp_path / "s/annotations/instances.json") == []
    assert pixels(tmp_path / "s/annotations/instances.json") == {0: 1050, 1: 150}


def test_ids_count_from_zero(tmp_path: Path) -> None:
    zero = annotation(id=0, image_id=0, category_id=0)
    path = write(tmp_path, zero, images=[{**IMAGE, "id": 0}], categories=[{**CAT, "id": 0}])
    assert codes(path) == []
    assert pixels(path) == {0: 1050, 1: 150}


def test_ids_in_quotes_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path, annotation(image_id="1"), images=[{**IMAGE, "id": "1"}])
    with pytest.raises(FaultsError, match=r"got `str` - at `\$.id`; expected an integer. Number the images"):
        open_dataset(path)
    assert "broken_member" in codes(path)


# Masks


def test_all_forms_of_one_mask_give_the_same_pixels(tmp_path: Path) -> None:
    from pycocotools import mask

    packed = mask.frPyObjects(runs(), HEIGHT, WIDTH)
    # A rotated box is a polygon of four corners.
    turned = annotation(segmentation=[[25, 10, 30, 15, 25, 20, 20, 15]], bbox=[20, 10, 10, 10], area=50)
    for number, segmentation in enumerate((runs(), {**packed, "counts": packed["counts"].decode()}, POLYGON)):
        path = write(tmp_path / str(number), annotation(segmentation=segmentation), {**turned, "id": 2})
        assert pixels(path) == {0: 1000, 1: 200}
        assert codes(path) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"segmentation": []}, "has a box but no mask; expected polygons or RLE in 'segmentation'"),
        ({"segmentation": None}, "has a box but no mask"),
        ({"segmentation": [], "rle": runs()}, "no segmentation, but 'rle'; expected the mask in 'segmentation'"),
        ({"segmentation": None, "mask": runs()}, "no segmentation, but 'mask'; expected the mask in 'segmentation'"),
        ({"segmentation": {"size": [WIDTH, HEIGHT], "counts": [1200]}}, r"RLE has size [40, 30]; expected"),
    ],
)
def test_a_mask_that_is_elsewhere_or_nowhere_is_named(tmp_path: Path, changes: Any, sentence: str) -> None:
    path = write(tmp_path, annotation(**changes, attributes={"occluded": True, "rotation": 30.0}))
    with pytest.raises(FaultsError) as error:
        coco_to_masks(path, tmp_path / "images", tmp_path / "out")
    assert sentence in str(error.value)
    assert codes(path)[0] in ("no_segmentation", "bad_rle")


# The file


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path, annotation())
    text = json.dumps(json.loads(path.read_text()), indent=1).replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert codes(path) == []
    assert pixels(path) == {0: 1050, 1: 150}


def test_a_panoptic_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    segments = {"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 7, "category_id": 1}]}
    path = write(tmp_path, segments)
    with pytest.raises(InvalidInputError, match=r"COCO's panoptic format .* Convert it with panoptic2detection"):
        open_dataset(path)
    assert codes(path) == ["not_a_dataset"]
