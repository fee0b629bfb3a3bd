"""labelme: what its JSON files mean, compared with labelme's own drawing, done again with Pillow."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from segdata.coco.rle import decode_rle, to_rle
from segdata.errors import Fault, FaultsError, InvalidInputError, TargetExistsError
from segdata.inspect.check import check
from segdata.labels.classes import read_class_names
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.sources.coco_export import AnnotationsReport
from segdata.sources.labelme.convert import labelme

WIDTH, HEIGHT = 60, 40
SQUARE = [[5, 5], [15, 5], [15, 15], [5, 15]]

Shape = dict[str, Any]
Write = Callable[..., Path]


def shape(
    label: str = "cat", points: Sequence[Sequence[float]] = SQUARE, kind: str | None = "polygon", **more: Any
) -> Shape:
    return {"label": label, "points": points, "shape_type": kind, "flags": {}, "group_id": None, **more}


def photo(path: Path, width: int = WIDTH, height: int = HEIGHT, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (90, 120, 60)).save(path, **options)
    return path


def encoded(array: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a photo and its JSON to ``export``."""

    def write(*shapes: Shape, name: str = "a", image: bool = True, **members: Any) -> Path:
        if image:
            photo(tmp_path / "export" / f"{name}.jpg")
        document = {
            "version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": f"{name}.jpg", "imageData": None,
            "imageHeight": HEIGHT, "imageWidth": WIDTH,
        }  # fmt: skip
        path = tmp_path / "export" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**document, **members}))
        return path

    return write


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], AnnotationsReport]]:
    """Return a function that converts ``export`` and returns the JSON with the report."""

    def convert(**options: Any) -> tuple[dict[str, Any], AnnotationsReport]:
        report = labelme(tmp_path / "export", tmp_path / "out" / "instances.json", overwrite=True, **options)
        return json.loads((tmp_path / "out" / "instances.json").read_text()), report

    return convert


def refused(convert: Any, **options: Any) -> list[Fault]:
    with pytest.raises(FaultsError) as caught:
        convert(**options)
    return list(caught.value.faults)


def pixels(annotation: dict[str, Any]) -> np.ndarray:
    return decode_rle(to_rle(annotation["segmentation"], HEIGHT, WIDTH)).astype(bool)


def drawn(kind: str, points: Any, line_width: int = 10) -> np.ndarray:
    """Draw as ``shape_to_mask`` of labelme does."""
    image = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    xy = [tuple(point) for point in points]
    if kind == "circle":
        (x, y), edge = xy
        radius = math.dist((x, y), edge)
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=1, fill=1)
    elif kind == "rectangle":
        draw.rectangle(xy, outline=1, fill=1)
    elif kind in ("line", "linestrip"):
        draw.line(xy, fill=1, width=line_width)
    else:
        draw.polygon(xy, outline=1, fill=1)
    return np.asarray(image) > 0


def grown(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def test_polygons_and_rectangles_stay_polygons(write: Write, convert: Any) -> None:
    write(shape(), shape("dog", [[50, 30], [40.5, 20.25]], "rectangle"))
    members, report = convert()
    assert members["images"] == [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}]
    cat, dog = members["annotations"]
    assert cat["segmentation"] == [[5, 5, 15, 5, 15, 15, 5, 15]]
    assert (cat["area"], cat["bbox"], cat["iscrowd"], cat["category_id"]) == (100, [5, 5, 10, 10], 0, 1)
    assert dog["segmentation"] == [[40.5, 20.25, 50, 20.25, 50, 30, 40.5, 30]]
    assert members["categories"] == [
        {"id": 1, "name": "cat", "supercategory": ""},
        {"id": 2, "name": "dog", "supercategory": ""},
    ]
    assert (report.samples, report.objects, report.faults) == (1, {"cat": 1, "dog": 1}, ())


def test_labelme_draws_the_outline_of_a_polygon_too(write: Write, convert: Any) -> None:
    points = [[8.3, 6.1], [31.7, 9.4], [24.2, 30.9]]
    write(shape(), shape("b", points))
    square, triangle = convert()[0]["annotations"]
    assert (pixels(square).sum(), drawn("polygon", SQUARE).sum()) == (100, 121)
    ours, theirs = pixels(triangle), drawn("polygon", points)
    assert not (ours & ~grown(theirs)).any() and not (theirs & ~grown(ours)).any()
    assert ours.sum() < theirs.sum()


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("circle", [[30, 20], [38, 20]]),
        ("circle", [[2, 3], [14, 3]]),
        ("line", [[5, 5], [40, 30]]),
        ("linestrip", [[5, 5], [40, 8], [20, 35]]),
    ],
)
def test_other_shapes_are_what_labelme_draws(write: Write, convert: Any, kind: str, points: Any) -> None:
    write(shape("x", points, kind))
    (annotation,) = convert(line_width=4)[0]["annotations"]
    assert np.array_equal(pixels(annotation), drawn(kind, points, 4))
    assert annotation["area"] == drawn(kind, points, 4).sum()


@pytest.mark.parametrize("dtype", [bool, np.uint8])
@pytest.mark.parametrize("corner", [(10, 12), (-3, 35), (55.4, -2.2)])
def test_a_mask_is_placed_at_its_box_and_cut_off_at_the_edge(
    write: Write, convert: Any, corner: tuple[float, float], dtype: type
) -> None:
    part = np.zeros((8, 9), dtype)
    part[1:, 2:] = 1
    x, y = corner
    write(shape("x", [[x, y], [x + 8, y + 7]], "mask", mask=encoded(part)))
    (annotation,) = convert()[0]["annotations"]
    large = np.zeros((HEIGHT + 40, WIDTH + 40), bool)
    left, top = round(x) + 20, round(y) + 20
    large[top : top + 8, left : left + 9] = part
    assert np.array_equal(pixels(annotation), large[20 : 20 + HEIGHT, 20 : 20 + WIDTH])


def test_a_group_is_one_object(write: Write, convert: Any) -> None:
    other = [[30, 20], [40, 20], [40, 30]]
    write(shape(group_id=1), shape("dog", group_id=1), shape(points=other, group_id=1), shape(points=other))
    cat, dog, single = convert()[0]["annotations"]
    assert (len(cat["segmentation"]), len(dog["segmentation"]), len(single["segmentation"])) == (2, 1, 1)
    assert cat["bbox"] == [5, 5, 35, 24]


def test_a_group_with_any_drawn_shape_is_drawn(write: Write, convert: Any) -> None:
    circle = [[40, 20], [46, 20]]
    write(shape(group_id=0), shape(points=circle, kind="circle", group_id=0))
    (annotation,) = convert()[0]["annotations"]
    assert np.array_equal(pixels(annotation), drawn("polygon", SQUARE) | drawn("circle", circle))


def test_categories_are_sorted_or_in_the_order_of_the_names(write: Write, convert: Any) -> None:
    write(shape("zebra"), shape("ant"), name="a")
    write(shape("bee"), name="b")
    assert [item["name"] for item in convert()[0]["categories"]] == ["ant", "bee", "zebra"]
    names = ("__ignore__", "_background_", "zebra", "yak", "bee", "ant")
    members, report = convert(class_names=names)
    assert [(item["id"], item["name"]) for item in members["categories"]] == [
        (1, "zebra"), (2, "yak"), (3, "bee"), (4, "ant"),
    ]  # fmt: skip
    assert report.objects == {"zebra": 1, "yak": 0, "bee": 1, "ant": 1}


def test_labels_that_are_probably_one_are_counted(write: Write, convert: Any) -> None:
    write(shape("Cat"), shape("cat "), shape("big  dog"), shape("big dog"), shape("cow"))
    _, report = convert()
    assert report.objects == {"Cat": 1, "big  dog": 1, "big dog": 1, "cat ": 1, "cow": 1}
    assert report.found == {
        "categories that differ only by case or blanks ('Cat', 'cat ')": 2,
        "categories that differ only by case or blanks ('big  dog', 'big dog')": 2,
    }


def test_regions_without_a_class_are_left_out_and_counted(write: Write, convert: Any) -> None:
    write(shape(), shape("__ignore__"), shape("_background_"), shape("unsure"))
    _, report = convert(ignore_labels=("unsure",))
    assert report.objects == {"cat": 1}
    assert report.left_out == {
        "shapes labeled __ignore__": 1, "shapes labeled _background_": 1, "shapes labeled unsure": 1,
    }  # fmt: skip


def test_an_unknown_label_names_near_ones(write: Write, convert: Any) -> None:
    write(shape("cta"))
    (fault,) = refused(convert, class_names=("cat", "dog"))
    assert str(fault).startswith("a.json: shape 1 (polygon, 'cta'): unknown label: did you mean cat?")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": SQUARE[:2]}, "has 2 points; expected 3 or more"),
        ({"points": []}, "has 0 points; expected 3 or more"),
        ({"points": [[70, 50], [80, 50], [80, 60]]}, "covers no pixel"),
        ({"points": [[0, 0], [1e6, 0], [0, 9]]}, "far outside the image"),
        ({"points": [[0, 0], [1e9, 0]], "shape_type": "circle"}, "far outside the image"),
        ({"points": SQUARE[:1], "shape_type": "point"}, "has no mask; expected polygon"),
        ({"points": SQUARE[:2], "shape_type": "line"}, "--line_width"),
        ({"points": SQUARE, "shape_type": "circle"}, "has 4 points; expected 2"),
        ({"points": SQUARE[:3], "shape_type": "rectangle"}, "has 3 points; expected 2 or 4"),
        ({"points": SQUARE[:2], "shape_type": "mask"}, "contains no mask"),
        ({"points": SQUARE[:2], "shape_type": "mask", "mask": "iVBOR"}, "mask is damaged"),
        ({"points": [[1, 1], [4, 4]], "shape_type": "mask", "mask": encoded(np.ones((9, 9), bool))}, "9 x 9 pixels"),
        (
            {"points": [[1, 1], [4, 4]], "shape_type": "mask", "mask": encoded(np.ones((4, 4, 3), np.uint8))},
            "expected gray",
        ),
    ],
)
def test_a_shape_without_a_mask_is_refused(write: Write, convert: Any, change: dict[str, Any], words: str) -> None:
    write(shape() | change)
    (fault,) = refused(convert)
    assert str(fault).startswith("a.json: shape 1 (") and words in str(fault)


def test_a_bad_shape_becomes_a_crowd_over_its_box(write: Write, convert: Any) -> None:
    write(shape(), shape("dog", [[20, 10], [29.5, 15]]), shape("dog", [[50, 30]], "point"))
    members, report = convert(on_error="skip")
    crowds = [item for item in members["annotations"] if item["iscrowd"]]
    assert [(item["bbox"], item["category_id"]) for item in crowds] == [([20, 10, 10, 5], 2), ([50, 30, 1, 1], 2)]
    assert isinstance(crowds[0]["segmentation"]["counts"], str)
    assert (report.crowds, report.objects, len(report.faults)) == (2, {"cat": 1, "dog": 0}, 2)


@pytest.mark.parametrize(
    ("kind", "points", "more"),
    [
        ("circle", [[20, 20], [30, 20]], {}),
        ("line", [[10, 10], [30, 20]], {}),
        ("linestrip", [[10, 10], [30, 20], [12, 31]], {}),
        ("mask", [[5, 6], [24, 25]], {"mask": encoded(np.ones((20, 20), bool))}),
        ("rectangle", [[24, 25], [5, 6]], {}),
        ("polygon", SQUARE, {}),
    ],
)
def test_the_crowd_covers_all_that_the_shape_would(
    write: Write, convert: Any, kind: str, points: Any, more: dict[str, Any]
) -> None:
    good = shape("dog", points, kind, group_id=1, **more)
    write(good)
    (whole,) = convert(line_width=6)[0]["annotations"]
    # A point makes the group a fault.
    write(good, shape("dog", points[:1], "point", group_id=1))
    (crowd,) = convert(line_width=6, on_error="skip")[0]["annotations"]
    object_, around = (decode_rle(to_rle(item["segmentation"], HEIGHT, WIDTH)) for item in (whole, crowd))
    assert crowd["iscrowd"] == 1 and not (object_ & ~around).any()


def test_the_crowd_of_a_circle_that_reaches_far_outside_covers_it(write: Write, convert: Any) -> None:
    write(shape(), shape("dog", [[30, 20], [1000, 20]], "circle"))
    crowd = convert(on_error="skip")[0]["annotations"][1]
    assert (crowd["iscrowd"], crowd["bbox"]) == (1, [0, 0, WIDTH, HEIGHT])


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"imageHeight": HEIGHT - 1}, f"{WIDTH} x {HEIGHT} pixels, but its JSON gives {WIDTH} x {HEIGHT - 1}"),
        ({"imagePath": "missing.jpg"}, "image 'missing.jpg' does not exist"),
        ({"shapes": [{"label": 3, "points": []}]}, "not a labelme file: Expected `str`"),
        ({"imagePath": "gone.jpg", "imageData": "%%%"}, "imageData is damaged"),
        ({"imagePath": "gone.jpg", "imageData": "aGVsbG8="}, "not a readable image"),
    ],
)
def test_a_file_with_a_fault_is_refused_or_left_out(
    write: Write, convert: Any, members: dict[str, Any], words: str
) -> None:
    write(shape(), name="good")
    write(shape(), name="bad", **members)
    (fault,) = refused(convert)
    assert str(fault).startswith("bad.json: ") and words in str(fault)
    found, report = convert(on_error="skip")
    assert [image["file_name"] for image in found["images"]] == ["good.jpg"]
    assert (report.images_left_out, len(report.faults)) == (1, 1)


def test_a_turned_image_is_refused(write: Write, convert: Any, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(tmp_path / "export" / "a.jpg", exif=exif)
    write(shape(), image=False, imageHeight=WIDTH, imageWidth=HEIGHT)
    (fault,) = refused(convert)
    assert (fault.code, "has EXIF orientation 6" in fault.what, "Save it upright" in fault.what) == (
        "rotated",
        True,
        True,
    )


def test_images_without_a_json_are_counted(write: Write, convert: Any, tmp_path: Path) -> None:
    write(shape(), name="a")
    write(shape(), name="b", imagePath="photos/b.jpg", image=False)
    write(shape(), name="c").write_text("{")
    photo(tmp_path / "export/photos/b.jpg")
    assert not convert(on_error="skip")[1].left_out
    for name in ("d.jpg", "a.png", ".hidden.jpg"):
        photo(tmp_path / "export" / name)
    document, report = convert(on_error="skip")
    assert report.left_out == {"images without a JSON": 2}
    assert [image["file_name"] for image in document["images"]] == ["a.jpg", "photos/b.jpg"]


def test_damaged_json_is_a_fault_and_json_of_others_is_counted(write: Write, convert: Any, tmp_path: Path) -> None:
    write(shape())
    (tmp_path / "export" / "other.json").write_text('{"images": []}')
    (tmp_path / "export" / "list.json").write_text("[1, 2]")
    assert convert()[1].left_out == {"other JSON files": 2}
    (tmp_path / "export" / "cut.json").write_text('{"shapes": [{"la')
    (fault,) = refused(convert)
    assert str(fault).startswith("cut.json: damaged JSON")


def test_a_folder_without_labelme_files_is_refused(tmp_path: Path, convert: Any) -> None:
    (tmp_path / "export").mkdir()
    with pytest.raises(InvalidInputError, match="contains no labelme files"):
        convert()


def test_an_oversized_embedded_image_is_not_decoded(
    write: Write, convert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segdata.sources.labelme.document._MAX_IMAGE_MB", 1)
    write(shape(), image=False, imagePath="gone.jpg", imageData="A" * (3 << 20))
    (fault,) = refused(convert)
    assert (fault.code, "imageData contains 2 MB; expected at most 1 MB" in fault.what) == ("too_large", True)


@pytest.mark.parametrize(
    ("place", "image_path"),
    [
        ("images/a.jpg", "..\\images\\a.jpg"),
        ("images/a.jpg", "../images/a.jpg"),
        ("Images/A.JPG", "..\\images\\a.jpg"),
        ("export/a.jpg", "C:\\Users\\me\\pictures\\a.jpg"),
        ("export/a.jpg", "/home/me/pictures/a.jpg"),
        ("export/A.jpg", "..\\gone\\a.JPG"),
        ("export/e\u0301.jpg", "\u00e9.jpg"),
    ],
)
def test_images_are_found(write: Write, convert: Any, tmp_path: Path, place: str, image_path: str) -> None:
    path = photo(tmp_path / place)
    write(shape(), image=False, imagePath=image_path)
    members, report = convert()
    assert (Path(report.root) / members["images"][0]["file_name"]).samefile(path)
    assert check(open_dataset(tmp_path / "out/instances.json", images=Path(report.root))).findings == ()


def test_an_absolute_path_is_used_where_it_exists(write: Write, convert: Any, tmp_path: Path) -> None:
    path = photo(tmp_path / "elsewhere" / "b.jpg")
    write(shape(), image=False, imagePath=str(path))
    assert convert()[1].root == str(path.parent)


def test_names_that_differ_only_by_case_are_refused(write: Write, convert: Any, tmp_path: Path) -> None:
    photo(tmp_path / "export" / "A.jpg")
    photo(tmp_path / "export" / "a.JPG")
    write(shape(), image=False)
    (fault,) = refused(convert)
    assert "is one of A.jpg, a.JPG" in str(fault)


def test_an_image_with_two_files_is_refused(write: Write, convert: Any) -> None:
    write(shape(), name="a")
    write(shape(), name="b", image=False, imagePath="a.jpg")
    (fault,) = refused(convert)
    assert fault.code == "duplicate_image" and "a.jpg" in fault.where


def test_a_renamed_file_whose_path_names_another_image_is_refused(write: Write, convert: Any) -> None:
    write(shape(), name="0")
    write(shape("dog"), name="1", imagePath="0.jpg")
    write(shape("dog"), name="2")
    faults = refused(convert)
    assert str(faults[0]).startswith("1.json: imagePath is '0.jpg', but '1.jpg' has the name of this file")
    document, _ = convert(on_error="skip")
    assert [image["file_name"] for image in document["images"]] == ["2.jpg"]
    write(shape("dog"), name="1", imagePath="1.jpg")
    document, _ = convert()
    names = {image["id"]: image["file_name"] for image in document["images"]}
    categories = {category["id"]: category["name"] for category in document["categories"]}
    assert {(names[one["image_id"]], categories[one["category_id"]]) for one in document["annotations"]} == {
        ("0.jpg", "cat"), ("1.jpg", "dog"), ("2.jpg", "dog"),
    }  # fmt: skip


def test_a_file_that_annotates_an_image_of_another_name_alone_is_taken(write: Write, convert: Any) -> None:
    write(shape(), name="b")
    write(shape(), name="a", image=False, imagePath="b.jpg").with_name("b.json").unlink()
    assert [image["file_name"] for image in convert()[0]["images"]] == ["b.jpg"]


def test_a_folder_of_labelme_xml_is_told_what_to_export(convert: Any, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "a.xml").write_text("<annotation></annotation>")
    with pytest.raises(InvalidInputError, match="XML of LabelMe is not read: export COCO"):
        convert()


def test_a_missing_image_names_the_one_beside_the_file(write: Write, convert: Any) -> None:
    path = write(shape(), name="new", imagePath="old.jpg")
    (fault,) = refused(convert)
    assert str(fault).endswith("If it is 'new.jpg' now, set imagePath to that.")
    path.write_text(path.read_text().replace("old.jpg", "new.jpg"))
    assert [image["file_name"] for image in convert()[0]["images"]] == ["new.jpg"]


@pytest.mark.parametrize(
    ("second", "images"),
    [
        ([shape("dog")], ["b.jpg"]),
        ([shape()], ["a.jpg", "b.jpg"]),
        ([shape(), shape(kind="points", points=[])], ["b.jpg"]),
    ],
    ids=["another object", "the same", "no place"],
)
def test_no_object_of_an_image_with_two_files_becomes_background(
    write: Write, convert: Any, second: list[Shape], images: list[str]
) -> None:
    write(shape(), name="a")
    write(*second, name="a2", image=False, imagePath="a.jpg")
    write(shape(), name="b")
    document, report = convert(on_error="skip")
    assert [image["file_name"] for image in document["images"]] == images
    assert len(document["annotations"]) == len(images) and report.images_left_out == 2 - len(images)
    assert "duplicate_image" in {fault.code for fault in report.faults}


def test_an_embedded_image_is_written_beside_the_json(write: Write, convert: Any, tmp_path: Path) -> None:
    data = photo(tmp_path / "photo.png").read_bytes()
    write(shape(), name="sub/a.b", image=False, imagePath="gone.jpg", imageData=base64.b64encode(data).decode())
    members, report = convert()
    assert report.root == str(tmp_path / "out" / "instances_images" / "sub")
    assert members["images"][0]["file_name"] == "a.b.png"
    assert (tmp_path / "out" / "instances_images" / "sub" / "a.b.png").read_bytes() == data
    assert report.found == {"images extracted from a JSON": 1}
    assert convert()[1].samples_by_file == report.samples_by_file


def test_a_folder_of_somebody_else_is_not_replaced(write: Write, convert: Any, tmp_path: Path) -> None:
    data = photo(tmp_path / "photo.png").read_bytes()
    write(shape(), image=False, imagePath="gone.jpg", imageData=base64.b64encode(data).decode())
    mine = photo(tmp_path / "out" / "instances_images" / "mine.jpg")
    with pytest.raises(TargetExistsError):
        convert()
    assert mine.is_file() and not (tmp_path / "out" / "instances.json").exists()


def test_an_input_is_not_replaced(write: Write, tmp_path: Path) -> None:
    path = write(shape())
    before = path.read_bytes()
    with pytest.raises(TargetExistsError, match="is not a COCO JSON, so it is not replaced"):
        labelme(tmp_path / "export", path, overwrite=True)
    with pytest.raises(TargetExistsError):
        labelme(tmp_path / "export", path)
    assert path.read_bytes() == before


def test_its_own_json_in_the_folder_does_not_count(write: Write, tmp_path: Path) -> None:
    write(shape())
    first = labelme(tmp_path / "export", tmp_path / "export" / "instances.json")
    assert labelme(tmp_path / "export", tmp_path / "export" / "instances.json", overwrite=True) == first


def test_files_of_version_3_and_flags(write: Write, convert: Any, tmp_path: Path) -> None:
    path = write(shape(flags={"occluded": True, "blurred": False}), flags={"night": True})
    old = {"version": "3.4.1", "shapes": [{"label": "cat", "points": SQUARE, "line_color": None}], "imagePath": "b.jpg"}
    photo(tmp_path / "export" / "b.jpg")
    path.with_name("b.json").write_text(json.dumps(old | {"imageData": None}))
    members, report = convert()
    assert len(members["annotations"]) == 2
    assert report.found == {"flag night, ignored": 1, "flag occluded, ignored": 1}


@pytest.mark.parametrize(("size", "usable"), [((WIDTH, HEIGHT), True), ((2 * WIDTH, 2 * HEIGHT), False), (None, True)])
def test_the_image_in_a_file_without_sizes_tells_the_size(
    write: Write, convert: Any, tmp_path: Path, size: tuple[int, int] | None, usable: bool
) -> None:
    inner = base64.b64encode(photo(tmp_path / "inner.jpg", *size).read_bytes()).decode() if size else "%%%"
    write(shape(), imageHeight=None, imageWidth=None, imageData=inner)
    if usable:
        assert len(convert()[0]["annotations"]) == 1
    else:
        (fault,) = refused(convert)
        assert str(fault) == "a.json: 60 x 40 pixels, but its JSON gives 120 x 80" and fault.code == "size_mismatch"


def test_an_oriented_rectangle_of_version_7(write: Write, convert: Any) -> None:
    points = [[20, 5], [30, 15], [20, 25], [10, 15]]
    write(shape("x", points, "oriented_rectangle"), version="7.0.0")
    assert convert()[0]["annotations"][0]["segmentation"] == [[20, 5, 30, 15, 20, 25, 10, 15]]


def test_a_dry_run_reports_the_same_and_writes_nothing(write: Write, tmp_path: Path) -> None:
    write(shape())
    report = labelme(tmp_path / "export", tmp_path / "o.json", dry_run=True)
    assert (report.objects, report.written, (tmp_path / "o.json").exists()) == ({"cat": 1}, False, False)


def test_the_number_of_workers_changes_nothing(write: Write, tmp_path: Path) -> None:
    for number in range(8):
        write(shape(f"label{number % 3}"), name=f"image{number}")
    for workers in (1, 4):
        labelme(tmp_path / "export", tmp_path / f"{workers}.json", workers=workers)
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "4.json").read_bytes()


def test_the_result_is_clean_and_becomes_records(write: Write, convert: Any, tmp_path: Path) -> None:
    write(shape(), shape("dog", [[30, 20], [38, 20]], "circle"))
    _, report = convert()
    dataset = open_dataset(tmp_path / "out/instances.json", images=Path(report.root))
    assert check(dataset).findings == ()
    assert to_mindrecord(dataset, tmp_path / "records", num_shards=1).rows == 1


def test_labelmes_own_example(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "exports" / "labelme"
    names = read_class_names(source / "labels.txt")
    report = labelme(source / "data_annotated", tmp_path / "o.json", class_names=names)
    assert (report.samples, sum(report.objects.values())) == (3, 12)
    assert report.left_out == {"shapes labeled __ignore__": 2}
    theirs = json.loads((source / "data_dataset_coco" / "annotations.json").read_text())
    ours = json.loads((tmp_path / "o.json").read_text())

    def summary(members: dict[str, Any]) -> list[tuple[str, int]]:
        stems = {image["id"]: Path(image["file_name"]).stem for image in members["images"]}
        return sorted((stems[item["image_id"]], item["category_id"]) for item in members["annotations"])

    assert summary(ours) == summary(theirs)
    assert check(open_dataset(tmp_path / "o.json", images=source / "data_annotated")).findings[1:] == ()


def test_every_primitive_of_labelme(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "exports" / "labelme" / "primitives"
    report = labelme(source, tmp_path / "o.json", line_width=10, on_error="skip")
    assert report.objects == {
        "circle": 1, "line": 1, "line_strip": 1, "octagon": 1, "point": 0, "polygon": 1, "rectangle": 2,
    }  # fmt: skip
    assert [fault.where for fault in report.faults] == ["primitives.json: shape 6 (point, 'point')"]
