from __future__ import annotations

import json
from dataclasses import replace
from typing import get_type_hints

import pytest

from segdata.cli.coco import _subset_text
from segdata.miniature.coco import write_coco
from segdata.records.convert import OnError
from segdata.sources.coco.masks import coco_to_masks
from segdata.sources.coco.subset import coco_subset


@pytest.fixture
def mini(tmp_path):
    write_coco(tmp_path / "mini", images=6)
    return tmp_path / "mini"


@pytest.fixture
def subset(segdata, mini, tmp_path):
    def run(*args, images=True):
        folder = ("--images", mini / "images") if images else ()
        return segdata(
            "coco-subset", "--annotations", mini / "annotations/instances.json", *folder,
            "--dst_path", tmp_path / "out", *args,
        )  # fmt: skip

    return run


@pytest.fixture
def to_masks(segdata, mini, tmp_path):
    return lambda *args: segdata(
        "coco-to-masks", "--annotations", mini / "annotations/instances.json", "--images", mini / "images",
        "--dst_path", tmp_path / "masks", *args,
    )  # fmt: skip


def test_a_subset_says_what_it_kept_and_what_it_left_out(subset, tmp_path):
    done = subset("--category", "rectangle", "--only-matching", "--remap-ids")
    assert done.exit_code == 0, done.output
    kept = json.loads((tmp_path / "out/annotations/instances.json").read_text())
    assert f"{len(kept['images'])} images with {len(kept['annotations'])} annotations written to" in done.output
    found = [line for line in done.output.splitlines() if line.startswith(("images", "annotations left", "in the"))]
    assert found == [
        "images left out: 2 with other categories only, 1 without annotations",
        "annotations left out: 5 of other categories",
        "in the source: 1 object of several polygons, 1 uncompressed RLE, 15 unused category ids",
    ]
    assert kept["categories"] == [{"supercategory": "shape", "id": 1, "name": "rectangle"}]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (
            1,
            "1 annotation without iscrowd, 1 annotation without a segmentation, 1 object of several polygons, "
            "1 compressed RLE, 1 uncompressed RLE, no info, no licenses, 1 unused category id, 1 file name with "
            "folders, 1 gray image, 1 image rotated by EXIF, 1 image file not in the JSON",
        ),
        (
            2,
            "2 annotations without iscrowd, 2 annotations without a segmentation, 2 objects of several polygons, "
            "2 compressed RLEs, 2 uncompressed RLEs, no info, no licenses, 2 unused category ids, 2 file names with "
            "folders, 2 gray images, 2 images rotated by EXIF, 2 image files not in the JSON",
        ),
    ],
)
def test_everything_found_in_the_source_has_words(mini, tmp_path, count, text):
    report = coco_subset(mini / "annotations/instances.json", mini / "images", tmp_path / "out", dry_run=True)
    assert _subset_text(replace(report, found=dict.fromkeys(report.found, count))).endswith(f"in the source: {text}")


def test_a_subset_says_which_annotations_it_left_out(subset, mini):
    def spoil(members):
        members["annotations"][2].update(image_id=5)
        members["annotations"][3].update(category_id=77)

    change(mini, spoil)
    left_out = "annotations left out: 1 with an unknown image, 1 with an unknown category, "
    done = subset("--on-error", "skip", "--crowd", "drop", "--min_area", "1e6", "--keep-empty")
    assert f"{left_out}1 that are crowds, 6 smaller than --min_area\n" in done.output
    done = subset("--on-error", "skip", "--crowd", "only", "--overwrite")
    assert f"{left_out}6 that are not crowds\n" in done.output


def test_the_json_report_says_the_same(subset):
    report = json.loads(subset("--keep-empty", "--json").stdout)
    assert report["samples"] == 6
    assert report["written"] is True
    assert [category["id"] for category in report["categories"]] == [1, 5, 18]
    assert report["choice"]["keep_empty"] is True


def test_every_choice_reaches_the_subset(subset, tmp_path):
    (tmp_path / "ids.txt").write_text("100\n107\n114\n121\n")
    done = subset(
        "--category", "1", "--category", "rectangle", "--category", "triangle", "--match", "any", "--image_ids",
        tmp_path / "ids.txt", "--max_images", 2, "--seed", 3, "--crowd", "drop", "--min_area", 10, "--media", "symlink",
        "--drop-unused", "--workers", 1, "--json", "--dry-run",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["choice"] == {
        "categories": ["1", "rectangle", "triangle"],
        "match": "any",
        "only_matching": False,
        "image_ids": [100, 107, 114, 121],
        "max_images": 2,
        "seed": 3,
        "crowd": "drop",
        "keep_empty": False,
        "min_area": 10.0,
        "drop_unused": True,
    }
    assert (report["samples"], report["media"], report["written"]) == (2, "symlink", False)
    assert not (tmp_path / "out").exists()


def test_options_are_spelled_with_dashes_too(subset):
    assert subset("--max-images", 1, "--min-area", 1, "--only_matching", "--remap_ids").exit_code == 0


def test_images_are_needed_only_with_media(subset):
    without = subset(images=False)
    assert without.exit_code == 2
    assert "--images" in without.output
    assert subset("--media", "none", images=False).exit_code == 0


def test_an_unknown_category_is_one_sentence_with_its_neighbors(subset):
    done = subset("--category", "elipse")
    assert done.exit_code == 1
    assert "no category 'elipse'; did you mean ellipse?" in done.output


def test_a_taken_place_names_the_flag(subset):
    subset()
    again = subset()
    assert again.exit_code == 1
    assert "--overwrite replaces it" in again.output
    assert subset("--overwrite").exit_code == 0


@pytest.mark.parametrize("text", ["", '{"images": [', "[1, 2]", '{"images": []}', "\x89PNG"])
def test_a_file_that_is_not_coco_ends_in_a_sentence(segdata, tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    done = segdata(
        "coco-subset", "--annotations", tmp_path / "bad.json", "--media", "none", "--dst_path", tmp_path / "o"
    )
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: {tmp_path / 'bad.json'}: ")
    assert "Traceback" not in done.output


def change(mini, change):
    """Change the miniature's JSON with the function `change`."""
    path = mini / "annotations/instances.json"
    members = json.loads(path.read_text())
    change(members)
    path.write_text(json.dumps(members))


@pytest.mark.parametrize("command", ["subset", "to_masks"])
def test_images_of_another_size_stop_the_command_and_are_named(request, mini, command):
    change(mini, lambda members: members["images"][0].update(width=99))
    run = request.getfixturevalue(command)
    done = run()
    assert done.exit_code == 1
    assert "1 fault; nothing was written. Correct the images and annotations (segdata check says how)" in done.output
    assert "  000000000001.jpg: " in done.output
    assert "but the JSON says 99 x" in done.output
    assert run("--on-error", "skip").exit_code == 0


@pytest.mark.parametrize("command", ["subset", "to_masks"])
def test_the_folder_of_the_images_is_named_if_another_one_was_given(request, mini, command):
    (mini / "elsewhere").mkdir()
    done = request.getfixturevalue(command)("--images", mini / "elsewhere")
    assert (done.exit_code, f"all are below {mini}/images. Use --images" in done.output) == (1, True), done.output


def test_a_subset_names_and_counts_what_it_left_out_because_of_faults(subset, mini):
    change(mini, lambda members: members["annotations"][0].update(segmentation=[]))
    assert subset().exit_code == 1
    done = subset("--on-error", "skip")
    assert done.exit_code == 0, done.output
    assert "annotations left out: 1 with faults" in done.output
    assert "1 fault left out:\n  annotation " in done.output


def test_masks_name_and_count_what_they_left_out_because_of_faults(to_masks, mini):
    def spoil(members):
        first, second = (members["annotations"][row] for row in (0, -1))
        assert first["image_id"] != second["image_id"]
        first.update(segmentation=[])
        second.update(segmentation=[], bbox=None)

    change(mini, spoil)
    assert to_masks().exit_code == 1
    done = to_masks("--on-error", "skip")
    assert done.exit_code == 0, done.output
    assert "annotations left out: 2 with faults" in done.output
    assert "boxes of faulty annotations that became 255: 1" in done.output
    assert "images left out: 1\n  " in done.output
    assert "without a usable box" in done.output
    assert "2 faults left out:\n  annotation " in done.output


@pytest.mark.parametrize("function", [coco_subset, coco_to_masks])
def test_on_error_takes_the_same_values_as_in_to_mindrecord(function):
    assert get_type_hints(function)["on_error"] == OnError


@pytest.mark.parametrize("command", ["subset", "to_masks"])
def test_several_image_objects_of_one_file_stop_the_command(request, mini, command):
    change(mini, lambda members: members["images"][1].update(file_name=members["images"][0]["file_name"]))
    done = request.getfixturevalue(command)("--on-error", "skip")
    assert done.exit_code == 1
    assert (
        "1 file with several image objects; expected one for each file. Join the objects with segdata fix"
        in done.output
    )
    assert "000000000001.jpg: named by the image ids 100, 107" in done.output


def test_masks_say_where_the_list_begins(to_masks, tmp_path):
    done = to_masks()
    assert done.exit_code == 0, done.output
    assert f"list: {tmp_path / 'masks/coco_lst.txt'}, with paths relative to {tmp_path}" in done.output
    assert "4 classes, background included; " in done.output
    assert (tmp_path / "masks/classes.txt").read_text() == "background\nellipse\nrectangle\ntriangle\n"


@pytest.mark.parametrize("option", ["--remap", "--category"])
def test_masks_take_the_order_of_the_classes(to_masks, tmp_path, option):
    done = to_masks(option, "triangle", option, "1", "--json")
    assert json.loads(done.stdout)["class_names"] == ["background", "triangle", "ellipse"]


def test_a_subset_becomes_masks(subset, segdata, tmp_path):
    subset("--category", "triangle", "--only-matching")
    done = segdata(
        "coco-to-masks", "--annotations", tmp_path / "out/annotations/instances.json",
        "--images", tmp_path / "out/images", "--dst_path", tmp_path / "out_masks", "--json",
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["masks"] == len(list((tmp_path / "out/images").iterdir()))
    assert report["class_names"] == ["background", "triangle"]
    assert report["root"] == str(tmp_path)
