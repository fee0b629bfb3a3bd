"""tif-slice on a stack whose values number objects: COCO JSONs, or index masks with a class between objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image
from pycocotools.coco import COCO

from segdata.errors import FaultsError, InvalidInputError, OptionError, TargetExistsError
from segdata.inspect.check import check
from segdata.labels.classes import read_class_names
from segdata.labels.map_file import load_map
from segdata.lists import Pair, read_list
from segdata.lists.folds import LastBlock
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.sources.tif.objects import between
from segdata.sources.tif.report import SliceReport
from segdata.sources.tif.slice import tif_slice

Pixels = npt.NDArray[Any]
Slice = Callable[..., SliceReport]

#: Ids of a stack of four pages: above 255, on several pages, in two parts, and no object on page 2.
IDS = np.zeros((4, 12, 16), np.int32)
IDS[0, 1:5, 1:6], IDS[0, 1:5, 6:9], IDS[0, 7:10, 3:5] = 7, 300, 70_000
IDS[1, 2:6, 1:6], IDS[1, 9, 9], IDS[1, 11, 15] = 7, 40_000, 40_000
IDS[3] = 5


@pytest.fixture
def cut(tmp_path: Path) -> Slice:
    """Return `tif_slice` of a stack whose labels are given."""

    def run(ids: Pixels = IDS, **options: Any) -> SliceReport:
        images = np.random.default_rng(0).integers(0, 256, ids.shape[:3], np.uint8)
        for name, pages in (("a.tif", images), ("b.tif", ids)):
            photometric = "minisblack" if pages.ndim == 3 else "rgb"
            tifffile.imwrite(tmp_path / name, pages, photometric=photometric, metadata=None)
        options = {"dst_path": tmp_path / "out", **options}
        return tif_slice(tmp_path / "a.tif", labels=tmp_path / "b.tif", **options)

    return run


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def masks_of(path: Path) -> list[Pixels]:
    """Return the objects of each image in a JSON as pycocotools reads them: pixels numbered in the order of ids."""
    coco = COCO(str(path))
    found = []
    for image in coco.loadImgs(sorted(coco.imgs)):
        pixels = np.zeros((image["height"], image["width"]), int)
        for annotation in coco.loadAnns(coco.getAnnIds(image["id"])):
            mask = coco.annToMask(annotation)
            ys, xs = np.nonzero(mask)
            assert annotation["area"] == mask.sum() > 0
            assert annotation["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
            assert (annotation["iscrowd"], pixels[mask > 0].any()) == (0, False)
            pixels[mask > 0] = annotation["id"]
        found.append(pixels)
    return found


def labels_of(folder: Path) -> list[Pixels]:
    return [np.asarray(Image.open(path)) for path in sorted((folder / "labels").iterdir())]


# Instances


@pytest.mark.parametrize("dtype", ["int32", "uint32", "float64"])
def test_ids_of_objects_become_a_coco_json_beside_the_slices(cut: Slice, tmp_path: Path, dtype: str) -> None:
    report = cut(IDS.astype(dtype), instances=True, class_name="nucleus")
    assert report.objects == {"nucleus": 6}
    assert report.files == {"all": str(tmp_path / "out/instances_all.json")}
    assert report.label_pixels == {0: int((IDS == 0).sum()), 1: int((IDS != 0).sum())}
    assert (report.border_class, report.class_names_file) == (None, None)
    for page, found in zip(IDS, masks_of(tmp_path / "out/instances_all.json"), strict=True):
        pairs = set(zip(page.ravel().tolist(), found.ravel().tolist(), strict=True))
        assert len(pairs) == len({value for value, _ in pairs}) == len({id_ for _, id_ in pairs})
        np.testing.assert_array_equal(found == 0, page == 0)
    data = json.loads((tmp_path / "out/instances_all.json").read_bytes())
    assert [image["file_name"] for image in data["images"]] == [f"images/a_{page:04}.png" for page in range(4)]
    assert data["categories"] == [{"id": 1, "name": "nucleus", "supercategory": ""}]
    assert set(files(tmp_path / "out")) >= {"images/a_0003.png", "instances_all.json"}
    assert not (tmp_path / "out/labels").exists() and not list((tmp_path / "out").glob("*_lst.txt"))


def test_the_json_is_clean_and_becomes_records(cut: Slice, tmp_path: Path) -> None:
    cut(instances=True)
    dataset = open_dataset(tmp_path / "out/instances_all.json")
    assert check(dataset).errors == 0
    assert to_mindrecord(dataset, tmp_path / "records", num_shards=1).rows == 4


@pytest.mark.parametrize("options", [{"instances": True}, {"border": 2}], ids=str)
def test_the_workers_do_not_change_a_byte(cut: Slice, tmp_path: Path, options: dict[str, Any]) -> None:
    for workers in (1, 4):
        cut(**options, workers=workers, split=LastBlock(2), dst_path=tmp_path / str(workers))
    assert files(tmp_path / "1") == files(tmp_path / "4")


def test_each_split_has_a_json(cut: Slice, tmp_path: Path) -> None:
    report = cut(instances=True, split=LastBlock(1), pages=[0, 1, 3])
    assert set(report.files) == {"train", "val"}
    counts = [len(COCO(report.files[split]).anns) for split in ("train", "val")]
    assert (counts, report.objects) == ([5, 1], {"object": 6})


@pytest.mark.parametrize("names", [("background", "cell", "nucleus", "debris"), None])
def test_a_map_gives_objects_their_classes(cut: Slice, tmp_path: Path, names: tuple[str, ...] | None) -> None:
    value_map = load_map("0:0,5:255,7:1,256-70000:2")
    report = cut(instances=True, map=value_map, class_names=names)
    found = {"cell": 2, "nucleus": 3, "debris": 0} if names else {"class_1": 2, "class_2": 3}
    assert report.objects == found
    coco = COCO(report.files["all"])
    assert [category["name"] for category in coco.loadCats(sorted(coco.cats))] == list(found)
    assert [coco.anns[id_]["category_id"] for id_ in sorted(coco.anns)] == [1, 2, 2, 1, 2]
    # 5 is void.
    assert report.label_pixels[255] == 12 * 16


def test_values_from_zero_may_be_objects(cut: Slice) -> None:
    assert cut(instances=True, map=load_map("5:0,*:1"), pages=[2, 3]).objects == {"class_1": 1}


def test_a_dry_run_finds_the_same_and_a_second_run_replaces_all(cut: Slice, tmp_path: Path) -> None:
    dry = cut(instances=True, dry_run=True)
    assert not (tmp_path / "out").exists()
    wet = cut(instances=True)
    assert (dry.objects, dry.label_pixels, dry.written) == (wet.objects, wet.label_pixels, False)
    with pytest.raises(TargetExistsError):
        cut(border=1)
    cut(border=1, overwrite=True)
    assert not (tmp_path / "out/instances_all.json").exists()
    assert len(labels_of(tmp_path / "out")) == 4


# Borders


def distances(numbers: Pixels) -> dict[int, Pixels]:
    """Return the distance of each pixel from each object, one pixel at a time."""
    grid = np.stack(np.indices(numbers.shape), axis=-1).reshape(-1, 1, 2)
    shape = numbers.shape
    return {
        id_: np.sqrt(((grid - np.argwhere(numbers == id_)) ** 2).sum(-1).min(1)).reshape(shape)
        for id_ in np.unique(numbers[numbers > 0]).tolist()
    }


@pytest.mark.parametrize("distance", [1, 2, 3, 5])
def test_the_border_is_what_is_within_the_distance_of_two_objects(distance: int) -> None:
    numbers = np.random.default_rng(distance).choice([0, 1, 2, 3, 70_000], (17, 23), p=[0.9, 0.04, 0.02, 0.02, 0.02])
    near = sum((found <= distance).astype(int) for found in distances(numbers).values())
    np.testing.assert_array_equal(between(numbers, distance), near >= 2)


def test_touching_objects_get_a_class_between_them(cut: Slice, tmp_path: Path) -> None:
    report = cut(border=1)
    assert report.border_class == 2
    first = (IDS[0] > 0).astype(int)
    first[1:5, 5:7] = 2
    np.testing.assert_array_equal(labels_of(tmp_path / "out")[0], first)
    # Objects that touch no other, and the edges of the image, have no border.
    np.testing.assert_array_equal(labels_of(tmp_path / "out")[1:], IDS[1:] > 0)
    assert report.label_pixels == {0: int((IDS == 0).sum()), 1: int((IDS > 0).sum()) - 8, 2: 8}
    assert read_list(tmp_path / "out/all_lst.txt")[0] == Pair("images/a_0000.png", "labels/a_0000.png")
    assert report.class_names_file == str(tmp_path / "out/classes.txt")
    assert read_class_names(tmp_path / "out/classes.txt") == ("background", "object", "border")


def test_with_a_map_the_border_is_the_class_after_all_others(cut: Slice, tmp_path: Path) -> None:
    names = ("background", "cell", "nucleus")
    report = cut(border=1, map=load_map("0:0,7:1,256-70000:2,5:255"), class_names=names)
    labels = labels_of(tmp_path / "out")
    assert report.border_class == 3
    assert [np.unique(label).tolist() for label in labels] == [[0, 1, 2, 3], [0, 1, 2], [0], [255]]
    assert read_class_names(tmp_path / "out/classes.txt") == (*names, "border")


def test_void_has_no_border(cut: Slice, tmp_path: Path) -> None:
    cut(np.array([[[1, 1, 9, 2, 2]]]), border=2, map=load_map("9:255,*:1"))
    assert labels_of(tmp_path / "out")[0].tolist() == [[1, 2, 255, 2, 1]]


# What is refused


@pytest.mark.parametrize("options", [{"instances": True}, {"border": 1}], ids=str)
@pytest.mark.parametrize(
    ("value", "dtype", "reason"),
    [
        (-1, "int16", "has values from -1 to 1; expected integers of 0 or more"),
        (0.5, "float32", "has values from 0 to 1; expected integers"),
        (np.nan, "float32", "has values from nan to nan; expected integers of 0 or more"),
    ],
)
def test_values_that_number_nothing_are_named_with_their_page(
    cut: Slice, tmp_path: Path, options: dict[str, Any], value: float, dtype: str, reason: str
) -> None:
    with pytest.raises(FaultsError, match=rf"b\.tif, page 1: {reason}"):
        cut(np.array([[[0, 1, 1]], [[0, 1, value]]], dtype), **options)
    assert not (tmp_path / "out").exists()


def test_ids_that_the_map_does_not_name_are_an_error_or_void(cut: Slice) -> None:
    options: dict[str, Any] = {"instances": True, "map": load_map("0:0,5:1,7:1")}
    with pytest.raises(
        FaultsError, match=r"2 of 4 pages cannot be sliced. Give the class of .*--unknown ignore"
    ) as error:
        cut(**options)
    assert [str(fault) for fault in error.value.faults] == [
        "b.tif, page 0: pixel (x=6, y=1) has value 300; expected 0, 5 or 7 "
        "(12 such pixels, 1 other value without a class)",
        "b.tif, page 1: pixel (x=9, y=9) has value 40000; expected 0, 5 or 7 (2 such pixels)",
    ]
    report = cut(**options, unknown="ignore")
    assert (report.objects, report.label_pixels[255]) == ({"class_1": 3}, 12 + 6 + 2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"instances": True, "border": 1}, "each says what to write"),
        ({"border": 0}, "expected a distance of 1 to 100 pixels"),
        ({"border": 101}, "expected a distance of 1 to 100 pixels"),
        ({"unknown": "ignore", "instances": True}, "without --map, no values are unknown"),
        ({"class_name": "cell"}, "expected --instances or --border, and no map"),
        ({"class_name": "cell", "instances": True, "map": "*:1"}, "expected --instances or --border, and no map"),
        ({"class_names": ("a", "b"), "instances": True}, "names the classes of a map without names"),
        ({"class_names": ("a", "b"), "map": "binary"}, "names the classes of a map without names"),
        ({"class_names": ("a", "b"), "map": "0:0,1:2"}, "class 2 has no name; expected 0 to 1"),
        ({"border": 1, "map": "binary"}, "has colors, but object ids are numbers"),
        ({"border": 1, "map": "*:0"}, "no value has a class above 0"),
        ({"instances": True, "map": "0:0,1:255"}, "no value has a class above 0"),
        ({"border": 1, "map": "0-254:0-254"}, "would be class 255; expected a map of classes up to 253"),
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_refused(
    cut: Slice, tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    if "map" in options:
        options = {**options, "map": load_map(options["map"])}
    with pytest.raises(OptionError, match=reason):
        cut(**options)
    assert not (tmp_path / "out").exists()


def test_a_class_name_that_means_no_class_is_refused(cut: Slice, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="not valid as class names"):
        cut(border=1, class_name="void")
    assert not (tmp_path / "out").exists()


def test_colors_cannot_number_objects(cut: Slice) -> None:
    with pytest.raises(InvalidInputError, match="expected labels with one sample per pixel"):
        cut(np.zeros((2, 8, 9, 3), np.uint8), instances=True)


@pytest.mark.parametrize(("white", "dtype"), [(1, np.uint8), (255, np.uint8), (65535, np.uint16), (1, np.bool_)])
def test_black_and_white_labels_are_one_object_a_page(cut: Slice, white: int, dtype: Any, tmp_path: Path) -> None:
    cells = np.zeros((3, 12, 16), dtype)
    cells[0, 1:4, 1:4] = cells[0, 6:9, 6:9] = cells[2, 2:5, 2:5] = white
    report = cut(cells, instances=True)
    assert (report.objects, report.binary) == ({"object": 2}, True)
    with pytest.raises(InvalidInputError, match=r"b.tif: black and white, .* no border; .* scipy") as error:
        cut(cells, border=1, dst_path=tmp_path / "border")
    assert error.value.code == "binary_mask"
    assert not (tmp_path / "border").exists()


def test_objects_with_numbers_are_not_black_and_white(cut: Slice) -> None:
    one = np.zeros((2, 12, 16), np.uint8)
    one[0, 1:4, 1:4] = 1
    for number in (1, 2):
        one[1, 1:4, 1:4] = one[1, 4:8, 4:8] = 1
        one[1, 4:8, 4:8] = number
        assert cut(one, instances=True, overwrite=True).binary == (number == 1)
    assert not cut(np.zeros_like(one), instances=True, overwrite=True).binary
    assert cut(IDS, border=1, overwrite=True).binary is False
