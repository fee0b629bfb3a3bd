"""A COCO JSON as instance records: masks equal, labels contiguous, what cannot be a row said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask
from pycocotools.coco import COCO

from segdata.errors import FaultsError, InvalidInputError
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.convert_report import ConvertReport
from segdata.records.reader import open_set
from segdata.records.schema import Row, pack_masks, unpack_masks
from segdata.records.verify import verify

SQUARE = [[2, 2, 12, 2, 12, 12, 2, 12]]
RUNS = {"size": [20, 30], "counts": [0, 40, 560]}


def annotation(id_: int, image: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": id_, "image_id": image, "category_id": 7, "segmentation": SQUARE, "bbox": [2, 2, 10, 10], "area": 100,
        "iscrowd": 0,
    } | changes  # fmt: skip


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Return a function that writes two images of 30 x 20 and the given annotations."""

    def write(*annotations: dict[str, Any]) -> tuple[Path, Path]:
        images = [{"id": id_, "file_name": f"{id_}.jpg", "height": 20, "width": 30} for id_ in (1, 2)]
        (tmp_path / "images").mkdir()
        for image in images:
            Image.new("RGB", (30, 20)).save(tmp_path / "images" / str(image["file_name"]))
        categories = [{"id": 90, "name": "book"}, {"id": 7, "name": "cup"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (tmp_path / "instances.json").write_text(json.dumps(content))
        return tmp_path / "instances.json", tmp_path / "images"

    return write


def convert(source: tuple[Path, Path], target: Path, **options: Any) -> ConvertReport:
    dataset = open_dataset(source[0], images=source[1])
    return to_mindrecord(dataset, target, **({"num_shards": 1, "drop_empty": True} | options))


def rows_of(target: Path) -> dict[int, Row]:
    return {row["image_id"]: row for row in open_set(target)}


def decode(row: Row) -> list[np.ndarray]:
    size = [row["height"], row["width"]]
    return [mask.decode({"size": size, "counts": counts}) for counts in unpack_masks(row["masks"])]


def test_every_form_of_mask_is_read_back_as_the_same_pixels(coco: Callable[..., Any], tmp_path: Path) -> None:
    packed = mask.encode(np.asfortranarray(np.eye(20, 30, dtype=np.uint8)))
    source = coco(
        annotation(1),
        annotation(2, category_id=90, segmentation=RUNS, iscrowd=1),
        annotation(3, segmentation={"size": [20, 30], "counts": packed["counts"].decode()}),
        annotation(4, image=2),
    )
    report = convert(source, tmp_path / "set")
    assert (report.samples, report.rows, tuple(map(str, report.faults))) == (2, 2, ())
    row = rows_of(tmp_path / "set")[1]
    assert row["labels"].tolist() == [1, 2, 1]
    assert row["iscrowd"].tolist() == [0, 1, 0]
    assert row["boxes"].tolist() == [[2, 2, 12, 12]] * 3
    assert row["data"] == (source[1] / "1.jpg").read_bytes()
    square, runs, diagonal = decode(row)
    assert (square.sum(), square[2:12, 2:12].all()) == (100, True)
    assert (runs.sum(), runs[:, :2].all()) == (40, True)
    assert np.array_equal(diagonal, np.eye(20, 30))


def test_labels_count_from_one_and_the_manifest_keeps_names_and_ids(coco: Callable[..., Any], tmp_path: Path) -> None:
    convert(coco(annotation(1), annotation(2, image=2)), tmp_path / "set")
    manifest = open_set(tmp_path / "set").manifest
    found = [(info.id, info.name, info.original_id, info.instances, info.images) for info in manifest.classes]
    assert found == [(1, "cup", 7, 2, 2), (2, "book", 90, 0, 0)]
    assert (manifest.task, manifest.ignore_label, manifest.num_classes) == ("instance", None, 2)


def test_a_set_with_two_categories_of_one_name_can_be_opened(coco: Callable[..., Any], tmp_path: Path) -> None:
    source = coco(annotation(1), annotation(2, image=2))
    source[0].write_text(source[0].read_text().replace('"book"', '"cup"'))
    convert(source, tmp_path / "set")
    manifest = open_set(tmp_path / "set").manifest
    assert [(info.id, info.name, info.original_id) for info in manifest.classes] == [(1, "cup", 7), (2, "cup", 90)]
    assert verify(tmp_path / "set").ok


def test_images_without_instances_are_counted_or_kept(coco: Callable[..., Any], tmp_path: Path) -> None:
    source = coco(annotation(1))
    report = convert(source, tmp_path / "set")
    assert (report.rows, report.empty) == (1, 1)
    report = convert(source, tmp_path / "all", drop_empty=False)
    assert (report.rows, report.empty) == (2, 0)
    empty = rows_of(tmp_path / "all")[2]
    assert [empty[name].shape for name in ("boxes", "labels", "iscrowd")] == [(0, 4), (0,), (0,)]
    assert decode(empty) == []
    assert verify(tmp_path / "all").ok


def test_where_no_image_is_left_the_reason_is_named(coco: Callable[..., Any], tmp_path: Path) -> None:
    source = coco()
    with pytest.raises(InvalidInputError, match=r"no image has instances \(2 images left out\).* Omit --drop-empty"):
        convert(source, tmp_path / "set")
    source[0].write_text(json.dumps(json.loads(source[0].read_text()) | {"images": []}))
    with pytest.raises(InvalidInputError, match=r"instances\.json: contains no images"):
        convert(source, tmp_path / "set")


@pytest.mark.parametrize(
    ("faulty", "sentence"),
    [
        (annotation(9, segmentation=[[1, 1, 5, 5]]), "polygon 1 has 2 points"),
        (annotation(9, segmentation=[]), "has a box but no mask"),
        (annotation(9, segmentation=[[1.2, 1.2, 1.3, 1.2, 1.3, 1.3]]), "mask covers no pixels"),
        (annotation(9, segmentation={"size": [9, 9], "counts": [81]}), r"expected [20, 30]"),
        (annotation(9, bbox=[40, 2, 5, 5]), "has no area inside the image"),
        (annotation(9, bbox=[2, 2, 0, 5]), "has no area inside the image"),
        (annotation(9, bbox=[2, 2]), "expected x, y, width, height"),
        (annotation(9, image=77), "refers to an image that the file does not contain"),
        (annotation(9, category_id=8), "refers to a category that the file does not contain"),
    ],
)
def test_a_faulty_annotation_fails_or_is_left_out(
    coco: Callable[..., Any], tmp_path: Path, faulty: dict[str, Any], sentence: str
) -> None:
    source = coco(annotation(1), faulty)
    with pytest.raises(FaultsError) as error:
        convert(source, tmp_path / "set")
    assert [
        fault.startswith("annotation 9") and sentence in fault for fault in tuple(map(str, error.value.faults))
    ] == [True]
    report = convert(source, tmp_path / "set", on_error="skip")
    assert (report.rows, len(report.faults)) == (1, 1)
    assert len(decode(rows_of(tmp_path / "set")[1])) == 1


@pytest.mark.parametrize("member", [{"bbox": [2, 2, 9876, 5]}, {"segmentation": [[1, 1, 9876, 5, 5, 5]]}])
def test_a_number_beyond_the_range_of_floats_is_a_fault(
    coco: Callable[..., Any], tmp_path: Path, member: dict[str, Any]
) -> None:
    path, images = coco(annotation(1), annotation(9, **member))
    path.write_text(path.read_text().replace("9876", "1e999"))
    with pytest.raises(FaultsError, match=r"annotation 9 .*out of range"):
        convert((path, images), tmp_path / "set")


def test_a_box_is_cut_to_the_image_and_made_from_the_mask_where_missing(
    coco: Callable[..., Any], tmp_path: Path
) -> None:
    convert(coco(annotation(1, bbox=[-3, 5, 50.5, 30]), annotation(2, bbox=None)), tmp_path / "set")
    assert rows_of(tmp_path / "set")[1]["boxes"].tolist() == [[0, 5, 30, 20], [2, 2, 12, 12]]


def test_an_image_of_another_size_or_missing_is_a_fault(coco: Callable[..., Any], tmp_path: Path) -> None:
    source = coco(annotation(1), annotation(2, image=2))
    Image.new("RGB", (31, 20)).save(source[1] / "1.jpg")
    (source[1] / "2.jpg").unlink()
    with pytest.raises(FaultsError) as error:
        convert(source, tmp_path / "set")
    assert tuple(map(str, error.value.faults)) == (
        "1.jpg: 31 x 20 pixels, but the JSON says 30 x 20",
        "2.jpg: does not exist",
    )


def test_other_json_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[1, 2]")
    with pytest.raises(InvalidInputError):
        convert((tmp_path / "x.json", tmp_path), tmp_path / "set")


def test_masks_of_a_row_keep_their_trailing_zero_bytes() -> None:
    assert unpack_masks(pack_masks([b"a\0\0", b"", b"\0"])) == [b"a\0\0", b"", b"\0"]


@pytest.mark.parametrize("workers", [1, 4])
def test_the_bytes_do_not_depend_on_the_workers(coco: Callable[..., Any], tmp_path: Path, workers: int) -> None:
    source = coco(annotation(1), annotation(2, image=2))
    for name, count in (("a", 2), ("b", workers)):
        convert(source, tmp_path / name / "set", num_shards=2, workers=count)
    for path in (tmp_path / "a" / "set").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / "set" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("tiny_coco_dataset/annotations/instances_train2017.json", "tiny_coco_dataset/train2017"),
        ("tiny_coco_dataset/annotations/instances_val2017.json", "tiny_coco_dataset/val2017"),
        ("enginbozaba_tiny_coco/annotations/instances_train2017.json", "enginbozaba_tiny_coco/images/train2017"),
        ("enginbozaba_tiny_coco/annotations/instances_val2017.json", "enginbozaba_tiny_coco/images/val2017"),
    ],
)
def test_masks_of_real_sets_equal_the_sources(real_data: Path, tmp_path: Path, annotations: str, images: str) -> None:
    path = real_data / "coco" / annotations
    report = convert((path, real_data / "coco" / images), tmp_path / "set", drop_empty=False, num_shards=4)
    assert tuple(map(str, report.faults)) == ()
    source = COCO(str(path))
    names = {info.id: info.name for info in open_set(tmp_path / "set").manifest.classes}
    rows = rows_of(tmp_path / "set")
    assert sorted(rows) == sorted(source.imgs)
    for image_id, row in rows.items():
        expected = [source.anns[id_] for id_ in source.getAnnIds(imgIds=[image_id])]
        assert [names[label] for label in row["labels"]] == [source.cats[a["category_id"]]["name"] for a in expected]
        assert row["iscrowd"].tolist() == [a.get("iscrowd", 0) for a in expected]
        for pixels, original in zip(decode(row), expected, strict=True):
            assert np.array_equal(pixels, source.annToMask(original))
    assert verify(tmp_path / "set").ok


# Boxes that contradict their masks


def test_a_box_that_contradicts_its_mask_is_kept_and_told(coco: Callable[..., Any], tmp_path: Path) -> None:
    report = convert(coco(annotation(1, bbox=[2, 9, 10, 10]), annotation(2)), tmp_path / "set")
    (warning,) = report.warnings
    assert warning.code == "box_mismatch"
    assert str(warning) == "annotation 1 (1.jpg): box [2, 9, 10, 10]; its mask spans (2, 2) to (12, 12)"
    assert rows_of(tmp_path / "set")[1]["boxes"].tolist() == [[2, 9, 12, 19], [2, 2, 12, 12]]
    assert open_set(tmp_path / "set").manifest.options["boxes"] == "json"


def test_a_mask_with_x_and_y_exchanged_is_told(coco: Callable[..., Any], tmp_path: Path) -> None:
    wrong = annotation(1, segmentation=[[2, 12, 8, 12, 8, 18, 2, 18]], bbox=[12, 2, 6, 6])
    (warning,) = convert(coco(wrong), tmp_path / "set").warnings
    assert str(warning).endswith("its mask spans (2, 12) to (8, 18), and agrees with x and y exchanged")


def test_boxes_can_be_made_from_the_masks_whatever_the_json_says(coco: Callable[..., Any], tmp_path: Path) -> None:
    boxes = [[2, 9, 10, 10], [500, 2, 10, 10], "none"]
    source = coco(*(annotation(number, bbox=box) for number, box in enumerate(boxes, start=1)))
    report = convert(source, tmp_path / "set", boxes="masks")
    assert (report.faults, report.warnings) == ((), ())
    assert rows_of(tmp_path / "set")[1]["boxes"].tolist() == [[2, 2, 12, 12]] * 3
    assert open_set(tmp_path / "set").manifest.options["boxes"] == "masks"


def test_an_image_that_is_stored_rotated_is_reported(coco: Callable[..., Any], tmp_path: Path) -> None:
    source = coco(annotation(1))
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (30, 20)).save(source[1] / "1.jpg", exif=exif)
    report = convert(source, tmp_path / "set")
    assert [(fault.code, str(fault)) for fault in report.warnings] == [("rotated", "1.jpg: EXIF orientation 3")]
