"""The order of cures: what one of them drops is not taken for the copy that another one keeps."""

from __future__ import annotations

import itertools
import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings, strategies as st
from imagecodecs import png_encode
from PIL import Image

from segdata.errors import OptionError
from segdata.images.reading import read_samples
from segdata.images.values import ValueRange
from segdata.inspect.fix import fix
from segdata.inspect.fix.report import FixReport
from segdata.labels.classes import Classes
from segdata.labels.masks import decode_index_png
from segdata.labels.value_map import ValueMap, ValueSpan
from segdata.lists import Pair, read_list
from segdata.opening import open_dataset

TWO = Classes(("background", "cat"))


def photo(path: Path, seed: int = 0, **options: Any) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


def label(path: Path, value: int = 1) -> None:
    pixels = np.zeros((6, 8), np.uint8)
    pixels[2:4, 3:6] = value
    Image.fromarray(pixels).save(path)


def square(id_: int, image: int, x: int = 1, **more: Any) -> dict[str, Any]:
    outline = [[x, 1, x + 3, 1, x + 3, 4, x, 4]]
    usual = {"segmentation": outline, "area": 9, "bbox": [x, 1, 3, 3], "iscrowd": 0}
    return {"id": id_, "image_id": image, "category_id": 1, **usual, **more}


def write_coco(path: Path, names: Sequence[str], annotations: list[dict[str, Any]]) -> Path:
    images = [{"id": id_, "file_name": name, "width": 8, "height": 6} for id_, name in enumerate(names, 1)]
    categories = [{"id": 1, "name": "cat"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def copies(root: Path, first: str) -> Path:
    """Write two images of the same bytes and two others; the label of the first is as `first` says."""
    for name, seed in (("a", 0), ("b", 0), ("c", 1), ("d", 2)):
        photo(root / f"{name}.png", seed)
        label(root / f"{name}_label.png")
    if first == "missing":
        (root / "a_label.png").unlink()
    elif first == "color":
        Image.new("RGB", (8, 6), (1, 2, 3)).save(root / "a_label.png")
    else:
        label(root / "a_label.png", 7)
    (root / "l.txt").write_text("".join(f"{name}.png {name}_label.png\n" for name in "abcd"))
    return root / "l.txt"


def images(path: Path) -> list[str]:
    return [pair.image.removesuffix(".png") for pair in read_list(path)]


def cures(report: FixReport) -> dict[str, str]:
    return {one.code: one.cure for one in report.codes}


@pytest.mark.parametrize(
    ("first", "drop", "kept"),
    [
        ("missing", (), "bcd"),
        ("value", ("value_outside_classes", "label_conflict"), "bcd"),
        ("color", ("label_mode",), "bcd"),
        ("color", (), "abcd"),
        ("value", (), "abcd"),
    ],
)
def test_one_copy_of_an_image_is_kept_whatever_becomes_of_the_other(
    tmp_path: Path, first: str, drop: tuple[Any, ...], kept: str
) -> None:
    source = copies(tmp_path, first)
    report = fix(source, tmp_path / "new.txt", classes=TWO, hash=True, drop=drop, workers=1)
    assert images(tmp_path / "new.txt") == list(kept)
    assert bool(report.left) == (kept == "abcd")


def test_the_report_says_what_was_done_and_not_what_could_have_been(tmp_path: Path) -> None:
    drop: tuple[Any, ...] = ("value_outside_classes", "label_conflict")
    report = fix(copies(tmp_path, "value"), tmp_path / "new.txt", classes=TWO, hash=True, drop=drop, workers=1)
    assert cures(report) == {
        "value_outside_classes": "samples or annotations dropped, as --drop says",
        "label_conflict": "corrected by the cure of another fault",
    }


def test_copies_in_a_json_whose_instances_cannot_be_compared_stay(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    photo(tmp_path / "b.png")
    boxes = [square(1, 1, segmentation=[]), square(2, 2, x=4)]
    source = write_coco(tmp_path / "a.json", ["a.png", "b.png"], boxes)
    report = fix(source, tmp_path / "new.json", hash=True, workers=1)
    assert report.samples == 2
    assert {one.code: one.left for one in report.codes} == {"no_segmentation": 1, "duplicate_content": 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(places=st.lists(st.lists(st.sampled_from([0, 2, 4]), unique=True, max_size=3), min_size=2, max_size=4))
def test_each_object_of_one_file_appears_once_however_many_image_objects_had_it(
    tmp_path: Path, places: list[list[int]]
) -> None:
    photo(tmp_path / "a.png")
    ids = itertools.count(1)
    objects = [square(next(ids), image, x) for image, found in enumerate(places, 1) for x in found]
    source = write_coco(tmp_path / "a.json", ["a.png"] * len(places), objects)
    report = fix(source, tmp_path / "new.json", workers=1, overwrite=True)
    result = json.loads((tmp_path / "new.json").read_text())
    assert (report.samples, report.root) == (1, str(tmp_path))
    found = [one["bbox"][0] for one in result["annotations"]]
    assert sorted(found) == sorted({x for one in places for x in one})


def test_an_image_that_is_there_twice_and_in_the_other_set_is_dropped(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    photo(tmp_path / "b.png", 1)
    source = write_coco(tmp_path / "a.json", ["a.png", "a.png", "b.png"], [square(1, 1), square(2, 3)])
    other = open_dataset(write_coco(tmp_path / "other.json", ["a.png"], []))
    report = fix(source, tmp_path / "new.json", against=[other], drop_from=source, workers=1)
    assert (report.samples, report.left) == (1, 0)


def test_labels_are_mapped_once_also_if_the_result_has_other_values(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    values = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(values).save(tmp_path / "l.png")
    (tmp_path / "l.txt").write_text("a.png l.png\n")
    shift = ValueMap(spans=(ValueSpan(0, 0, 0), ValueSpan(1, 255, 0, rising=True)))
    report = fix(tmp_path / "l.txt", tmp_path / "new.txt", classes=TWO, map=shift, workers=1)
    (pair,) = read_list(tmp_path / "new.txt")
    mapped = decode_index_png((Path(report.root) / pair.label).read_bytes())
    assert np.array_equal(mapped, np.maximum(values, 1) - 1)
    assert [(one.code, one.left) for one in report.codes] == [("value_outside_classes", 1)]


def test_labels_that_would_get_one_name_keep_their_own(tmp_path: Path) -> None:
    colors = {"a": (128, 0, 0), "b": (0, 128, 0)}
    for name, suffix in (("a", "bmp"), ("b", "tif")):
        photo(tmp_path / f"{name}.png")
        Image.new("RGB", (8, 6), colors[name]).save(tmp_path / f"label.{suffix}")
    (tmp_path / "l.txt").write_text("a.png label.bmp\nb.png label.tif\n")
    report = fix(tmp_path / "l.txt", tmp_path / "new.txt", workers=1)
    assert read_list(tmp_path / "new.txt") == [Pair("a.png", "label.png"), Pair("b.png", "label.tif")]
    assert np.all(decode_index_png((Path(report.root) / "label.png").read_bytes()) == 1)
    assert [(one.code, one.cured, one.left) for one in report.codes] == [("label_mode", 1, 1)]


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, "3", 4], "box", {"x": 1}])
def test_an_unusable_box_does_not_keep_an_image_from_being_turned(tmp_path: Path, box: object) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(tmp_path / "a.jpg", exif=exif)
    source = write_coco(tmp_path / "a.json", ["a.jpg"], [square(1, 1, bbox=box)])
    report = fix(source, tmp_path / "new.json", upright="turn", workers=1)
    (turned,) = json.loads((tmp_path / "new.json").read_text())["annotations"]
    assert (report.left, turned["bbox"]) == (0, [2, 1, 3, 3])


def test_key_points_turn_with_their_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(tmp_path / "a.jpg", exif=exif)
    source = write_coco(tmp_path / "a.json", ["a.jpg"], [square(1, 1, keypoints=[7, 2, 2, 0, 0, 0])])
    fix(source, tmp_path / "new.json", upright="turn", workers=1)
    (turned,) = json.loads((tmp_path / "new.json").read_text())["annotations"]
    # The upper right corner is at the lower right.
    assert turned["keypoints"] == [4, 7, 2, 0, 0, 0]


def test_an_image_whose_key_points_cannot_be_turned_stays(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(tmp_path / "a.jpg", exif=exif)
    source = write_coco(tmp_path / "a.json", ["a.jpg"], [square(1, 1, keypoints=[7, 2])])
    report = fix(source, tmp_path / "new.json", upright="turn", workers=1)
    assert [(one.code, one.left) for one in report.codes] == [("rotated", 1)]
    assert (tmp_path / "new.json").read_bytes() == source.read_bytes()


def rotated_png(pixels: npt.NDArray[Any]) -> bytes:
    """Return a PNG with orientation 6, with the EXIF chunk behind the header."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data, body = png_encode(pixels), b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    return data[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + data[33:]


@pytest.mark.parametrize(
    ("bands", "bits", "left"),
    [(1, 16, 0), (2, 16, 1), (3, 16, 1), (4, 16, 1), (1, 8, 0), (2, 8, 0), (3, 8, 0), (4, 8, 0)],
)
def test_a_png_is_saved_upright_with_the_same_samples_or_not_at_all(
    tmp_path: Path, bands: int, bits: int, left: int
) -> None:
    shape = (6, 8) if bands == 1 else (6, 8, bands)
    pixels = np.random.default_rng(0).integers(1, 2**bits, shape).astype(f"uint{bits}")
    (tmp_path / "a.png").write_bytes(rotated_png(pixels))
    label(tmp_path / "l.png")
    (tmp_path / "list.txt").write_text("a.png l.png\n")
    # All samples of an image that lost its lower 8 bits would be in this range.
    wanted = ValueRange(0, 255) if bits == 16 else None
    report = fix(tmp_path / "list.txt", tmp_path / "new.txt", value_range=wanted, upright="turn", workers=1)
    assert [(one.code, one.left) for one in report.codes] == [("rotated", left)]
    stored = read_samples(tmp_path / "a.png")
    saved = read_samples(Path(report.root) / "a.png")
    assert saved.dtype == stored.dtype
    assert np.array_equal(saved, stored if left else np.rot90(stored, -1))


def test_an_image_that_is_left_rotated_has_a_question_that_says_how(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 8), np.uint8), extratags=[(274, 3, 1, 6, True)])
    label(tmp_path / "l.png")
    (tmp_path / "list.txt").write_text("a.tif l.png\n")
    report = fix(tmp_path / "list.txt", tmp_path / "new.txt", upright="turn", workers=1)
    ((code, left, question),) = [(one.code, one.left, one.question) for one in report.codes]
    assert (code, left, "Save upright in another program: TIFFs" in question) == ("rotated", 1, True)


def test_an_error_names_the_source_and_not_its_copy(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    source = write_coco(tmp_path / "annotations" / "a.json", ["a.png"], [])
    with pytest.raises(OptionError) as error:
        fix(source, tmp_path / "new.json", images=tmp_path / "none", workers=1)
    assert str(error.value).startswith(f"{source}: image folder {tmp_path / 'none'} does not exist")


def test_text_in_the_place_of_an_object_is_left(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    source = write_coco(tmp_path / "a.json", ["a.png"], [square(1, 1)])
    members = json.loads(source.read_text()) | {"categories": ["cat", "dog", None]}
    source.write_text(json.dumps(members))
    report = fix(source, tmp_path / "new.json", workers=1)
    assert json.loads((tmp_path / "new.json").read_text())["categories"] == ["cat", "dog"]
    assert {one.code: (one.cured, one.left) for one in report.codes}["broken_member"] == (1, 2)


def test_an_id_of_thousands_of_digits_is_left(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    source = write_coco(tmp_path / "a.json", ["a.png"], [square(1, 1, area="9" * 5000), square(2, 1)])
    report = fix(source, tmp_path / "new.json", workers=1)
    assert (report.samples, report.left) == (1, 0)
    members = json.loads(source.read_text())
    members["annotations"][1]["image_id"] = "9" * 5000
    source.write_text(json.dumps(members))
    report = fix(source, tmp_path / "other.json", workers=1)
    assert {one.code: one.left for one in report.codes if one.left} == {"broken_member": 1}


def test_a_cure_that_changes_nothing_does_not_keep_errors_from_being_dropped(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    photo(tmp_path / "b.png", 1)
    source = write_coco(tmp_path / "a.json", ["a.png", "a.png", "b.png"], [square(1, 1), square(2, 3)])
    members = json.loads(source.read_text())
    members["images"][0]["width"] = 80
    source.write_text(json.dumps(members))
    report = fix(source, tmp_path / "new.json", drop=["errors"], workers=1)
    assert (report.samples, report.left) == (1, 0)
    assert [one["file_name"] for one in json.loads((tmp_path / "new.json").read_text())["images"]] == ["b.png"]


@pytest.mark.parametrize("width", [1e300, "1" * 300])
def test_an_invalid_size_is_taken_from_the_file(tmp_path: Path, width: object) -> None:
    photo(tmp_path / "a.png")
    source = write_coco(tmp_path / "a.json", ["a.png"], [square(1, 1)])
    members = json.loads(source.read_text())
    members["images"][0]["width"] = width
    source.write_text(json.dumps(members))
    report = fix(source, tmp_path / "new.json", images=tmp_path, workers=1)
    assert report.left == 0
    assert json.loads((tmp_path / "new.json").read_text())["images"][0]["width"] == 8
