from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from segdata.coco.rle import to_rle
from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.labels.classes import read_class_names
from segdata.labels.masks import decode_index_png
from segdata.lists import read_list
from segdata.miniature.coco import write_coco
from segdata.sources.coco.masks import coco_to_masks
from segdata.sources.coco.painting import paint

HEIGHT, WIDTH = 12, 16
CATEGORIES = [{"id": 30, "name": "cat"}, {"id": 2, "name": "dog"}]


def box(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def annotation(id_, category, segmentation, **more):
    return {"id": id_, "image_id": 1, "category_id": category, "segmentation": segmentation, **more}


class Source:
    """One image with the annotations of a test, in a folder of its own."""

    def __init__(self, root):
        self.root = root

    def write(self, *annotations, images=None, categories=CATEGORIES):
        images = images or [{"id": 1, "file_name": "train/a.jpg", "height": HEIGHT, "width": WIDTH}]
        members = {"images": images, "annotations": annotations, "categories": categories}
        (self.root / "coco.json").write_text(json.dumps(members))
        for image in images:
            path = self.root / "images" / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (WIDTH, HEIGHT)).save(path)
        return self

    def masks(self, out="out", **options):
        return coco_to_masks(self.root / "coco.json", self.root / "images", self.root / out, **options)

    def mask(self, name="train/a.png"):
        return decode_index_png((self.root / "out/masks" / name).read_bytes())


@pytest.fixture
def source(tmp_path):
    return Source(tmp_path)


def test_classes_follow_the_original_ids_and_the_rest_is_background(source):
    report = source.write(annotation(1, 30, box(0, 0, 4, 4)), annotation(2, 2, box(8, 0, 12, 4))).masks()
    mask = source.mask()
    assert mask.shape == (HEIGHT, WIDTH)
    assert (mask[:4, :4] == 2).all()
    assert (mask[:4, 8:12] == 1).all()
    assert np.count_nonzero(mask) == 32
    assert report.class_names == read_class_names(source.root / "out/classes.txt") == ("background", "dog", "cat")


def test_named_categories_are_the_classes_in_that_order_and_others_are_background(source):
    source.write(annotation(1, 30, box(0, 0, 4, 4)), annotation(2, 2, box(8, 0, 12, 4), iscrowd=1))
    report = source.masks(categories=["30"])
    assert np.unique(source.mask()).tolist() == [0, 1]
    assert report.class_names == ("background", "cat")
    assert report.left_out["other_category"] == 1
    report = source.masks(overwrite=True, categories=["cat", "dog"])
    assert report.class_names == ("background", "cat", "dog")


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_smaller_objects_stay_seen_on_larger_ones(source, order):
    shapes = {1: annotation(1, 30, box(0, 0, 8, 8)), 2: annotation(2, 2, box(2, 2, 5, 5))}
    source.write(*(shapes[number] for number in order)).masks()
    assert (source.mask()[2:5, 2:5] == 1).all()
    assert np.count_nonzero(source.mask() == 2) == 64 - 9


def test_of_equal_objects_the_later_is_seen(source):
    source.write(annotation(9, 2, box(0, 0, 4, 4)), annotation(1, 30, box(0, 0, 4, 4))).masks()
    assert (source.mask()[:4, :4] == 2).all()


def test_the_pixels_decide_what_is_smaller_not_the_area_that_is_said(source):
    source.write(annotation(1, 2, box(2, 2, 5, 5), area=1e6), annotation(2, 30, box(0, 0, 8, 8), area=0.5)).masks()
    assert (source.mask()[2:5, 2:5] == 1).all()


def test_crowds_are_ignore_where_no_object_is(source):
    runs = {"size": [HEIGHT, WIDTH], "counts": [0, 6 * HEIGHT, 10 * HEIGHT]}
    report = source.write(annotation(1, 2, box(2, 2, 5, 5)), annotation(2, 30, runs, iscrowd=1)).masks()
    mask = source.mask()
    assert (mask[2:5, 2:5] == 1).all()
    assert np.count_nonzero(mask == 255) == 6 * HEIGHT - 9
    assert report.crowds == 1


@given(st.permutations(range(5)))
def test_the_order_of_annotations_of_different_sizes_does_not_matter(order):
    shapes = [(to_rle(box(0, 0, 3 + 2 * size, 3 + size), HEIGHT, WIDTH), size + 1) for size in range(5)]
    expected = paint(shapes, HEIGHT, WIDTH)
    assert np.array_equal(paint([shapes[index] for index in order], HEIGHT, WIDTH), expected)
    assert set(np.unique(expected)) == {0, 1, 2, 3, 4, 5}


# Annotations with faults

#: One annotation for each way to be unusable, all of them with the box that `boxed` gives, and the sentence of each.
UNUSABLE = {
    "no polygon": (
        {"segmentation": []},
        "has a box but no mask; expected polygons or RLE in 'segmentation'",
    ),
    "a flat list": ({"segmentation": [5, 5, 9, 5, 9, 9]}, "segmentation is a list of 6 numbers"),
    "one part with two points": ({"segmentation": [*box(5, 5, 9, 9), [1, 1, 2, 2]]}, "polygon 2 has 2 points"),
    "runs of another size": ({"segmentation": {"size": [1, 1], "counts": [1]}}, "RLE has size [1, 1]"),
    "a mask outside the image": ({"segmentation": box(50, 50, 60, 60)}, "mask covers no pixels; expected at least 1"),
    "no mask": (
        {"segmentation": None},
        "has a box but no mask; expected polygons or RLE in 'segmentation'",
    ),
    "a category not in the file": ({"category_id": 99}, "refers to a category that the file does not contain"),
}


def boxed(id_=1, **more):
    """Return an annotation of 4 x 4 pixels at (5, 5) with its box; `more` makes it unusable."""
    return {**annotation(id_, 30, box(5, 5, 9, 9), bbox=[5, 5, 4, 4]), **more}


@pytest.mark.parametrize(("change", "sentence"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_annotation_with_a_fault_stops_the_conversion_and_is_named(source, change, sentence):
    source.write(annotation(1, 30, box(0, 0, 4, 4)), boxed(7, **change))
    with pytest.raises(FaultsError, match=r"1 fault; nothing was written\..* with --on-error skip") as e:
        source.masks()
    assert len(tuple(map(str, e.value.faults))) == 1
    assert str(e.value.faults[0]).startswith("annotation 7")
    assert sentence in str(e.value.faults[0])
    assert not (source.root / "out").exists()


@pytest.mark.parametrize(("change", "sentence"), UNUSABLE.values(), ids=UNUSABLE)
def test_the_box_of_an_annotation_with_a_fault_becomes_ignore_when_told(source, change, sentence):
    report = source.write(annotation(1, 30, box(0, 0, 4, 4)), boxed(7, **change)).masks(on_error="skip")
    mask = source.mask()
    assert (mask[5:9, 5:9] == 255).all()
    assert (mask[:4, :4] == 2).all()
    assert np.count_nonzero(mask) == 16 + 16
    assert (report.masks, report.annotations, report.ignored_boxes, tuple(map(str, report.without_mask))) == (
        1,
        1,
        1,
        (),
    )
    assert sentence in str(report.faults[0])
    assert sum(report.left_out.values()) == 1


def test_an_ignored_box_hides_whatever_else_is_in_it_since_nothing_says_what_is_in_front(source):
    small, large = annotation(2, 2, box(6, 6, 8, 8)), annotation(3, 2, box(0, 0, 16, 12))
    source.write(boxed(1, segmentation=[]), small, large).masks(on_error="skip")
    mask = source.mask()
    assert (mask[5:9, 5:9] == 255).all()
    assert np.count_nonzero(mask == 1) == HEIGHT * WIDTH - 16


def test_an_ignored_box_covers_every_pixel_that_it_touches(source):
    source.write(boxed(1, segmentation=[], bbox=[4.9, 5.1, 3.2, 30])).masks(on_error="skip")
    mask = source.mask()
    assert (mask[5:, 4:9] == 255).all()
    assert np.count_nonzero(mask) == 7 * 5


@pytest.mark.parametrize(
    "bbox",
    [None, [], [5, 5, 4], [5, 5, 0, 4], [5, 5, 1e-7, 4], [90, 5, 4, 4], "5 5 4 4", [0.25, 0.5, 0.75, 0.5]],
)
def test_an_image_is_left_out_if_nothing_says_where_the_object_is(source, bbox):
    images = [{"id": id_, "file_name": f"{id_}.jpg", "height": HEIGHT, "width": WIDTH} for id_ in (1, 2)]
    bad = boxed(7, segmentation=[], bbox=bbox)
    good = annotation(8, 30, box(0, 0, 4, 4)), {**annotation(9, 30, box(0, 0, 4, 4)), "image_id": 2}
    report = source.write(bad, *good, images=images).masks(on_error="skip")
    assert tuple(map(str, report.without_mask)) == ("1.jpg: annotation 7 without a usable box",)
    assert report.left_out == {"unusable": 1, "image_left_out": 1}
    assert (report.masks, report.annotations, report.ignored_boxes) == (1, 1, 0)
    assert [path.name for path in (source.root / "out/masks").iterdir()] == ["2.png"]
    assert [pair.label for pair in read_list(source.root / "out/coco_lst.txt")] == ["out/masks/2.png"]


def test_a_box_with_a_fault_is_a_fault_though_masks_need_none(source):
    source.write(boxed(7, bbox=[5, 5, 0, 4]))
    with pytest.raises(FaultsError, match="has no area inside the image"):
        source.masks()


def test_annotations_of_categories_that_are_not_painted_are_not_checked(source):
    report = source.write(annotation(1, 30, box(0, 0, 4, 4)), annotation(2, 2, [])).masks(categories=["cat"])
    assert (report.annotations, tuple(map(str, report.faults))) == (1, ())
    assert report.left_out == {"other_category": 1}


def test_an_annotation_of_no_image_stops_the_conversion_and_has_no_pixels_to_ignore(source):
    source.write(annotation(1, 30, box(0, 0, 4, 4)), boxed(7, image_id=77))
    with pytest.raises(FaultsError, match="annotation 7: refers to an image that the file does not contain"):
        source.masks()
    report = source.masks(on_error="skip")
    assert np.count_nonzero(source.mask()) == 16
    assert report.left_out == {"unknown_image": 1}
    assert tuple(map(str, report.faults)) == ("annotation 7: refers to an image that the file does not contain",)


def test_ten_faults_are_named_and_the_rest_counted(source):
    source.write(*(boxed(id_, segmentation=[]) for id_ in range(1, 14)))
    with pytest.raises(FaultsError) as error:
        source.masks()
    assert str(error.value).startswith(f"{source.root / 'coco.json'}: 13 faults; nothing was written")
    assert "annotation 10 (train/a.jpg)" in str(error.value)
    assert "annotation 11" not in str(error.value)
    assert str(error.value).endswith("… and 3 more")


# Images


def test_images_without_objects_get_a_mask_of_background(source):
    report = source.write().masks()
    assert not source.mask().any()
    assert (report.masks, report.empty_masks) == (1, 1)


def test_the_list_pairs_images_and_masks_below_the_root_that_is_reported(source):
    report = source.write().masks()
    assert report.root == str(source.root)
    (pair,) = read_list(source.root / "out/coco_lst.txt")
    assert (pair.image, pair.label) == ("images/train/a.jpg", "out/masks/train/a.png")


def test_masks_train_with_to_mindrecord(tmp_path, segdata):
    write_coco(tmp_path / "mini", images=4)
    path = tmp_path / "mini/annotations/instances.json"
    report = coco_to_masks(path, tmp_path / "mini/images", tmp_path / "mini/semantic")
    done = segdata(
        "to-mindrecord", "--data_root", report.root, "--data_lst", report.list, "--num_classes", 4,
        "--class_names", tmp_path / "mini/semantic/classes.txt", "--dst_path", tmp_path / "set", "--dry-run",
        "--num_shards", 1,
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def test_the_workers_do_not_change_a_byte(tmp_path):
    write_coco(tmp_path / "mini", images=6)
    path, images = tmp_path / "mini/annotations/instances.json", tmp_path / "mini/images"
    for workers in (1, 4):
        coco_to_masks(path, images, tmp_path / f"{workers}", workers=workers)
    one, four = (
        {path.name: path.read_bytes() for path in (tmp_path / workers / "masks").iterdir()} for workers in "14"
    )
    assert one == four
    assert len(one) == 6


@pytest.fixture
def bad_images(source):
    """Three images, of which one has another size than the JSON says and one is missing."""
    images = [{"id": id_, "file_name": f"{id_}.jpg", "height": HEIGHT, "width": WIDTH + id_} for id_ in range(3)]
    source.write(annotation(1, 30, box(0, 0, 4, 4)), images=images)
    (source.root / "images/2.jpg").unlink()
    return source


BAD_IMAGES = ("1.jpg: 16 x 12 pixels, but the JSON says 17 x 12", "2.jpg: does not exist")


def test_missing_and_differently_sized_images_are_all_named(bad_images):
    with pytest.raises(FaultsError, match="2 faults; nothing was written") as error:
        bad_images.masks()
    assert tuple(map(str, error.value.faults)) == BAD_IMAGES
    assert not (bad_images.root / "out").exists()


def test_missing_and_differently_sized_images_are_left_out_when_told(bad_images):
    report = bad_images.masks(on_error="skip")
    assert tuple(map(str, report.without_mask)) == tuple(map(str, report.faults)) == BAD_IMAGES
    assert report.left_out == {"image_left_out": 1}
    assert [pair.image for pair in read_list(bad_images.root / "out/coco_lst.txt")] == ["images/0.jpg"]


def test_no_image_left_is_an_error_that_names_them(source):
    source.write()
    (source.root / "images/train/a.jpg").unlink()
    with pytest.raises(FaultsError, match=r"Correct the images and annotations.*:\n  train/a\.jpg: does not exist"):
        source.masks(on_error="skip")
    assert not (source.root / "out").exists()


@pytest.mark.parametrize("on_error", ["fail", "skip"])
@pytest.mark.parametrize("second", ["a.jpg", "./a.jpg"])
def test_several_image_objects_of_one_file_are_always_an_error(source, second, on_error):
    source.write(images=[{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": second}])
    with pytest.raises(FaultsError, match="1 file with several image objects; expected one for each") as error:
        source.masks(on_error=on_error)
    assert tuple(map(str, error.value.faults)) == ("a.jpg: named by the image ids 1, 2",)
    assert not (source.root / "out").exists()


def test_the_image_gives_a_size_that_the_file_lacks(source):
    source.write(annotation(1, 30, box(0, 0, 4, 4)), images=[{"id": 1, "file_name": "train/a.jpg"}]).masks()
    assert source.mask().shape == (HEIGHT, WIDTH)


def test_a_file_name_that_leaves_the_folder_is_refused(source):
    source.write(images=[{"id": 1, "file_name": "../a.jpg"}])
    with pytest.raises(FaultsError, match="leaves"):
        source.masks()
    assert not (source.root / "out").exists()


def test_two_images_for_one_mask_are_refused(source):
    source.write(images=[{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "a.png"}])
    with pytest.raises(FaultsError, match=r"same name:\n  a.png \(2 times\)"):
        source.masks()


@pytest.mark.parametrize(
    ("categories", "sentence"),
    [
        ([], "0 categories"),
        ([{"id": id_, "name": f"c{id_}"} for id_ in range(255)], "255 categories; expected 1 to 254 for index masks"),
        ([{"id": 1, "name": "a"}, {"id": 2, "name": "a"}], "have the same name.*\n.* have the name 'a'$"),
        ([{"id": 1, "name": "\xe9"}, {"id": 2, "name": "e\u0301"}], "have the same name.*\n.*apart from spaces"),
        ([{"id": 0, "name": "background"}, {"id": 2, "name": "a"}], "has a category 'background'.* Rename it"),
        ([{"id": 0, "name": "_background_"}, {"id": 2, "name": "a"}], "has a category '_background_'.* name the other"),
        ([{"id": 2, "name": "a"}, {"id": 3, "name": "Background"}], "has a category 'Background'.* name the other"),
        ([{"id": 1, "name": "#1"}], "not valid as class names"),
    ],
)
def test_categories_that_cannot_be_classes_are_refused(source, categories, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        source.write(categories=categories).masks()
    assert not (source.root / "out").exists()


def test_the_most_classes_fit_below_the_ignore_label(source):
    categories = [{"id": id_, "name": f"c{id_}"} for id_ in range(254)]
    source.write(annotation(1, 253, box(0, 0, 4, 4)), categories=categories).masks()
    assert source.mask().max() == 254


def test_a_dry_run_paints_and_writes_nothing(source):
    report = source.write(annotation(1, 30, box(0, 0, 4, 4))).masks(dry_run=True)
    assert (report.annotations, report.written) == (1, False)
    assert not (source.root / "out").exists()


def test_earlier_masks_are_replaced_only_when_told_and_foreign_ones_never(source):
    source.write().masks()
    with pytest.raises(TargetExistsError):
        source.masks()
    source.masks(overwrite=True)
    (source.root / "mine/masks").mkdir(parents=True)
    with pytest.raises(TargetExistsError):
        source.masks("mine", overwrite=True)
    with pytest.raises(InvalidInputError, match="would be replaced"):
        source.masks("images", overwrite=True)


@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_real_masks_show_every_category_where_pycocotools_does(real_data, tmp_path, split):
    from pycocotools import mask as pycoco

    folder = real_data / "coco/tiny_coco_dataset"
    path = folder / f"annotations/instances_{split}.json"
    report = coco_to_masks(path, folder / split, tmp_path / "out")
    members = json.loads(path.read_text())
    ids = sorted(category["id"] for category in members["categories"])
    assert tuple(map(str, report.faults)) == ()
    assert report.masks == len(members["images"])
    for image in members["images"]:
        size = image["height"], image["width"]
        covered = {}
        for item in members["annotations"]:
            if item["image_id"] == image["id"]:
                made = pycoco.frPyObjects(item["segmentation"], *size)
                made = pycoco.decode(pycoco.merge(made) if isinstance(made, list) else made)
                class_ = 255 if item["iscrowd"] else ids.index(item["category_id"]) + 1
                covered[class_] = covered.get(class_, 0) | made
        mask = decode_index_png((tmp_path / f"out/masks/{image['file_name'][:-4]}.png").read_bytes())
        assert mask.shape == size
        everything = np.zeros(size, bool)
        for class_, where in covered.items():
            assert (where[mask == class_] == 1).all()
            everything |= where == 1
        assert np.array_equal(mask > 0, everything)
