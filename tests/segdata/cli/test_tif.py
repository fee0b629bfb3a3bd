"""tif-slice as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import Result

from segdata.miniature.tif import write_stacks

Run = Callable[..., Result]


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    write_stacks(tmp_path / "stacks", pages=10, size=32)
    return tmp_path / "stacks"


def run(segdata: Run, stacks: Path, *options: object) -> Result:
    target = stacks.parent / "out"
    paths = ("--images", stacks / "train-volume.tif", "--labels", stacks / "train-labels.tif", "--dst_path", target)
    return segdata("tif-slice", *paths, *options)


def test_stacks_become_images_masks_and_lists(segdata: Run, stacks: Path) -> None:
    result = run(segdata, stacks, "--map", "0:0,255:1", "--folds", 5, "--fold", 1)
    assert result.exit_code == 0, result.output
    assert "10 of 10 pages, 32 x 32 uint8 gray, written to" in result.output
    assert "split: fold 1 of 5, contiguous blocks; val pages 2-3" in result.output
    assert (stacks.parent / "out/val_lst.txt").read_text().splitlines() == [
        "images/train-volume_0002.png labels/train-volume_0002.png",
        "images/train-volume_0003.png labels/train-volume_0003.png",
    ]


def test_black_and_white_labels_are_refused_with_the_option_that_maps_them(segdata: Run, stacks: Path) -> None:
    result = run(segdata, stacks)
    assert (result.exit_code, "with --map 0:0,255:1, or" in result.output) == (1, True), result.output
    assert not (stacks.parent / "out").exists()


def test_the_report_as_json_of_a_dry_run(segdata: Run, stacks: Path) -> None:
    result = run(
        segdata, stacks, "--label-map", "0:0,255:1", "--pages", "0-3,7", "--val_block", 2, "--dry-run", "--json"
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert report["split_pages"] == {"train": [0, 1, 2], "val": [3, 7]}
    assert (report["written"], report["split"]) == (False, "last 2 pages for validation")
    assert sum(report["label_pixels"].values()) == 5 * 32 * 32


def test_the_courses_order_is_said_to_be_it(segdata: Run, stacks: Path) -> None:
    result = run(segdata, stacks, "--map", "0:0,255:1", "--folds", 5, "--fold", 0, "--order", "course")
    assert "shuffled course order; val pages 0,5" in result.output, result.output


@pytest.mark.parametrize("option", ["--value_range", "--value-range", "--range"])
def test_scaling_to_eight_bits_is_reported(segdata: Run, tmp_path: Path, option: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((2, 4, 4), 5000, np.uint16), photometric="minisblack")
    options = ("--depth", "8bit", option, "-100:4095.5", "--format", "tif")
    result = segdata("tif-slice", "--images", tmp_path / "a.tif", "--dst_path", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert "scaled to 8 bits: -100 to 4095.5 became 0 to 255, 32 samples clipped" in result.output
    assert tifffile.imread(tmp_path / "out/images/a_0001.tif").max() == 255


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--pages", "3-1"), "'3-1'; expected page numbers and ranges, as in 0-23,28"),
        (("--pages", "1,,2"), "expected page numbers"),
        (("--range", "1-2"), "expected LOW:HIGH"),
        (("--value_range", "1:2"), "--value_range needs --depth 8bit"),
        (("--value_range", "1-2"), "expected LOW:HIGH"),
        (("--level", -1), "is not in the range x>=0"),
        (("--folds", 5), "--folds, --fold: expected both of them"),
        (("--fold", 0), "--folds, --fold: expected both of them"),
        (("--folds", 5, "--fold", 5), "expected 0 to 4"),
        (("--folds", 5, "--fold", 0, "--val-block", 2), "both define the split"),
        (("--order", "course"), "--order needs --folds"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_wrong_usage(
    segdata: Run, stacks: Path, options: tuple[object, ...], reason: str
) -> None:
    result = run(segdata, stacks, *options)
    assert (result.exit_code, reason in result.output) == (2, True), result.output


def test_axes_channel_and_level_are_reported(segdata: Run, tmp_path: Path) -> None:
    pages = np.zeros((5, 2, 32, 48), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        metadata = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP"]}}
        writer.write(pages, photometric="minisblack", metadata=metadata, subifds=1)
        writer.write(pages[..., ::2, ::2], photometric="minisblack", subfiletype=1)
    tifffile.imwrite(tmp_path / "b.tif", pages[:, 0, ::2, ::2], imagej=True, metadata={"axes": "ZYX"})
    files = ("--images", tmp_path / "a.ome.tif", "--labels", tmp_path / "b.tif", "--dst_path", tmp_path / "out")
    options = ("--channel", "GFP", "--level", 1, "--dry-run")
    result = segdata("tif-slice", *files, *options)
    assert result.exit_code == 0, result.output
    assert "5 of 5 pages, 24 x 16 uint8 gray, would be written" in result.output
    assert "axes: Z5 C2 Y16 X24; channel 1 (GFP); level 1; labels paired by axes" in result.output
    report = json.loads(segdata("tif-slice", *files, *options, "--json").output)
    found = {name: report[name] for name in ("axes", "sizes", "channel", "level", "pairing")}
    assert found == {"axes": "ZCYX", "sizes": [5, 2, 16, 24], "channel": "1 (GFP)", "level": 1, "pairing": "axes"}


def test_a_stack_of_several_channels_is_refused_with_their_names(segdata: Run, tmp_path: Path) -> None:
    metadata = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((5, 2, 16, 16), np.uint8), metadata=metadata)
    result = segdata("tif-slice", "--images", tmp_path / "a.ome.tif", "--dst_path", tmp_path / "out")
    assert result.exit_code == 1
    assert "a.ome.tif: has 2 channels; expected one of 0 (DAPI), 1 (GFP). Choose it with --channel." in result.output
    assert not (tmp_path / "out").exists()


def test_label_axes_without_labels_are_wrong_usage(segdata: Run, stacks: Path) -> None:
    options = ("--dst_path", stacks / "out", "--label_axes", "ZYX")
    result = segdata("tif-slice", "--images", stacks / "train-volume.tif", *options)
    assert (result.exit_code, "--label_axes needs --labels" in result.output) == (2, True), result.output


@pytest.mark.parametrize("options", [("--map", "0:0"), ("--instances",), ("--border", 1)], ids=str)
def test_a_meaning_without_labels_is_wrong_usage(segdata: Run, stacks: Path, options: tuple[object, ...]) -> None:
    result = segdata("tif-slice", "--images", stacks / "train-volume.tif", "--dst_path", stacks / "out", *options)
    assert (result.exit_code, f"{options[0]} needs --labels" in result.output) == (2, True), result.output


def test_a_truncated_stack_is_one_sentence(segdata: Run, stacks: Path) -> None:
    path = stacks / "train-volume.tif"
    path.write_bytes(path.read_bytes()[:5000])
    result = run(segdata, stacks, "--map", "0:0,255:1")
    assert (result.exit_code, "Traceback" in result.output) == (1, False), result.output
    assert "train-volume.tif: truncated: the file ends at byte 5000, within page 4" in result.output


def test_a_page_that_claims_too_much_is_one_sentence(segdata: Run, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((1500, 1000), np.uint8), compression="zlib")
    options = ("--images", tmp_path / "a.tif", "--dst_path", tmp_path / "out", "--max-page-mb", 1)
    result = segdata("tif-slice", *options)
    assert result.exit_code == 1
    assert "page 0: claims 1000 x 1500 pixels, 1 MB of memory; expected at most 1 MB" in result.output


@pytest.fixture
def nuclei(tmp_path: Path) -> tuple[object, ...]:
    """Return the options for a stack of three pages, each with the same two objects that touch."""
    ids = np.zeros((3, 8, 10), np.uint16)
    ids[:, 2:6, 1:5], ids[:, 2:6, 5:9] = 7, 900
    for name, pages in (("i.tif", np.zeros((3, 8, 10), np.uint8)), ("l.tif", ids)):
        tifffile.imwrite(tmp_path / name, pages, photometric="minisblack")
    return ("--images", tmp_path / "i.tif", "--labels", tmp_path / "l.tif", "--dst_path", tmp_path / "out")


def test_ids_of_objects_are_refused_with_the_options_that_take_them(segdata: Run, nuclei: tuple[object, ...]) -> None:
    result = segdata("tif-slice", *nuclei)
    assert result.exit_code == 1
    assert "l.tif, page 0: pixel (x=5, y=2) has value 900; expected 0 to 255 (16 such pixels)" in result.output
    assert "add --instances for a COCO JSON, or --border 1 for index masks" in result.output


def test_objects_become_a_coco_json(segdata: Run, nuclei: tuple[object, ...], tmp_path: Path) -> None:
    options = ("--instances", "--class_name", "nucleus", "--val-block", 1, "--workers", 2)
    result = segdata("tif-slice", *nuclei, *options)
    assert result.exit_code == 0, result.output
    assert "6 objects by category: nucleus: 6" in result.output
    assert f"image folder, to use with the JSON: --images {tmp_path / 'out'}" in result.output
    assert f"1 image in {tmp_path / 'out/instances_val.json'}" in result.output
    report = json.loads(segdata("tif-slice", *nuclei, *options, "--overwrite", "--json").output)
    assert (report["objects"], report["label_pixels"]) == ({"nucleus": 6}, {"0": 144, "1": 96})


def test_the_parts_of_black_and_white_labels_become_objects_as_the_report_says(segdata: Run, tmp_path: Path) -> None:
    cells = np.zeros((2, 8, 8), np.uint8)
    cells[:, 1:3, 1:3] = cells[:, 5:7, 5:7] = 255
    for name in "il":
        tifffile.imwrite(tmp_path / f"{name}.tif", cells, photometric="minisblack")
    stacks = ("--images", tmp_path / "i.tif", "--labels", tmp_path / "l.tif", "--dst_path", tmp_path / "o")
    result = segdata("tif-slice", *stacks, "--instances")
    assert "2 objects by category: object: 2" in result.output
    assert "labels are black and white, one object for each page (tif-slice --map '0:0,*:1', then" in result.output
    folders = (tmp_path / "p/labels", "--images", tmp_path / "p/images")
    segdata("tif-slice", *stacks[:-1], tmp_path / "p", "--map", "0:0,*:1")
    result = segdata("masks-to-coco", *folders, "--components", "--dst_path", tmp_path / "p.json", "--json")
    assert sum(json.loads(result.output)["objects"].values()) == 4


def test_the_border_of_touching_objects_is_reported(segdata: Run, nuclei: tuple[object, ...], tmp_path: Path) -> None:
    result = segdata("tif-slice", *nuclei, "--border", 1)
    assert result.exit_code == 0, result.output
    assert "label pixels by class id: 0: 60.0%, 1: 30.0%, 2: 10.0%" in result.output
    assert "class 2: border between touching objects" in result.output
    assert f"class names, for --class_names: {tmp_path / 'out/classes.txt'}" in result.output


def test_a_map_is_a_list_a_file_or_a_name(segdata: Run, nuclei: tuple[object, ...], tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text("background 0\nsmall 1-99\nlarge *\n")
    (tmp_path / "names.txt").write_text("background\nsmall\nlarge\n")
    lists = ("--map", "0:0,1-99:1,*:2", "--class_names", tmp_path / "names.txt")
    for options in (("--map", tmp_path / "map.txt"), lists):
        result = segdata("tif-slice", *nuclei, "--instances", *options, "--dry-run", "--json")
        assert json.loads(result.output)["objects"] == {"small": 3, "large": 3}
    result = segdata("tif-slice", *nuclei, "--map", "binary")
    assert (result.exit_code, "uint16 samples from 0 to 900 and a map of colors" in result.output) == (1, True)


def test_the_earlier_name_of_map_still_works(segdata: Run, stacks: Path) -> None:
    assert run(segdata, stacks, "--label_map", "0:0,255:1").exit_code == 0


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--map", "0:0,255"), 1, "'255': expected VALUE:CLASS"),
        (("--map", "0:0,0:1"), 1, "value 0 has two classes, 0 and 1"),
        (("--map", "nothing"), 1, "expected VALUE:CLASS entries, a file, or one of"),
        (("--border", 0), 2, "0 is not in the range 1<=x<=100"),
        (("--border", 1, "--instances"), 1, "--instances and --border: each says what to write"),
        (("--instances", "--unknown", "ignore"), 1, "without --map, no values are unknown"),
    ],
    ids=str,
)
def test_meanings_that_make_no_sense_are_refused(
    segdata: Run, nuclei: tuple[object, ...], options: tuple[object, ...], code: int, reason: str
) -> None:
    result = segdata("tif-slice", *nuclei, *options)
    assert (result.exit_code, reason in result.output) == (code, True), result.output
