"""to-mindrecord, verify and info as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from segdata.miniature.voc import write_devkit
    from segdata.sources.voc import voc_list
    from segdata.sources.voc_decolor import voc_decolor

    root = tmp_path_factory.mktemp("cli") / "data"
    write_devkit(root, train=5, val=2)
    voc_decolor(root)
    voc_list(root)
    return root


def convert(segdata: Run, root: Path, target: Path, *options: object) -> Result:
    source = ("--data_root", root, "--data_lst", root / "voc_train_lst.txt", "--dst_path", target)
    return segdata("to-mindrecord", *source, "--num_shards", 2, *options)


def test_written_verified_and_described(segdata: Run, root: Path, tmp_path: Path) -> None:
    result = convert(segdata, root, tmp_path / "set")
    assert result.exit_code == 0, result.output
    assert "5 rows in 2 shards written" in result.output
    result = segdata("verify", tmp_path / "set" / "set.mindrecord1")
    assert (result.exit_code, "5 rows in 2 shards, intact" in result.output) == (0, True), result.output
    result = segdata("info", tmp_path / "set")
    assert "aeroplane" in result.output
    assert json.loads(segdata("info", tmp_path / "set", "--json").output)["manifest"]["rows"] == 5


def test_verify_fails_with_the_reason(segdata: Run, root: Path, tmp_path: Path) -> None:
    convert(segdata, root, tmp_path / "set")
    (tmp_path / "set" / "set.mindrecord0.db").unlink()
    result = segdata("verify", tmp_path / "set")
    assert (result.exit_code, "set.mindrecord0.db: does not exist" in result.output) == (1, True), result.output
    result = segdata("verify", tmp_path / "set", "--json")
    assert (result.exit_code, json.loads(result.output)["problems"]) == (1, ["set.mindrecord0.db: does not exist"])


def test_class_names_come_from_a_file(segdata: Run, root: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("ground\nellipse\nrectangle\ntriangle\n")
    result = convert(segdata, root, tmp_path / "set", "--class_names", tmp_path / "names.txt", "--json")
    assert result.exit_code == 0, result.output
    assert [info["name"] for info in json.loads(result.output)["classes"]][1] == "ellipse"
    result = convert(segdata, root, tmp_path / "b", "--class_names", tmp_path / "names.txt", "--num_classes", 3)
    assert (result.exit_code, "names 4 classes" in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    ("ignore_label", "value", "unused"), [(0, 0, ()), (0, 1, ("ground",)), (255, 0, ("thing",)), (255, 1, ("ground",))]
)
def test_the_class_with_the_ignore_label_is_unused_only_if_no_pixel_has_it_as_check_says(
    segdata: Run, tmp_path: Path, ignore_label: int, value: int, unused: tuple[str, ...]
) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    label = Image.new("L", (4, 4), value)
    # With a class that is never ignored, there is something to learn; it is not among those that are asked for.
    label.putpixel((0, 0), 2)
    if ignore_label == 0:
        label.putpixel((1, 0), 1)
    label.save(tmp_path / "b.png")
    (tmp_path / "l.txt").write_text("a.png b.png\n")
    (tmp_path / "names.txt").write_text("ground\nthing\nother\n")
    options = (tmp_path / "l.txt", "--class_names", tmp_path / "names.txt", "--ignore_label", ignore_label)
    checked = segdata("check", *options).output
    assert [name for name in ("ground", "thing") if f"class '{name}': appears in no sample" in checked] == list(unused)
    written = segdata("to-mindrecord", *options, "--num_shards", 1, "--dst_path", tmp_path / "r").output
    line = f"classes without pixels ({len(unused)} of 3): {', '.join(unused)}\n"
    assert (line in written, "classes without pixels" in written) == (bool(unused), bool(unused)), written


def test_the_samples_that_become_black_and_white_are_named(segdata: Run, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    cv2.imwrite(str(tmp_path / "a.png"), np.array([[7, 247]], np.uint16))
    cv2.imwrite(str(tmp_path / "b.png"), np.array([[0, 1]], np.uint8))
    (tmp_path / "l.txt").write_text("a.png b.png\n")
    options = ("--value_range", "7:247", "--num_shards", 1, "--dst_path", tmp_path / "r")
    assert (
        "value range 7:247: 7 becomes black, 247 white\n"
        in segdata("to-mindrecord", tmp_path / "l.txt", *options).output
    )


@pytest.mark.parametrize(("given", "found"), [(0, "no data set given"), (2, "several data sets given")])
def test_one_data_set_is_named(segdata: Run, root: Path, tmp_path: Path, given: int, found: str) -> None:
    names = ("--data_lst", root / "voc_train_lst.txt", root / "voc_val_lst.txt")[: 3 * given]
    result = segdata("to-mindrecord", *names, "--dst_path", tmp_path / "r")
    assert (result.exit_code, f"{found}; expected LIST or JSON" in result.output) == (2, True), result.output


def test_each_kind_of_warning_is_shown_even_one_without_words_of_its_own() -> None:
    from segdata.cli.records import warning_lines
    from segdata.errors import Fault

    faults = [Fault("rotated", "a.jpg", "EXIF orientation 6"), Fault("mixed_modes", "b.jpg", "gray")]
    assert warning_lines(faults) == [
        "images stored rotated, kept as stored (1):",
        "  a.jpg: EXIF orientation 6",
        "mixed_modes (1):",
        "  b.jpg: gray",
    ]


def test_pairs_that_are_left_out_are_said(segdata: Run, root: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text((root / "voc_train_lst.txt").read_text() + "gone.jpg gone.png\n")
    source = ("--data_root", root, "--data_lst", tmp_path / "list.txt", "--dst_path", tmp_path / "set")
    result = segdata("to-mindrecord", *source, "--num_shards", 2, "--on-error", "skip")
    assert result.exit_code == 0, result.output
    assert "5 of 6 samples written; left out:" in result.output
    assert "gone.jpg: does not exist" in result.output


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (("--num_shards", "6"), 1, "5 rows cannot fill 6 shards"),
        (("--num_shards", "0"), 2, "not in the range"),
        (("--num_classes", "2"), 1, "expected 0 to 1 or 255"),
        (("--class_names", "{root}/none.txt"), 2, "does not exist"),
        (("--data_lst", "{root}/VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt"), 1, "an id list"),
        (("--data_root", "{root}/VOCdevkit"), 1, "none of 5 images is below"),
        (("--dst_path", "{root}"), 1, "would delete"),
        (("--dst_path", "{root}/voc_train_lst.txt"), 1, "is a file"),
        (("--num_shard", "2"), 2, "Did you mean"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_status(
    segdata: Run, root: Path, tmp_path: Path, options: tuple[str, ...], status: int, sentence: str
) -> None:
    result = convert(segdata, root, tmp_path / "set", *(option.format(root=root) for option in options))
    assert (result.exit_code, sentence in result.output) == (status, True), result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--data_root", "{root}"),
        ("{root}/voc_train_lst.txt", "--data_lst", "{root}/voc_train_lst.txt"),
        ("--annotations", "{root}/voc_train_lst.txt", "--data_lst", "{root}/voc_train_lst.txt"),
    ],
)
def test_one_data_set_must_be_named(segdata: Run, root: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    result = segdata("to-mindrecord", "--dst_path", tmp_path / "set", *(option.format(root=root) for option in options))
    assert (result.exit_code, "--annotations" in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--images", "{root}"), "is a list file, which does not take --images"),
        (("--drop-empty",), "is a list file, which does not take --drop-empty"),
    ],
)
def test_an_option_that_a_list_does_not_take_is_refused(
    segdata: Run, root: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    result = convert(segdata, root, tmp_path / "set", *(option.format(root=root) for option in options))
    assert (result.exit_code, sentence in result.output) == (1, True), result.output


def test_a_data_set_is_named_as_for_the_other_commands(segdata: Run, root: Path, tmp_path: Path) -> None:
    published = convert(segdata, root, tmp_path / "published" / "set", "--no-shuffle")
    result = segdata(
        "to-mindrecord", root / "voc_train_lst.txt", "--dst_path", tmp_path / "set", "--num_shards", 2, "--no-shuffle"
    )
    assert (published.exit_code, result.exit_code) == (0, 0), result.output
    for path in (tmp_path / "set").iterdir():
        assert path.read_bytes() == (tmp_path / "published" / "set" / path.name).read_bytes()


@pytest.mark.parametrize("command", ["verify", "info"])
def test_a_path_without_a_set_is_refused(segdata: Run, tmp_path: Path, command: str) -> None:
    result = segdata(command, tmp_path)
    assert (result.exit_code, "no record set" in result.output) == (1, True), result.output
