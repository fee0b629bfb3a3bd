from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings, strategies as st
from PIL import Image

from segdata.coco.file import read_coco
from segdata.errors import FaultsError, InvalidInputError, SegDataError, TargetExistsError
from segdata.miniature.coco import write_coco
from segdata.sources.coco import media
from segdata.sources.coco.select import Choice, find_categories, read_image_ids, select
from segdata.sources.coco.subset import coco_subset

# Image 1 has a cat and a dog, 2 a crowd of dogs, 3 a cat, 4 nothing, 5 a large bird.
IMAGES = [{"id": id_, "file_name": f"{id_}.png", "height": 6, "width": 8} for id_ in (3, 1, 2, 5, 4)]
CATEGORIES = [{"id": 30, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 11, "name": "bird"}]
SQUARE = [[1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]]


def annotation(id_, image, category, **more):
    return {"id": id_, "image_id": image, "category_id": category, "segmentation": SQUARE, "area": 4.0, **more}


ANNOTATIONS = [
    annotation(104, 3, 30, iscrowd=0),
    annotation(101, 1, 30, iscrowd=0),
    annotation(103, 2, 2, iscrowd=1, segmentation={"size": [6, 8], "counts": [7, 3, 38]}),
    annotation(102, 1, 2),
    annotation(105, 5, 11, area=40.0),
]


class Source:
    """A COCO data set in a folder of its own."""

    def __init__(self, root):
        self.root = root
        self.images = root / "pictures"
        self.json = root / "source.json"

    def write(self, members=None, files=IMAGES):
        self.images.mkdir(parents=True, exist_ok=True)
        members = members or {"images": IMAGES, "annotations": ANNOTATIONS, "categories": CATEGORIES}
        self.json.write_text(members if isinstance(members, str) else json.dumps(members))
        for image in files:
            path = self.images / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 6), (image["id"], 0, 0)).save(path)
        return self

    def cut(self, out="out", *, media="none", **options):
        names = set(Choice.__dataclass_fields__)
        choice = Choice(**{name: options.pop(name) for name in list(options) if name in names})
        return coco_subset(self.json, self.images, self.root / out, choice=choice, media=media, **options)

    def result(self, out="out"):
        return json.loads((self.root / out / "annotations" / "instances.json").read_text())


@pytest.fixture
def source(tmp_path):
    return Source(tmp_path).write()


def ids(members):
    return tuple([item["id"] for item in members[key]] for key in ("images", "annotations", "categories"))


# What is kept


@pytest.mark.parametrize(
    ("choice", "images", "annotations", "categories"),
    [
        ({}, [3, 1, 2, 5], [104, 101, 103, 102, 105], [30, 2, 11]),
        ({"keep_empty": True}, [3, 1, 2, 5, 4], [104, 101, 103, 102, 105], [30, 2, 11]),
        ({"categories": ["cat"]}, [3, 1], [104, 101, 102], [30, 2]),
        ({"categories": ["30"]}, [3, 1], [104, 101, 102], [30, 2]),
        ({"categories": ["cat"], "only_matching": True}, [3, 1], [104, 101], [30]),
        ({"categories": ["cat"], "keep_empty": True}, [3, 1, 4], [104, 101, 102], [30, 2]),
        ({"categories": ["dog", "cat"]}, [3, 1, 2], [104, 101, 103, 102], [30, 2]),
        ({"categories": ["dog", "cat"], "match": "all"}, [1], [101, 102], [30, 2]),
        ({"categories": ["dog"], "crowd": "drop"}, [1], [101, 102], [30, 2]),
        ({"crowd": "drop"}, [3, 1, 5], [104, 101, 102, 105], [30, 2, 11]),
        ({"crowd": "drop", "keep_empty": True}, [3, 1, 2, 5, 4], [104, 101, 102, 105], [30, 2, 11]),
        ({"crowd": "only"}, [2], [103], [30, 2, 11]),
        ({"min_area": 4.0}, [3, 1, 2, 5], [104, 101, 103, 102, 105], [30, 2, 11]),
        ({"min_area": 4.5}, [5], [105], [30, 2, 11]),
        ({"image_ids": [1, 5, 1]}, [1, 5], [101, 102, 105], [30, 2, 11]),
        ({"image_ids": [1, 5], "categories": ["bird"], "only_matching": True}, [5], [105], [11]),
        ({"categories": ["dog", "bird"], "image_ids": [1], "only_matching": True}, [1], [102], [2, 11]),
    ],
)
def test_images_annotations_and_categories_are_cut_together(source, choice, images, annotations, categories):
    report = source.cut(**choice)
    assert ids(source.result()) == (images, annotations, categories)
    assert (report.samples, report.annotations) == (len(images), len(annotations))
    assert [item.id for item in report.categories] == sorted(categories)


def test_what_is_left_out_is_counted_under_its_first_reason(source):
    report = source.cut(categories=["cat"], only_matching=True, crowd="drop", image_ids=[1, 2, 3, 4])
    assert report.images_left_out == {"not_listed": 1, "no_annotations": 2}
    assert report.annotations_left_out == {"crowd": 1, "other_category": 2}
    assert sum(report.images_left_out.values()) + report.samples == len(IMAGES)
    assert sum(report.annotations_left_out.values()) + report.annotations == len(ANNOTATIONS)


def test_images_of_other_categories_only_are_not_empty(source):
    report = source.cut(categories=["cat"], keep_empty=True)
    assert report.images_left_out == {"only_other_categories": 2}


def test_a_maximum_draws_by_the_seed_and_keeps_the_order_of_the_file(tmp_path):
    images = [{"id": id_, "file_name": f"{id_}.png"} for id_ in range(100, 0, -1)]
    annotations = [annotation(id_, id_, 30) for id_ in range(1, 101)]
    source = Source(tmp_path).write({"images": images, "annotations": annotations, "categories": CATEGORIES}, files=())
    reversed_ = Source(tmp_path / "r").write(
        {"images": images[::-1], "annotations": annotations, "categories": CATEGORIES}, files=()
    )
    drawn = []
    for number, (where, seed) in enumerate([(source, 0), (source, 0), (source, 1), (reversed_, 0)]):
        report = where.cut(f"out{number}", max_images=20, seed=seed)
        assert report.images_left_out == {"beyond_max_images": 80}
        drawn.append(ids(where.result(f"out{number}"))[0])
    assert drawn[0] == drawn[1] == sorted(drawn[0], reverse=True) == drawn[3][::-1]
    assert len(drawn[2]) == 20
    assert drawn[2] != drawn[0]


def test_a_larger_maximum_keeps_what_a_smaller_one_drew(source):
    source.cut("few", max_images=2)
    source.cut("more", max_images=3)
    assert set(ids(source.result("few"))[0]) < set(ids(source.result("more"))[0])


@st.composite
def coco_files(draw):
    images = draw(st.lists(st.integers(-5, 20), unique=True, min_size=1, max_size=8))
    categories = draw(st.lists(st.integers(1, 90), unique=True, min_size=1, max_size=5))
    annotations = draw(
        st.lists(
            st.builds(
                annotation,
                st.just(0),
                st.sampled_from([*images, 999]),
                st.sampled_from([*categories, 999]),
                segmentation=st.sampled_from([SQUARE, SQUARE, []]),
                iscrowd=st.integers(0, 1),
                area=st.floats(0, 100),
            ),
            max_size=20,
        )
    )
    members = {
        "images": [{"id": id_, "file_name": f"{id_}.png"} for id_ in images],
        "annotations": [{**item, "id": number} for number, item in enumerate(annotations)],
        "categories": [{"id": id_, "name": f"c{id_}"} for id_ in categories],
    }
    choice = Choice(
        categories=draw(st.lists(st.sampled_from([f"c{id_}" for id_ in categories]), max_size=3)),
        match=draw(st.sampled_from(["any", "all"])),
        only_matching=draw(st.booleans()),
        image_ids=draw(st.none() | st.lists(st.sampled_from(images), min_size=1)),
        max_images=draw(st.none() | st.integers(1, 9)),
        crowd=draw(st.sampled_from(["keep", "drop", "only"])),
        keep_empty=draw(st.booleans()),
        min_area=draw(st.sampled_from([0, 10, 50])),
    )
    return members, choice


@settings(deadline=None)
@given(coco_files())
def test_a_subset_is_closed_whatever_is_chosen(tmp_path_factory, made):
    members, choice = made
    root = tmp_path_factory.mktemp("closed")
    path = root / "a.json"
    path.write_text(json.dumps(members))
    try:
        report = coco_subset(path, None, root / "out", choice=choice, media="none", on_error="skip")
    except InvalidInputError as error:
        assert "no images are left" in str(error)
        return
    kept = json.loads((root / "out/annotations/instances.json").read_text())
    images, _, categories = ids(kept)
    assert {item["image_id"] for item in kept["annotations"]} <= set(images)
    assert {item["category_id"] for item in kept["annotations"]} <= set(categories)
    for key in members:
        assert [item for item in members[key] if item in kept[key]] == kept[key]
    assert sum(report.images_left_out.values()) + len(images) == len(members["images"])
    assert sum(report.annotations_left_out.values()) + len(kept["annotations"]) == len(members["annotations"])
    if not choice.categories:
        assert kept["categories"] == members["categories"]


# The subset


def test_kept_objects_keep_their_text_their_order_and_other_members(tmp_path):
    image = '{"width":8 , "id": 3, "license": 1.50, "file_name":"3.png"}'
    object_ = (
        '{ "area" : 4.50e+1,"segmentation": [[1.10, 2, 3.0000, 4, 5, 6.0]], "id":7, "category_id": 30, "image_id": 3}'
    )
    category = '{"supercategory": "pet", "name": "chat \\u00e9", "id":30}'
    text = (
        f'{{"type": "instances", "annotations": [{object_}], "info": {{"year": 2017.0}}, "licenses": [{{"id": 1.0}}], '
        f'"images": [{image}], "categories": [{category}], "extra": [1.20, null]}}'
    )
    Source(tmp_path).write(text, files=()).cut()
    written = (tmp_path / "out/annotations/instances.json").read_text()
    assert list(json.loads(written)) == list(json.loads(text))
    assert json.loads(written) == json.loads(text)
    for part in (image, object_, category, '{"id": 1.0}', '"year":2017.0', "1.20"):
        assert part in written


def test_remapped_categories_are_numbered_by_their_old_ids_and_nothing_else_changes(tmp_path):
    object_ = (
        '{"area":4.50e+1, "id":7, "category_id": 30, "extra": {"category_id": 30, "id": 30}, "image_id": 3, '
        '"segmentation": [[1, 2, 3, 4, 5, 6.50]]}'
    )
    text = (
        f'{{"images": [{{"id": 3, "file_name": "3.png"}}], "annotations": [{object_}], '
        '"categories": [{"id": 30, "name": "cat"}, {"name": "dog", "id": 2, "keypoints": [1.0]}]}'
    )
    source = Source(tmp_path).write(text, files=())
    report = source.cut(remap_ids=True)
    assert source.result()["categories"] == [{"id": 2, "name": "cat"}, {"name": "dog", "id": 1, "keypoints": [1.0]}]
    changed = source.result()["annotations"][0]
    assert changed == {**json.loads(object_), "category_id": 2}
    assert list(changed) == list(json.loads(object_))
    assert "4.50e+1" in (tmp_path / "out/annotations/instances.json").read_text()
    assert json.loads((tmp_path / "out/category_map.json").read_text()) == [
        {"id": 1, "original_id": 2, "name": "dog"},
        {"id": 2, "original_id": 30, "name": "cat"},
    ]
    assert [(item.id, item.original_id, item.annotations) for item in report.categories] == [(1, 2, 0), (2, 30, 1)]


def test_the_same_choice_gives_the_same_bytes_whatever_the_workers(source):
    for workers in (1, 4):
        source.cut(f"out{workers}", media="copy", workers=workers, max_images=3)
    one, four = (
        {p.relative_to(r): p.read_bytes() for p in r.rglob("*") if p.is_file()}
        for r in (source.root / "out1", source.root / "out4")
    )
    assert one == four
    assert len(one) == 3 + 3


def test_what_real_files_do_is_counted(tmp_path):
    images = [{**IMAGES[0], "file_name": "sub/3.png"}, *IMAGES[1:]]
    members = {"licenses": [], "images": images, "annotations": ANNOTATIONS, "categories": CATEGORIES}
    source = Source(tmp_path).write(members, files=images)
    Image.new("L", (8, 6)).save(source.images / "1.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 6)).save(source.images / "2.png", "JPEG", exif=exif)
    Image.new("RGB", (8, 6)).save(source.images / "stranger.JPG")
    (source.images / "notes.txt").write_text("no image")
    report = source.cut(media="copy")
    assert report.found == {
        "without_iscrowd": 2,
        "without_segmentation": 0,
        "polygons_of_several_parts": 0,
        "compressed_rle": 0,
        "uncompressed_rle": 1,
        "without_info": 1,
        "without_licenses": 0,
        "category_id_holes": 26,
        "file_names_with_folders": 1,
        "gray_images": 1,
        "images_turned_by_exif": 1,
        "image_files_not_in_the_json": 1,
    }
    assert tuple(map(str, report.faults)) == ()


@pytest.mark.parametrize(
    ("name", "pixels", "gray"),
    [
        ("1.png", np.zeros((6, 8, 2), np.uint8), 1),
        ("1.png", np.zeros((6, 8, 4), np.uint8), 0),
        ("1.tif", np.zeros((6, 8), np.int16), 1),
        ("1.tif", np.zeros((6, 8)), 1),
    ],
)
def test_images_with_one_band_are_gray_with_alpha_and_of_any_depth(tmp_path, name, pixels, gray):
    images = [{**IMAGES[0], "id": 1, "file_name": name}]
    members = {"images": images, "annotations": [annotation(101, 1, 30)], "categories": CATEGORIES}
    source = Source(tmp_path).write(members, files=())
    if name.endswith(".tif"):
        tifffile.imwrite(source.images / name, pixels, photometric="minisblack")
    else:
        Image.fromarray(pixels).save(source.images / name)
    assert source.cut(media="copy").found["gray_images"] == gray


# Images


@pytest.mark.parametrize("media", ["copy", "hardlink", "symlink"])
def test_images_arrive_byte_for_byte_with_their_folders(tmp_path, media):
    images = [{**image, "file_name": f"train/{image['id']}.png"} for image in IMAGES]
    members = {"images": images, "annotations": ANNOTATIONS, "categories": CATEGORIES}
    source = Source(tmp_path).write(members, files=images)
    source.cut(media=media, categories=["cat"])
    placed = sorted((tmp_path / "out/images").rglob("*.png"))
    assert [path.relative_to(tmp_path / "out/images").as_posix() for path in placed] == ["train/1.png", "train/3.png"]
    for path in placed:
        original = source.images / "train" / path.name
        assert path.read_bytes() == original.read_bytes()
        assert path.is_symlink() == (media == "symlink")
        assert path.samefile(original) == (media != "copy")


def test_links_reach_the_image_behind_a_link(tmp_path):
    source = Source(tmp_path).write()
    (source.images / "3.png").rename(tmp_path / "elsewhere.png")
    (source.images / "3.png").symlink_to(tmp_path / "elsewhere.png")
    for way in ("hardlink", "symlink"):
        source.cut(way, media=way)
        assert (tmp_path / way / "images/3.png").samefile(tmp_path / "elsewhere.png")
    assert not (tmp_path / "hardlink/images/3.png").is_symlink()


def test_without_media_the_images_are_not_read(tmp_path):
    source = Source(tmp_path).write(files=())
    report = source.cut(media="none")
    assert not (tmp_path / "out/images").exists()
    assert "gray_images" not in report.found


@pytest.mark.parametrize(("number", "sentence"), [(errno.EXDEV, "another file system"), (errno.EPERM, "not permitted")])
def test_a_hard_link_that_cannot_be_is_a_sentence_and_nothing_is_written(source, monkeypatch, number, sentence):
    def refuse(*_):
        raise OSError(number, os.strerror(number).lower())

    monkeypatch.setattr(media.os, "link", refuse)
    with pytest.raises(SegDataError, match=sentence):
        source.cut(media="hardlink")
    assert not (source.root / "out").exists()


@pytest.mark.parametrize("media", ["copy", "none"])
@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../b.png"])
def test_a_file_name_that_leaves_the_folder_is_refused(tmp_path, media, name):
    members = {"images": [{**IMAGES[0], "file_name": name}], "annotations": ANNOTATIONS[:1], "categories": CATEGORIES}
    with pytest.raises(FaultsError, match="leave"):
        Source(tmp_path).write(members, files=()).cut(media=media)


# Faults


def faulty(id_=7, **more):
    """Return an annotation of the cat in image 3; `more` makes it unusable."""
    return {**annotation(id_, 3, 30), **more}


UNUSABLE = {
    "no polygon": ({"segmentation": []}, "annotation 7 (3.png): the list of polygons is empty"),
    "no mask": ({"segmentation": None}, "annotation 7 (3.png): segmentation is None"),
    "a flat list": (
        {"segmentation": SQUARE[0]},
        "annotation 7 (3.png): segmentation is a list of 8 numbers; expected a list of polygons",
    ),
    "no runs": ({"segmentation": {"size": [6, 8]}}, "annotation 7 (3.png): counts of the RLE are None"),
    "an image not in the file": ({"image_id": 99}, "annotation 7: refers to an image that the file does not contain"),
    "a category not in the file": (
        {"category_id": 99},
        "annotation 7: refers to a category that the file does not contain",
    ),
}


def with_annotations(root, *annotations, images=IMAGES):
    return Source(root).write({"images": images, "annotations": annotations, "categories": CATEGORIES})


@pytest.mark.parametrize(("change", "sentence"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_annotation_with_a_fault_stops_the_subset_and_is_named(tmp_path, change, sentence):
    source = with_annotations(tmp_path, *ANNOTATIONS, faulty(**change))
    with pytest.raises(FaultsError, match=r"1 fault; nothing was written\..* with --on-error skip") as e:
        source.cut()
    assert len(tuple(map(str, e.value.faults))) == 1
    assert str(e.value.faults[0]).startswith(sentence)
    assert not (source.root / "out").exists()


@pytest.mark.parametrize(("change", "sentence"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_annotation_with_a_fault_is_left_out_when_told(tmp_path, change, sentence):
    report = with_annotations(tmp_path, *ANNOTATIONS, faulty(**change)).cut(on_error="skip")
    assert ids(Source(tmp_path).result()) == ([3, 1, 2, 5], [104, 101, 103, 102, 105], [30, 2, 11])
    assert [fault.startswith(sentence) for fault in tuple(map(str, report.faults))] == [True]
    assert sum(report.annotations_left_out.values()) == 1


@pytest.mark.parametrize("bbox", [[50, 1, 2, 2], [1, 1, 0, 2], [1, 1], "box", [1, 1, "2", 2], [1, 2, 1e-9, 2]])
def test_a_box_without_an_area_in_the_image_is_a_fault(tmp_path, bbox):
    good = [annotation(8, 1, 30, bbox=[7.5, 1, 9, 9]), annotation(9, 3, 2, bbox=None), annotation(10, 3, 2, bbox=[])]
    source = with_annotations(tmp_path, *good, faulty(bbox=bbox))
    with pytest.raises(FaultsError, match="1 fault; nothing was written") as error:
        source.cut()
    assert [fault.code for fault in error.value.faults] == ["bad_box"]
    source.cut(on_error="skip")
    assert ids(source.result())[1] == [8, 9, 10]


def test_an_image_is_chosen_by_the_annotations_without_faults(tmp_path):
    source = with_annotations(tmp_path, faulty(segmentation=[]), annotation(8, 1, 30), annotation(9, 3, 2))
    report = source.cut(categories=["cat"], on_error="skip")
    assert ids(source.result())[:2] == ([1], [8])
    assert report.images_left_out == {"only_other_categories": 1, "no_annotations": 3}
    assert report.annotations_left_out == {"unusable": 1, "image_left_out": 1}


def test_images_that_are_drawn_instead_of_one_with_faults_are_checked_too(tmp_path):
    images = [{"id": id_, "file_name": f"{id_}.png"} for id_ in range(1, 21)]
    bad = [annotation(id_, id_, 30, segmentation=[]) for id_ in range(1, 20)]
    source = with_annotations(tmp_path, *bad, annotation(20, 20, 30), images=images)
    report = source.cut(max_images=1, on_error="skip")
    assert ids(source.result())[:2] == ([20], [20])
    assert len(report.faults) == report.annotations_left_out["unusable"]
    assert len(set(map(str, report.faults))) == len(report.faults)


@pytest.mark.parametrize("choice", [{"categories": ["dog"], "only_matching": True}, {"image_ids": [5]}])
def test_annotations_that_are_not_kept_are_not_checked(tmp_path, choice):
    source = with_annotations(tmp_path, *ANNOTATIONS, faulty(segmentation=[]))
    assert source.cut(**choice).faults == ()


def test_missing_damaged_and_resized_images_are_all_named_and_nothing_is_written(source):
    break_images(source)
    for dry_run in (True, False):
        with pytest.raises(FaultsError, match="3 faults; nothing was written") as error:
            source.cut(media="copy", dry_run=dry_run)
        assert [fault.split(":")[0] for fault in tuple(map(str, error.value.faults))] == ["3.png", "1.png", "2.png"]
    assert str(error.value.faults[2]) == "2.png: 6 x 8 pixels (EXIF orientation 6), but the JSON says 8 x 6"
    assert not (source.root / "out").exists()


def test_missing_damaged_and_resized_images_are_left_out_with_their_annotations_when_told(source):
    break_images(source)
    report = source.cut(media="copy", on_error="skip")
    assert ids(source.result())[:2] == ([5], [105])
    assert [path.name for path in (source.root / "out/images").iterdir()] == ["5.png"]
    assert (report.images_left_out, report.annotations_left_out) == (
        {"unusable": 3, "no_annotations": 1},
        {"image_left_out": 4},
    )
    assert [fault.split(":")[0] for fault in tuple(map(str, report.faults))] == ["3.png", "1.png", "2.png"]


def break_images(source):
    """Remove one image, damage one, and turn one; image 4, which has no annotations, is missing too."""
    (source.images / "3.png").unlink()
    (source.images / "1.png").write_bytes(b"no image")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 8)).save(source.images / "2.png", "JPEG", exif=exif)
    (source.images / "4.png").unlink()


@pytest.mark.parametrize("on_error", ["fail", "skip"])
@pytest.mark.parametrize("second", ["3.png", ".//3.png"])
def test_several_image_objects_of_the_file_of_a_kept_image_are_always_an_error(tmp_path, second, on_error):
    images = [IMAGES[0], {**IMAGES[1], "file_name": second}, *IMAGES[2:]]
    source = with_annotations(tmp_path, *ANNOTATIONS, images=images)
    with pytest.raises(FaultsError, match="1 file with several image objects; expected one for each") as error:
        source.cut(image_ids=[3, 5], on_error=on_error)
    assert tuple(map(str, error.value.faults)) == ("3.png: named by the image ids 3, 1",)
    assert not (source.root / "out").exists()
    assert source.cut(image_ids=[5], on_error=on_error).samples == 1


# Refusals


def test_an_unknown_category_names_its_neighbors(tmp_path, source):
    with pytest.raises(InvalidInputError, match="no category 'Brid'; did you mean bird"):
        source.cut(categories=["Brid"])
    with pytest.raises(InvalidInputError, match="no category '99'; expected one of bird, cat, dog"):
        source.cut(categories=["99"])


def test_a_name_goes_before_an_id_and_an_ambiguous_name_is_refused(tmp_path):
    categories = [{"id": 1, "name": "2"}, {"id": 2, "name": "a"}, {"id": 3, "name": "a"}]
    coco = read_coco(Source(tmp_path).write({"images": [], "annotations": [], "categories": categories}).json)
    assert find_categories(coco, ["2", "3", "2"]) == [0, 2]
    with pytest.raises(InvalidInputError, match="categories 2, 3 are all named 'a'"):
        find_categories(coco, ["a"])


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (
            {"image_ids": [4]},
            "4 not in --image_ids, 1 without annotations). List other images in --image_ids, or add --keep-empty",
        ),
        (
            {"categories": ["dog", "cat"], "match": "all", "crowd": "only"},
            "1 with other categories only, 4 without annotations). Choose another --category, or add --keep-empty",
        ),
    ],
)
def test_no_image_left_is_an_error_that_says_why(source, choice, why):
    with pytest.raises(InvalidInputError, match=re.escape(f": no images are left of 5 ({why}") + "$"):
        source.cut(**choice)


def test_no_image_in_the_file_is_said(tmp_path):
    source = Source(tmp_path).write({"images": [], "annotations": [], "categories": CATEGORIES})
    with pytest.raises(InvalidInputError, match=r"contains no images$"):
        source.cut()


def test_image_ids_that_the_file_does_not_know_are_named(source):
    with pytest.raises(
        FaultsError, match=r"does not contain 2 of the image ids\. Remove them from --image_ids:\n  77\n  78"
    ):
        source.cut(image_ids=[1, 77, 78])


def test_image_ids_are_read_one_a_line(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_bytes(b"\xef\xbb\xbf3\r\n\r\n# comment\r\n12")
    assert read_image_ids(path) == (3, 12)
    path.write_text("3\n4.5\n000000000009.jpg\n")
    with pytest.raises(FaultsError, match="2 lines are not image ids"):
        read_image_ids(path)


def test_a_minimum_area_needs_areas(tmp_path):
    bare = [{key: value for key, value in ANNOTATIONS[0].items() if key != "area"}, *ANNOTATIONS[1:]]
    source = Source(tmp_path).write({"images": IMAGES, "annotations": bare, "categories": CATEGORIES})
    assert source.cut().annotations == 5
    with pytest.raises(InvalidInputError, match="1 annotation has no area"):
        source.cut("other", min_area=1)


def test_images_need_a_folder_to_come_from(source):
    with pytest.raises(InvalidInputError, match="no image folder"):
        coco_subset(source.json, None, source.root / "out", media="copy")


# The target


def test_an_earlier_subset_is_replaced_only_when_told(source):
    source.cut(media="copy", remap_ids=True)
    with pytest.raises(TargetExistsError, match="already exists") as error:
        source.cut()
    assert error.value.replaceable
    source.cut(overwrite=True, categories=["cat"])
    assert ids(source.result())[0] == [3, 1]
    assert sorted(path.name for path in (source.root / "out").glob("[!.]*")) == ["annotations", "subset.json"]


def test_a_data_set_that_was_not_cut_here_is_never_replaced(source):
    (source.root / "out/annotations").mkdir(parents=True)
    (source.root / "out/annotations/instances.json").write_text("precious")
    with pytest.raises(TargetExistsError) as error:
        source.cut(overwrite=True)
    assert not error.value.replaceable
    assert (source.root / "out/annotations/instances.json").read_text() == "precious"


def test_the_source_is_never_written_over(source):
    source.cut(media="copy")
    with pytest.raises(InvalidInputError, match="would be replaced"):
        coco_subset(source.root / "out/annotations/instances.json", source.images, source.root / "out", overwrite=True)
    with pytest.raises(InvalidInputError, match="would be replaced"):
        coco_subset(source.json, source.root / "out/images", source.root / "out", overwrite=True)


def test_a_dry_run_reports_the_same_and_writes_nothing(source):
    dry = source.cut(media="copy", dry_run=True, remap_ids=True, categories=["dog"])
    assert not (source.root / "out").exists()
    real = source.cut(media="copy", remap_ids=True, categories=["dog"])
    assert (dry.written, real.written) == (False, True)
    assert (dry.samples, dry.annotations, dry.categories, dry.found) == (
        real.samples,
        real.annotations,
        real.categories,
        real.found,
    )


# Against pycocotools


def load(path):
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def assert_same_annotations(cut, source, wanted):
    assert sorted(cut.anns) == sorted(wanted)
    for id_ in wanted:
        assert cut.anns[id_] == source.anns[id_]
        assert np.array_equal(cut.annToMask(cut.anns[id_]), source.annToMask(source.anns[id_]))


def test_pycocotools_reads_the_miniature_as_its_source(tmp_path):
    write_coco(tmp_path / "mini", images=6)
    path = tmp_path / "mini/annotations/instances.json"
    coco_subset(path, tmp_path / "mini/images", tmp_path / "out", choice=Choice(keep_empty=True))
    cut, source = load(tmp_path / "out/annotations/instances.json"), load(path)
    assert sorted(cut.imgs) == sorted(source.imgs)
    assert_same_annotations(cut, source, source.anns)


REAL = {
    "tiny_coco_dataset/annotations/instances_train2017.json": "tiny_coco_dataset/train2017",
    "tiny_coco_dataset/annotations/instances_val2017.json": "tiny_coco_dataset/val2017",
    "enginbozaba_tiny_coco/annotations/instances_train2017.json": "enginbozaba_tiny_coco/images/train2017",
    "enginbozaba_tiny_coco/annotations/instances_val2017.json": "enginbozaba_tiny_coco/images/val2017",
}


@pytest.mark.parametrize("annotations", REAL)
def test_all_of_a_real_set_is_its_source(real_data, tmp_path, annotations):
    path, images = real_data / "coco" / annotations, real_data / "coco" / REAL[annotations]
    coco_subset(path, images, tmp_path / "out", choice=Choice(keep_empty=True))
    cut, source = load(tmp_path / "out/annotations/instances.json"), load(path)
    assert cut.imgs == source.imgs
    assert cut.cats == source.cats
    assert_same_annotations(cut, source, source.anns)
    for image in cut.imgs.values():
        assert (tmp_path / "out/images" / image["file_name"]).read_bytes() == (images / image["file_name"]).read_bytes()


@pytest.mark.parametrize("only_matching", [False, True])
@pytest.mark.parametrize("annotations", REAL)
def test_one_category_of_a_real_set_is_that_of_its_source(real_data, tmp_path, annotations, only_matching):
    path, images = real_data / "coco" / annotations, real_data / "coco" / REAL[annotations]
    coco_subset(path, images, tmp_path / "out", choice=Choice(categories=["person"], only_matching=only_matching))
    cut, source = load(tmp_path / "out/annotations/instances.json"), load(path)
    person = source.getCatIds(catNms=["person"])
    wanted = source.getImgIds(catIds=person)
    assert sorted(cut.imgs) == sorted(wanted)
    assert_same_annotations(cut, source, source.getAnnIds(imgIds=wanted, catIds=person if only_matching else []))
    assert set(cut.cats) == {item["category_id"] for item in cut.anns.values()}


def test_select_writes_nothing_and_changes_nothing(source):
    coco = read_coco(source.json)
    first, second = select(coco, Choice(max_images=2)), select(coco, Choice(max_images=2))
    assert np.array_equal(first.images, second.images)
    assert sorted(path.name for path in source.root.iterdir()) == ["pictures", "source.json"]
