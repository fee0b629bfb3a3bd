"""Masks whose values are objects: each object of the JSON has exactly its pixels."""

from __future__ import annotations

import json
import shlex
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from segdata.coco.rle import decode_rle, to_rle
from segdata.errors import Fault, FaultsError, InvalidInputError, OptionError, TargetExistsError
from segdata.inspect.check import check
from segdata.labels.classes import read_class_names
from segdata.labels.colormap import VOC_CLASSES, voc_palette
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.sources.instance_masks.convert import masks_to_coco
from segdata.sources.instance_masks.meaning import CITYSCAPES
from segdata.sources.instance_masks.values import read_values
from segdata.sources.mask_map import mask_map
from segdata.sources.tif.slice import tif_slice

SHAPE = (30, 40)


def ids(*values: int, dtype: Any = np.uint16) -> np.ndarray:
    """Return a mask with a rectangle, a ring, an L and a pixel, with these values."""
    mask = np.zeros(SHAPE, np.int64)
    places = (
        (slice(2, 8), slice(3, 13)),
        (slice(10, 20), slice(5, 20)),
        (slice(22, 28), slice(25, 35)),
        (slice(29, 30), slice(0, 1)),
    )
    for value, place in zip(values, places, strict=False):
        mask[place] = value
    mask[13:16, 9:14] = 0
    mask[22:25, 30:35] = 0
    return mask.astype(dtype)


Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Return a function that writes a photo to ``images`` and its mask to ``masks``."""

    def save(mask: np.ndarray, name: str = "a.png", folder: str = "masks", image: str | None = None) -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, mask)
        elif path.suffix in (".tif", ".tiff"):
            tifffile.imwrite(path, mask)
        else:
            Image.fromarray(mask).save(path)
        photo = tmp_path / "images" / (image or f"{Path(name).with_suffix('')}.jpg")
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SHAPE[1], SHAPE[0]), (80, 80, 80)).save(photo)
        return path

    return save


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., tuple[list[dict[str, Any]], Any]]:
    """Return a function that converts ``masks``; it returns the annotations and the report."""

    def convert(masks: Any = None, **options: Any) -> tuple[list[dict[str, Any]], Any]:
        target = tmp_path / "o.json"
        report = masks_to_coco(masks or tmp_path / "masks", tmp_path / "images", target, overwrite=True, **options)
        members = json.loads(target.read_text())
        names = {item["id"]: item["name"] for item in members["categories"]}
        files = {item["id"]: item["file_name"] for item in members["images"]}
        found = [
            {**item, "name": names[item["category_id"]], "file": files[item["image_id"]]}
            for item in members["annotations"]
        ]
        return found, report

    return convert


def faults_of(convert: Any, *arguments: Any, **options: Any) -> list[Fault]:
    with pytest.raises(FaultsError) as caught:
        convert(*arguments, **options)
    return list(caught.value.faults)


def pixels(annotation: dict[str, Any]) -> np.ndarray:
    return decode_rle(to_rle(annotation["segmentation"], *SHAPE)) > 0


@pytest.mark.parametrize(
    ("name", "dtype", "values"),
    [
        ("a.png", np.uint8, (1, 2, 255, 7)),
        ("a.png", np.uint16, (1, 300, 65535, 7)),
        ("a.tif", np.uint16, (1, 300, 65535, 7)),
        ("a.tif", np.uint32, (1, 300, 70000, 7)),
        ("a.tiff", np.float32, (1, 300, 70000, 7)),
        ("a.npy", np.int32, (5, 300, 70000, 7)),
        ("a.npy", np.int64, (5, 300, 1 << 40, 7)),
    ],
)
def test_each_value_is_an_object(save: Save, convert: Any, name: str, dtype: Any, values: tuple[int, ...]) -> None:
    mask = ids(*values, dtype=dtype)
    save(mask, name)
    found, report = convert()
    assert report.objects == {"object": 4}
    for value, annotation in zip(sorted(values), found, strict=True):
        inside = mask == value
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        assert np.array_equal(pixels(annotation), inside)
        assert annotation["area"] == inside.sum()
        assert annotation["bbox"] == [
            columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1,
        ]  # fmt: skip


def test_parts_of_one_value_are_one_object(save: Save, convert: Any) -> None:
    save(ids(4, 9, 4))
    found, _ = convert(class_name="nucleus")
    assert [(item["name"], item["area"]) for item in found] == [("nucleus", 60 + 45), ("nucleus", 135)]


def test_more_than_255_objects(save: Save, convert: Any) -> None:
    mask = np.arange(SHAPE[0] * SHAPE[1], dtype=np.uint16).reshape(SHAPE)
    save(mask)
    found, report = convert()
    assert report.objects == {"object": mask.size - 1}
    assert {item["area"] for item in found} == {1}


def test_polygons_are_exactly_the_mask_and_rings_stay_rle(save: Save, convert: Any) -> None:
    mask = ids(1, 2, 3, 4)
    save(mask)
    found, report = convert(polygons=True)
    assert [isinstance(item["segmentation"], list) for item in found] == [True, False, True, True]
    for value, annotation in enumerate(found, start=1):
        assert np.array_equal(pixels(annotation), mask == value)
    assert report.found == {"objects with holes, kept as RLE": 1}


def test_random_masks_keep_every_pixel(save: Save, convert: Any) -> None:
    random = np.random.default_rng(3)
    mask = np.kron(random.integers(0, 4, (10, 10)), np.ones((3, 4))).astype(np.uint8)
    save(mask)
    classes = ("ground", "a", "b", "c")
    for polygons in (False, True):
        found, _ = convert(kind="components", class_names=classes, polygons=polygons)
        painted = np.zeros(SHAPE, np.uint8)
        for annotation in found:
            assert not painted[pixels(annotation)].any()
            painted[pixels(annotation)] = classes.index(annotation["name"])
        assert np.array_equal(painted, mask)


def test_small_objects_are_left_out_and_counted(save: Save, convert: Any) -> None:
    save(ids(1, 2, 3, 4))
    found, report = convert(min_area=46)
    assert (len(found), report.left_out) == (2, {"objects smaller than --min_area": 2})


def test_components_are_the_connected_parts_of_a_class(save: Save, convert: Any) -> None:
    mask = ids(1, 2, 1, 255, dtype=np.uint8)
    mask[8, 13] = 1
    save(mask)
    found, report = convert(kind="components", class_names=("background", "cell", "ring", "rare"))
    assert [(item["name"], item["area"]) for item in found] == [("cell", 61), ("cell", 45), ("ring", 135)]
    assert (report.objects, report.left_out) == ({"cell": 2, "ring": 1, "rare": 0}, {"void pixels": 1})
    (fault,) = faults_of(convert, kind="components", class_names=("background", "cell"))
    assert "has class 2; expected 0 to 1 or 255" in str(fault)


@pytest.mark.parametrize("components", [True, False])
@pytest.mark.parametrize("background", ["background", "_background_", "Background"])
def test_a_class_never_takes_the_place_of_the_background(
    save: Save, convert: Any, tmp_path: Path, components: bool, background: str
) -> None:
    # CVAT's labelmap.txt has its labels in any order: car is 0 in the masks that voc-decolor makes with it.
    save(ids(1, 2))
    save(ids(1, 2), folder="classes")
    options: dict[str, Any] = {"kind": "components"} if components else {"class_masks": tmp_path / "classes"}
    with pytest.raises(OptionError, match=f"'{background}' is class 1; expected class 0"):
        convert(class_names=("car", background, "road"), **options)
    found, _ = convert(class_names=(background, "car", "road"), **options)
    assert [item["name"] for item in found] == ["car", "road"]


def test_a_class_0_that_is_not_called_background_is_counted(save: Save, convert: Any) -> None:
    _, report = convert(save(ids(1, 2)), kind="components", class_names=("sky", "road", "car"))
    count = int((ids(1, 2) == 0).sum())
    assert report.left_out["pixels of class 0 (sky)"] == count
    _, report = convert(kind="components", class_names=("background", "road", "car"))
    assert not any(what.startswith("pixels of class 0") for what in report.left_out)


@pytest.mark.parametrize("components", [True, False])
def test_assumed_class_names_are_told(save: Save, convert: Any, tmp_path: Path, components: bool) -> None:
    save(ids(1, 2))
    save(ids(1, 2), folder="classes")
    options: dict[str, Any] = {"kind": "components"} if components else {"class_masks": tmp_path / "classes"}
    told = "objects with VOC's class names, because --class_names is not given"
    assert convert(**options)[1].found == {told: 2}
    assert convert(class_names=("background", "cell", "nucleus"), **options)[1].found == {}
    assert convert()[1].found == {}


def test_the_folder_of_a_mask_is_its_category(save: Save, convert: Any) -> None:
    save(ids(1), "nucleus/a.png", image="a.jpg")
    save(ids(0, 3, 4), "cell/a.png", image="a.jpg")
    save(ids(0), "cell/b.png", image="b.jpg")
    found, report = convert(class_folders=True)
    assert [(item["file"], item["name"]) for item in found] == [
        ("a.jpg", "cell"), ("a.jpg", "cell"), ("a.jpg", "nucleus"),
    ]  # fmt: skip
    assert (report.samples, report.without_objects) == (2, 1)


def palette(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette(voc_palette().tobytes())
    image.save(path)


def test_voc_objects_get_their_class_and_void_belongs_to_none(save: Save, convert: Any, tmp_path: Path) -> None:
    objects, classes = ids(1, 2, 3, 255), ids(15, 15, 3, 255)
    classes[10, 5:20] = objects[10, 5:20] = 255
    palette(save(ids(0)), objects)
    palette(tmp_path / "classes" / "a.png", classes)
    found, report = convert(class_masks=tmp_path / "classes")
    assert [(item["name"], item["category_id"]) for item in found] == [("person", 15), ("person", 15), ("bird", 3)]
    assert all(np.array_equal(pixels(item), objects == value) for value, item in enumerate(found, start=1))
    assert report.left_out == {"void pixels": 16}
    classes[4, 4] = 7
    palette(tmp_path / "classes" / "a.png", classes)
    (fault,) = faults_of(convert, class_masks=tmp_path / "classes")
    assert "object 1 has class 7, 15; expected one of 1 to 20" in str(fault)
    (tmp_path / "classes" / "a.png").unlink()
    (fault,) = faults_of(convert, class_masks=tmp_path / "classes")
    assert "has no mask of classes" in str(fault)


def test_colors_are_objects_beside_masks_of_classes(save: Save, convert: Any, tmp_path: Path) -> None:
    # CVAT and Datumaro write SegmentationObject as RGB; class masks that are still colors are refused.
    objects, classes = ids(1, 2, 300, 255), ids(15, 15, 3, 255, dtype=np.uint8)
    colors = np.concatenate([voc_palette(), [[0, 0, 1], *[[9, 9, 9]] * 44]]).astype(np.uint8)[objects]
    save(colors)
    palette(tmp_path / "classes" / "a.png", classes)
    found, report = convert(class_masks=tmp_path / "classes")
    drawn = {(item["name"], pixels(item).tobytes()) for item in found}
    assert drawn == {(name, (objects == id_).tobytes()) for name, id_ in (("person", 1), ("person", 2), ("bird", 300))}
    assert report.left_out == {"void pixels": 1}
    (fault,) = faults_of(convert)
    assert "expected one id in each pixel" in str(fault)
    Image.fromarray(voc_palette()[classes]).save(tmp_path / "classes" / "a.png")
    (fault,) = faults_of(convert, class_masks=tmp_path / "classes")
    assert "Convert class colors with segdata voc-decolor" in str(fault)


def test_a_part_of_an_object_whose_class_is_void_belongs_to_none(save: Save, convert: Any, tmp_path: Path) -> None:
    objects, classes = ids(1, 2, 3, dtype=np.uint8), ids(15, 255, 3, dtype=np.uint8)
    classes[2, 3:13] = 255
    palette(save(ids(0)), objects)
    palette(tmp_path / "classes" / "a.png", classes)
    found, report = convert(class_masks=tmp_path / "classes")
    expected = [(objects == value) & (classes != 255) for value in (1, 3)]
    assert [item["name"] for item in found] == ["person", "bird"]
    assert all(np.array_equal(pixels(item), mask) for item, mask in zip(found, expected, strict=True))
    assert report.left_out == {"void pixels": 10 + int((objects == 2).sum())}


def test_255_is_an_object_among_higher_numbers(save: Save, convert: Any, tmp_path: Path) -> None:
    objects = ids(254, 255, 256)
    save(objects)
    palette(tmp_path / "classes" / "a.png", ids(15, 15, 3, dtype=np.uint8))
    found, report = convert(class_masks=tmp_path / "classes")
    assert all(np.array_equal(pixels(item), objects == 254 + n) for n, item in enumerate(found))
    assert (report.objects["person"], report.objects["bird"], +Counter(report.left_out)) == (2, 1, {})


def test_masks_of_0_and_255_are_never_taken_for_masks_without_objects(save: Save, convert: Any) -> None:
    save(ids(255, 255, 255, dtype=np.uint8))
    with pytest.raises(InvalidInputError, match="masks contain only 0 and 255") as caught:
        convert(kind="components")
    assert caught.value.code == "binary_mask"
    found, report = convert()
    assert len(found) == 1
    (counted,) = report.found.items()
    assert counted[0].startswith("masks of only 0 and 255, one object each") and counted[1] == 1


def test_objects_that_are_probably_vocs_void_border_are_counted(save: Save, convert: Any, tmp_path: Path) -> None:
    save(ids(1, 2, 255, dtype=np.uint8))
    found, report = convert(class_name="thing")
    assert len(found) == 3
    (counted,) = report.found.items()
    assert counted[0].startswith("objects of value 255") and counted[1] == 1
    palette(tmp_path / "classes" / "a.png", ids(15, 15, 255, dtype=np.uint8))
    found, report = convert(class_masks=tmp_path / "classes", class_names=VOC_CLASSES)
    assert (len(found), +Counter(report.found)) == (2, {})


@pytest.mark.parametrize("values", [(1, 254, 255), (1, 255, 256)])
def test_255_among_its_neighbors_is_an_object(save: Save, convert: Any, values: tuple[int, int, int]) -> None:
    save(ids(*values))
    found, report = convert()
    assert (len(found), +Counter(report.found)) == (3, {})


def test_a_folder_of_jpeg_masks_names_the_way_through_mask_map(save: Save, convert: Any, tmp_path: Path) -> None:
    save(np.kron(ids(255, 255), np.ones((8, 8))).astype(np.uint8), name="a.jpg")
    with pytest.raises(InvalidInputError, match="--threshold 128 --dst_path NEW") as error:
        convert()
    masks = Path(shlex.split(str(error.value).partition("segdata mask-map ")[2])[0])
    new = tmp_path / "NEW"
    mask_map(masks, new, threshold=128)
    photo = Image.open(masks / "a.jpg").size
    Image.new("RGB", photo).save(tmp_path / "images" / "a.jpg")
    found, _ = convert(new, kind="components", class_names=read_class_names(new / "classes.txt"))
    assert [item["name"] for item in found] == ["foreground", "foreground"]


def test_masks_in_a_folder_for_each_class_name_the_option_for_them(save: Save, convert: Any) -> None:
    save(ids(1), name="cat/a.png", image="a.jpg")
    save(ids(0, 2), name="dog/a.png", image="a.jpg")
    with pytest.raises(FaultsError, match="If the folder is the class of the objects, use --class-folders"):
        convert()
    assert [item["name"] for item in convert(class_folders=True)[0]] == ["cat", "dog"]


def test_turned_images_are_counted(save: Save, convert: Any, tmp_path: Path) -> None:
    save(ids(1, 2))
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (SHAPE[1], SHAPE[0])).save(tmp_path / "images" / "a.jpg", exif=exif)
    assert convert()[1].found["images rotated by EXIF"] == 1


def test_cityscapes(save: Save, convert: Any) -> None:
    name = "train/jena/jena_0_gtFine_instanceIds.png"
    save(ids(26001, 26002, 24, 7), name, image="train/jena/jena_0_leftImg8bit.png")
    save(
        ids(7, dtype=np.uint8), "train/jena/jena_0_gtFine_labelTrainIds.png", image="train/jena/jena_1_leftImg8bit.png"
    )
    found, report = convert(kind="cityscapes")
    assert [(item["name"], item["iscrowd"]) for item in found] == [("person", 1), ("car", 0), ("car", 0)]
    assert list(report.objects) == list(CITYSCAPES.values())
    found, report = convert(kind="cityscapes", crowd="object")
    assert ([(item["name"], item["iscrowd"]) for item in found], report.crowds) == (
        [("person", 0), ("car", 0), ("car", 0)],
        0,
    )
    assert report.left_out == {"images without a mask": 1, "masks not named *_gtFine_instanceIds": 1}
    save(ids(7001), name, image="train/jena/jena_0_leftImg8bit.png")
    (fault,) = faults_of(convert, kind="cityscapes")
    assert "has value 7001, an object of class 7; expected 24 to 33" in str(fault)


def test_suffixes_in_one_folder(save: Save, convert: Any, tmp_path: Path) -> None:
    save(ids(1), "a_masks.png", folder="images", image="a_img.png")
    found, report = convert(tmp_path / "images", mask_suffix="_masks", image_suffix="_img")
    assert [item["file"] for item in found] == ["a_img.png"]
    assert report.left_out == {"masks not named *_masks": 1}


def test_prefixes_and_suffixes_are_removed_in_any_case(save: Save, convert: Any) -> None:
    # Cell Tracking Challenge: 01/t000.tif and 01_GT/SEG/man_seg000.tif.
    save(ids(7), "man_seg000.tif", image="t000.tif")
    save(ids(8), "MAN_SEG001.tif", image="T001.tif")
    save(ids(9), "man_track002.tif", image="t002.tif")
    found, report = convert(mask_prefix="man_seg", image_prefix="t")
    assert [item["file"] for item in found] == ["T001.tif", "t000.tif"]
    assert report.left_out == {"images without a mask": 1, "masks not named man_seg*": 1}
    with pytest.raises(InvalidInputError, match=r"contains no masks; expected files such as xNAME_y\.png"):
        convert(mask_prefix="x", mask_suffix="_y")


@pytest.mark.parametrize("layout", ["set/{0}/masks/{1}.png", "set/masks/{0}/{1}.png", "set/{0}/{1}.png"])
def test_each_mask_in_the_folder_of_an_image_is_one_object(tmp_path: Path, layout: str) -> None:
    # DSB 2018: stage1_train/ID/images/ID.png and stage1_train/ID/masks/*.png, which overlap now and then.
    expected: dict[str, list[bytes]] = {}
    rng = np.random.default_rng(3)
    for name, count in (("7b", 3), ("a.1", 1)):
        image = tmp_path / layout.format(name, name).replace("masks", "images")
        for number in range(count):
            mask = tmp_path / layout.format(name, f"{number:x}")
            mask.parent.mkdir(parents=True, exist_ok=True)
            filled = np.zeros(SHAPE, bool)
            x, y = rng.integers(0, 20, 2)
            filled[y : y + 9, x : x + 12] = True
            Image.fromarray((filled * 255).astype(np.uint8)).save(mask)
            expected.setdefault(image.relative_to(tmp_path).as_posix(), []).append(filled.tobytes())
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SHAPE[1], SHAPE[0])).save(image)
    target = tmp_path / "o.json"
    report = masks_to_coco(tmp_path / "set", tmp_path / "set", target, kind="folders", class_name="nucleus")
    members = json.loads(target.read_text())
    root = Path(report.root).relative_to(tmp_path)
    files = {item["id"]: (root / item["file_name"]).as_posix() for item in members["images"]}
    found: dict[str, list[bytes]] = {}
    for item in members["annotations"]:
        found.setdefault(files[item["image_id"]], []).append(pixels(item).tobytes())
    assert found == expected
    assert (report.objects, report.left_out) == ({"nucleus": 4}, {})
    folders = sorted({path.parent for path in (tmp_path / "set").rglob("*.png") if path.stem not in ("7b", "a.1")})
    again = masks_to_coco(folders, tmp_path / "set", tmp_path / "p.json", kind="folders", class_name="nucleus")
    assert again.objects == report.objects and (tmp_path / "p.json").read_bytes() == target.read_bytes()


def test_a_folder_of_masks_without_its_image_is_named(save: Save, convert: Any) -> None:
    save(ids(1), "a/1.png", image="a.jpg")
    save(ids(1), "b/1.png", image="c.jpg")
    (fault,) = faults_of(convert, kind="folders")
    assert str(fault).endswith("images; expected one named b") and fault.where.endswith("b/1.png")


def test_single_files(save: Save, convert: Any) -> None:
    paths = [save(ids(1)), save(ids(1), "b.tif")]
    save(ids(1), "c.tif")
    found, report = convert(paths)
    assert [item["file"] for item in found] == ["a.jpg", "b.jpg"]
    assert report.left_out == {"images without a mask": 1}


def rgb(path: Path) -> None:
    Image.new("RGB", (SHAPE[1], SHAPE[0]), (1, 2, 3)).save(path)


def jpeg_named_png(path: Path) -> None:
    Image.new("L", (SHAPE[1], SHAPE[0])).save(path, "JPEG")


def stack(path: Path) -> None:
    tifffile.imwrite(path, np.ones((3, *SHAPE), np.uint16), photometric="minisblack")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", rgb, "COCO's panoptic PNGs (red + 256 green + 65536 blue) with panoptic2detection"),
        ("a.png", jpeg_named_png, "not a PNG, TIFF or NPY file"),
        ("a.png", lambda path: path.write_bytes(b""), "is empty"),
        ("a.png", lambda path: path.write_bytes(path.read_bytes()[:60]), "not a readable image"),
        ("a.tif", stack, "contains 3 pages; expected one for each image. Slice it with segdata tif-slice --images"),
        (
            "a.tif",
            lambda path: tifffile.imwrite(path, ids(1, 2).astype(np.uint8), compression="jpeg"),
            "ids changed by",
        ),
        ("a.tif", lambda path: tifffile.imwrite(path, ids(1, 2).astype(np.int16) - 5), "has values from -5 to -3"),
        ("a.tif", lambda path: tifffile.imwrite(path, ids(1).astype(np.float32) / 2), "expected integers"),
        ("a.npy", lambda path: np.save(path, np.ones((3, *SHAPE), int)), "expected height and width"),
        ("a.npy", lambda path: np.save(path, np.array({"masks": 1}), allow_pickle=True), "in Cellpose as PNG"),
        ("a.png", lambda path: Image.fromarray(ids(1)[:-1]).save(path), "40 x 29 pixels, but its image has 40 x 30"),
    ],
)
def test_a_file_that_is_not_a_mask_is_refused_or_left_out(
    save: Save, convert: Any, name: str, content: Callable[[Path], object], words: str
) -> None:
    path = save(ids(1, 2), name)
    content(path)
    save(ids(1, 2), "good.png")
    (fault,) = faults_of(convert)
    assert fault.where == str(path) and words in fault.what
    found, report = convert(on_error="skip")
    assert ({item["file"] for item in found}, report.images_left_out) == ({"good.jpg"}, 1)


def png_of_few_bits(bits: int, color_type: int, values: list[int]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = int("".join(f"{value:0{bits}b}" for value in values), 2).to_bytes(bits, "big")
    header = struct.pack(">IIBBBBB", 8, 1, bits, color_type, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(range(3 * 2**bits))) if color_type == 3 else b""
    chunks = chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("color_type", [0, 3])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_keep_their_values(tmp_path: Path, bits: int, color_type: int) -> None:
    values = [0, 1, 2**bits - 1, 0, 0, 1, 0, 0]
    (tmp_path / "a.png").write_bytes(png_of_few_bits(bits, color_type, values))
    assert read_values(tmp_path / "a.png").tolist() == [values]


def test_masks_and_images_that_do_not_pair(save: Save, convert: Any, tmp_path: Path) -> None:
    save(ids(1))
    save(ids(1), "b.png")
    (tmp_path / "images" / "a.jpg").unlink()
    Image.new("RGB", (SHAPE[1], SHAPE[0])).save(tmp_path / "images" / "b.png")
    assert [fault.code for fault in faults_of(convert)] == ["missing_image", "duplicate_image"]
    save(ids(1))
    (tmp_path / "images" / "b.png").unlink()
    save(ids(1), "a.tif")
    (fault,) = faults_of(convert)
    assert "has several masks" in str(fault)
    with pytest.raises(InvalidInputError, match="contains no masks"):
        convert(mask_suffix="_masks")


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "components", "class_name": "x"},
        {"kind": "folders", "class_folders": True},
        {"kind": "cityscapes", "class_folders": True},
        {"crowd": "object"},
        {"class_folders": True, "class_name": "x"},
        {"class_names": ("ground", "x")},
        {"kind": "cityscapes", "class_names": ("ground", "x")},
    ],
)
def test_options_without_an_effect_are_refused(save: Save, convert: Any, options: dict[str, Any]) -> None:
    save(ids(1))
    with pytest.raises(OptionError):
        convert(**options)


def test_nothing_of_the_user_is_replaced(save: Save, tmp_path: Path) -> None:
    path = save(ids(1))
    (tmp_path / "o.json").write_text("mine")
    with pytest.raises(TargetExistsError):
        masks_to_coco(path.parent, tmp_path / "images", tmp_path / "o.json")
    with pytest.raises(TargetExistsError, match="is not a COCO JSON, so it is not replaced"):
        masks_to_coco([path], tmp_path / "images", path, overwrite=True)
    report = masks_to_coco(path.parent, tmp_path / "images", tmp_path / "dry.json", dry_run=True)
    assert (report.written, (tmp_path / "dry.json").exists()) == (False, False)


def test_the_number_of_workers_changes_nothing(save: Save, convert: Any, tmp_path: Path) -> None:
    for number in range(6):
        save(ids(number + 1, 300), f"{number}.png")
    first = [convert(workers=workers) and (tmp_path / "o.json").read_bytes() for workers in (1, 4)]
    assert first[0] == first[1]


@pytest.mark.parametrize("polygons", [False, True])
def test_the_result_is_clean_and_becomes_records(save: Save, convert: Any, tmp_path: Path, polygons: bool) -> None:
    save(ids(1, 2, 3, 4))
    save(ids(1, 2), "b.png")
    _, report = convert(polygons=polygons)
    dataset = open_dataset(tmp_path / "o.json", images=Path(report.root))
    assert check(dataset).findings == ()
    assert to_mindrecord(dataset, tmp_path / "records", num_shards=1).rows == 2


def test_a_stack_of_ids_goes_through_tif_slice(convert: Any, tmp_path: Path) -> None:
    labels = np.arange(1, 301, dtype=np.uint16).reshape(3, 10, 10)
    for folder, array in (("photos", np.zeros((3, 10, 10), np.uint8)), ("ids", labels)):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "s.tif", array, photometric="minisblack")
        tif_slice(tmp_path / folder / "s.tif", dst_path=tmp_path / f"{folder}-slices")
    report = masks_to_coco(
        tmp_path / "ids-slices" / "images", tmp_path / "photos-slices" / "images", tmp_path / "o.json"
    )
    assert (report.samples, report.objects) == (3, {"object": 300})


def test_labelmes_own_masks(real_data: Path, convert: Any, tmp_path: Path) -> None:
    root = real_data / "exports" / "labelme"
    voc = root / "data_dataset_voc"
    report = masks_to_coco(
        voc / "SegmentationObject", root / "data_annotated", tmp_path / "o.json", class_masks=voc / "SegmentationClass"
    )
    assert {name: count for name, count in report.objects.items() if count} == {
        "bottle": 1, "bus": 2, "car": 1, "chair": 1, "person": 6, "sofa": 1,
    }  # fmt: skip


def test_real_voc_masks_and_cityscapes(real_data: Path, tmp_path: Path) -> None:
    root = real_data / "voc2012" / "VOCdevkit" / "VOC2012"
    files = sorted((root / "SegmentationClass").glob("*.png"))[:10]
    report = masks_to_coco(files, root / "JPEGImages", tmp_path / "voc.json", kind="components", min_area=50)
    assert report.samples == 10 and sum(report.objects.values()) >= 10
    found = check(open_dataset(tmp_path / "voc.json", images=root / "JPEGImages")).findings
    assert {finding.severity for finding in found} <= {"warning"}
    city = real_data / "exports" / "cityscapes_dataset" / "dataset"
    report = masks_to_coco(city / "gtFine", city / "leftImg8bit", tmp_path / "city.json", kind="cityscapes")
    assert (report.samples, report.crowds) == (4, 3)


def test_names_with_a_backslash_are_refused_since_a_json_reads_it_as_a_slash(save: Save, convert: Any) -> None:
    save(ids(1), "a\\b.png")
    with pytest.raises(FaultsError, match=r"file names contain a backslash, .* Rename them") as caught:
        convert()
    assert [str(fault) for fault in caught.value.faults] == [repr("a\\b.jpg")]
