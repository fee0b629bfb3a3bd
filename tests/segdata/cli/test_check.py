"""check as a user types it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from segdata.errors import Fault
from segdata.inspect.check import CheckReport, check
from segdata.lists import read_list
from segdata.miniature.coco import write_coco
from segdata.miniature.voc import write_devkit
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("check") / "data"
    write_devkit(root, train=5, val=2)
    voc_decolor(root)
    voc_list(root)
    return root


@pytest.fixture
def root(clean: Path, tmp_path: Path) -> Path:
    shutil.copytree(clean, tmp_path / "data")
    return tmp_path / "data"


def image(root: Path, number: int) -> Path:
    return root / read_list(root / "voc_train_lst.txt")[number].image


def turn(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(path).save(path, exif=exif)


def test_class_names_beside_a_list_are_named_if_none_are_given(segdata: Run, root: Path) -> None:
    path, names = root / "voc_train_lst.txt", root / "classes.txt"
    names.write_text("".join(f"c{id_}\n" for id_ in range(21)))
    assert f"For those beside the list, add --class_names {names}" in segdata("check", path).output
    assert "not given" not in segdata("check", path, "--class_names", names).output


def test_a_clean_list_is_one_line(segdata: Run, root: Path) -> None:
    path = root / "voc_train_lst.txt"
    result = segdata("check", path)
    assert (result.exit_code, result.output.strip()) == (
        0,
        f"{path}: 0 errors, 0 warnings in 5 samples (image headers read)\n"
        "not given  class names: VOC's 21 are assumed. Give others with --class_names or --num_classes",
    )
    assert "not given" not in segdata("check", path, "--num_classes", 21).output


def test_each_kind_has_a_line_its_cases_and_what_to_do(segdata: Run, root: Path) -> None:
    for number in range(2):
        image(root, number).unlink()
    turn(image(root, 3))
    result = segdata("check", root / "voc_train_lst.txt")
    header, missing, rotated, totals = result.output.strip().split("\n\n")
    assert header.split() == ["code", "severity", "count"]
    assert missing.split("\n")[0].split() == ["missing_image", "error", "2"]
    assert missing.split("\n")[1] == f"  {image(root, 0).relative_to(root)}: does not exist"
    assert missing.split("\n")[-1].startswith("  → Restore the files")
    assert rotated.split("\n")[0].split() == ["rotated", "warning", "1"]
    assert "2 errors, 1 warning in 5 samples" in totals
    assert result.exit_code == 1


def test_cases_beyond_ten_are_counted(segdata: Run, root: Path) -> None:
    (root / "l.txt").write_text("".join(f"{n}.jpg {n}.png\n" for n in range(13)))
    output = segdata("check", root / "l.txt").output
    assert "  9.jpg: does not exist\n  … and 3 more\n" in output
    assert "10.jpg" not in output


def test_warnings_fail_when_strict(segdata: Run, root: Path) -> None:
    turn(image(root, 3))
    assert segdata("check", root / "voc_train_lst.txt").exit_code == 0
    assert segdata("check", root / "voc_train_lst.txt", "--strict").exit_code == 1
    assert segdata("check", root / "voc_val_lst.txt", "--strict").exit_code == 0


def test_the_json_is_the_complete_report(segdata: Run, root: Path) -> None:
    image(root, 1).write_bytes(b"")
    path = root / "voc_train_lst.txt"
    result = segdata("check", path, "--json", "--decode", "--hash")
    assert result.exit_code == 1
    every: list[Fault] = []
    assert msgspec.json.decode(result.output, type=CheckReport) == check(path, decode=True, hash=True, every=every)
    assert len(every) == 1


def test_json_and_csv_have_all_faults(segdata: Run, root: Path, tmp_path: Path) -> None:
    (root / "l.txt").write_text("".join(f"{n}.jpg {n}.png\n" for n in range(13)))
    table = tmp_path / "faults.csv"
    result = segdata("check", root / "l.txt", "--json", "--dst_path", table)
    assert result.exit_code == 1
    faults = json.loads(result.output)["faults"]
    assert [fault["where"] for fault in faults if fault["code"] == "missing_image"] == [f"{n}.jpg" for n in range(13)]
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["code"], row["where"], row["what"]) for row in rows] == [tuple(fault.values()) for fault in faults]
    assert {row["severity"] for row in rows} == {"error"}
    # It replaces nothing on its own, and says so before it checks.
    table.write_text("code,severity,where,what\r\nearlier,error,a,b\r\n", newline="")
    refused = segdata("check", root / "l.txt", "--out", table)
    assert (refused.exit_code, "already exists" in refused.output, "missing_image" in refused.output) == (
        1,
        True,
        False,
    )
    segdata("check", root / "l.txt", "--out", table, "--overwrite")
    assert "earlier" not in table.read_text()


@pytest.mark.parametrize("target", ["list", "image", "names", "empty"])
def test_no_file_but_an_earlier_table_is_replaced(segdata: Run, root: Path, tmp_path: Path, target: str) -> None:
    source = tmp_path / "train.txt"
    source.write_bytes((root / "voc_train_lst.txt").read_bytes())
    image = tmp_path / "image.jpg"
    image.write_bytes(next(root.rglob("*.jpg")).read_bytes())
    (tmp_path / "names.txt").write_text("a\nb\n")
    (tmp_path / "empty.csv").touch()
    path = {"list": source, "image": image, "names": tmp_path / "names.txt", "empty": tmp_path / "empty.csv"}[target]
    before = path.read_bytes()
    result = segdata("check", source, "--data_root", root, "--out", path, "--overwrite")
    assert (result.exit_code, "is not a CSV file of segdata check" in result.output) == (1, True)
    assert path.read_bytes() == before


def test_training_and_validation_are_held_against_each_other(segdata: Run, root: Path) -> None:
    train, val, both = (root / f"voc_{split}_lst.txt" for split in ("train", "val", "trainval"))
    assert segdata("check", train, "--against", val, "--hash").exit_code == 0
    result = segdata("check", train, "--against", val, "--against", both)
    assert (result.exit_code, "overlap" in result.output, f"also in {both}" in result.output) == (1, True, True)


def test_the_images_of_a_json_to_compare_with_are_named(segdata: Run, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        write_coco(tmp_path / name, seed=seed)
    a, b = (tmp_path / name / "annotations" / "instances.json" for name in "ab")
    text = b.read_text()
    for number in range(1, 13):
        text = text.replace(f"{number:012}.jpg", f"b{number}.jpg")
        (tmp_path / "b" / "images" / f"{number:012}.jpg").rename(tmp_path / "b" / "images" / f"b{number}.jpg")
    b.write_text(text)
    (tmp_path / "b" / "images").rename(tmp_path / "b" / "elsewhere")
    assert segdata("check", a, "--against", b).exit_code == 0
    result = segdata("check", a, "--against", b, "--hash")
    assert (result.exit_code, "12 images to compare with cannot be read" in result.output) == (1, True)
    images = ("--against_images", tmp_path / "b" / "elsewhere")
    assert segdata("check", a, "--against", b, "--hash", *images).exit_code == 0
    shutil.copy(tmp_path / "a" / "images" / "000000000003.jpg", tmp_path / "b" / "elsewhere" / "b5.jpg")
    result = segdata("check", a, "--against", b, "--hash", *images)
    assert (result.exit_code, "000000000003.jpg: has the same content as b5.jpg" in result.output) == (1, True)


def test_lists_with_other_data_roots_are_compared(segdata: Run, tmp_path: Path) -> None:
    for name, seeds in (("a", (0, 1)), ("b", (1, 2))):
        for kind in ("images", "labels"):
            (tmp_path / name / kind).mkdir(parents=True)
        for seed in seeds:
            image = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / name / "images" / f"{name}{seed}.png")
            Image.fromarray(image[..., 0] // 200).save(tmp_path / name / "labels" / f"{name}{seed}.png")
        lines = [f"images/{name}{seed}.png labels/{name}{seed}.png\n" for seed in seeds]
        (tmp_path / f"{name}.txt").write_text("".join(lines))
    given = ("check", tmp_path / "a.txt", "--data_root", tmp_path / "a", "--num_classes", 2, "--hash")
    refused = segdata(*given, "--against", tmp_path / "b.txt")
    assert (refused.exit_code, f"Use --against_images {tmp_path / 'b'}." in refused.output) == (1, True)
    result = segdata(*given, "--against", tmp_path / "b.txt", "--against_images", tmp_path / "b")
    assert (result.exit_code, "a1.png: has the same content as images/b1.png" in result.output) == (1, True)


@pytest.mark.parametrize("command", ["check", "fix --dst_path new.txt"])
def test_a_folder_of_nothing_to_compare_with_is_refused(
    segdata: Run, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = segdata(*command.split(), root / "voc_train_lst.txt", "--against_images", root)
    assert (result.exit_code, "--against_images: has no effect without --against" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("{root}/none.txt",), 2, "does not exist"),
        (("{root}/voc_train_lst.txt", "--against", "{root}/none.txt"), 2, "does not exist"),
        (("{root}/voc_train_lst.txt", "--images", "{root}"), 1, "does not take --images"),
        (("{root}/voc_train_lst.txt", "--num_classes", "2"), 1, "value_outside_classes"),
        (("{root}/voc_train_lst.txt", "--data_root", "{root}/VOCdevkit"), 1, "all are below {root}. Use --data_root"),
        (("{root}/VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt",), 1, "an id list"),
        (("{root}",), 1, "{root}: a folder with no record set; expected a list file, a COCO JSON"),
        (("{root}/voc_train_lst.txt", "--against", "{root}"), 1, "no record set"),
        (("{root}/voc_train_lst.txt", "--workers", "0"), 2, "not in the range"),
        ((), 2, "Missing argument"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_status(
    segdata: Run, clean: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    result = segdata("check", *(argument.format(root=clean) for argument in arguments))
    assert (result.exit_code, sentence.format(root=clean) in result.output) == (status, True), result.output
    assert "Traceback" not in result.output
