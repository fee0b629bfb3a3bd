"""Each fault of a list and its files is found with the right code, and nothing else is."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from planted_list import FAULTS, WITH_OPTION, Planted, counts, planted_copy, save_as

from segdata.errors import FaultsError, OnError, OptionError
from segdata.images.values import ValueRange
from segdata.inspect.check import check
from segdata.inspect.check.findings import WARNINGS
from segdata.labels.classes import Classes
from segdata.lists import read_list
from segdata.mindrecord.header import PAGE_SIZES
from segdata.miniature.voc import write_devkit
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor

SAMPLES = 40


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("voc") / "data"
    write_devkit(root, train=SAMPLES, val=2)
    voc_decolor(root)
    voc_list(root)
    return root


@pytest.fixture
def planted(clean: Path, tmp_path: Path) -> Planted:
    return planted_copy(clean, tmp_path / "data")


def test_nothing_is_found_in_a_clean_set(planted: Planted) -> None:
    planted.other = [f"{pair.image} {pair.label}" for pair in read_list(planted.root / "voc_val_lst.txt")]
    report = planted.check(hash=True, decode=True)
    assert report.findings == ()
    assert (report.kind, report.task, report.samples) == ("list", "semantic", SAMPLES)
    assert (report.hashed, report.decoded) == (True, True)
    assert (report.path, report.against) == (str(planted.list), (str(planted.root / "other.txt"),))
    assert report.ok(strict=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_as_what_it_is_and_alone(planted: Planted, fault: str) -> None:
    code, plant = FAULTS[fault]
    plant(planted, 7)
    assert counts(planted.check()) == {code: 1}


@pytest.mark.parametrize("fault", WITH_OPTION)
def test_a_fault_that_an_option_finds(planted: Planted, fault: str) -> None:
    code, plant, option = WITH_OPTION[fault]
    plant(planted, 7)
    assert counts(planted.check()) == {}
    assert counts(planted.check(**{option: True})) == {code: 1}


def test_all_faults_at_once_are_all_found_whatever_the_workers(planted: Planted) -> None:
    plants = [*FAULTS.values(), *(found[:2] for found in WITH_OPTION.values())]
    for number, (_, plant) in enumerate(plants):
        plant(planted, number)
    report = planted.check(hash=True, decode=True, workers=1)
    codes = [code for code, _ in plants]
    assert counts(report) == {code: codes.count(code) for code in codes}
    assert report == planted.check(hash=True, decode=True, workers=4)
    severities = [(finding.severity, finding.code) for finding in report.findings]
    assert severities == sorted(severities)
    assert report.errors + report.warnings == len(plants)
    assert (report.warnings, report.ok()) == (sum(code in WARNINGS for code in codes), False)


def test_examples_come_in_the_order_of_the_list_and_the_rest_is_counted(planted: Planted) -> None:
    for number in range(20, 2, -1):
        planted.image(number).unlink()
    (finding,) = planted.check().findings
    assert tuple(map(str, finding.examples)) == tuple(f"{pair.image}: does not exist" for pair in planted.pairs[3:13])
    assert (finding.count, finding.severity) == (18, "error")


def test_a_row_beyond_the_limit_of_mindrecord_is_named_with_its_size(planted: Planted) -> None:
    label = planted.label(7).stat().st_size
    # A row has its length and those of both its files in front, 8 bytes each.
    os.truncate(planted.image(7), PAGE_SIZES[1] - label - 24)
    assert counts(planted.check()) == {}
    os.truncate(planted.image(7), PAGE_SIZES[1] - label - 23)
    (finding,) = planted.check().findings
    assert (finding.code, finding.severity) == ("too_large", "error")
    assert tuple(map(str, finding.examples)) == (
        f"{planted.pairs[7].image}: its row would have 268,435,457 bytes; expected at most 268,435,456 (256 MiB), "
        "the limit of MindRecord",
    )


def test_masks_of_0_and_255_are_told_where_no_other_value_is(planted: Planted) -> None:
    for number in range(SAMPLES):
        planted.write_label(number, np.where(planted.pixels(number) % 255, 255, 0))
    assert counts(planted.check()) == {"binary_mask": 1}
    assert counts(planted.check(classes=Classes(("a", "b")))) == {"binary_mask": 1}
    assert counts(planted.check(classes=Classes(tuple(map(str, range(256))), ignore_label=9)))["class_unused"] == 254
    # Labels of two programs: 1 is the object in one of them, and 255 in the others.
    planted.write_label(3, np.ones_like(planted.pixels(3)))
    assert counts(planted.check()) == {"binary_among_classes": SAMPLES - 1}
    converted = to_mindrecord(open_dataset(planted.list, classes=Classes(("a", "b"))), planted.list.parent / "set")
    assert Counter(fault.code for fault in converted.warnings)["binary_among_classes"] == SAMPLES - 1
    # With ignored pixels beside a class, 255 is the ignore label.
    beside = np.ones_like(planted.pixels(4))
    beside[0] = 255
    planted.write_label(4, beside)
    assert counts(planted.check()) == {}


def test_classes_that_no_label_has_are_told_where_the_classes_are_named(planted: Planted) -> None:
    (finding,) = planted.check(classes=Classes(("ground", "ellipse", "rectangle", "triangle", "star", "moon"))).findings
    assert (finding.code, finding.severity) == ("class_unused", "warning")
    assert tuple(map(str, finding.examples)) == (
        "class 'star': appears in no sample",
        "class 'moon': appears in no sample",
    )


def test_what_an_unreadable_label_holds_is_not_guessed(planted: Planted) -> None:
    planted.label(5).unlink()
    assert counts(planted.check(classes=Classes(("ground", "ellipse", "rectangle", "triangle", "star")))) == {
        "missing_label": 1
    }


def test_images_that_are_all_alike_are_not_mixed_but_deep_ones_need_a_value_range(planted: Planted) -> None:
    for number in range(SAMPLES):
        save_as("L")(planted, number)
    assert counts(planted.check()) == {}
    for number in range(SAMPLES):
        save_as("I;16")(planted, number)
    assert counts(planted.check()) == {"no_value_range": SAMPLES}
    assert counts(planted.check(value_range=ValueRange(0, 255))) == {}


def test_a_stem_that_several_images_have_is_not_compared(planted: Planted) -> None:
    planted.other = [f"a/{planted.image(2).name} a.png", f"b/{planted.image(2).name} b.png"]
    assert counts(planted.check()) == {}


def test_images_to_compare_with_must_be_readable(planted: Planted) -> None:
    planted.other = ["gone.jpg gone.png"]
    assert counts(planted.check()) == {}
    with pytest.raises(FaultsError, match=r"1 image to compare with cannot be read:\n  gone\.jpg: does not exist"):
        planted.check(hash=True)


#: Faults that are found only by comparison with another data set, or of the bytes of all images.
COMPARED = {"overlap", "overlap_content", "label_conflict"}


@pytest.mark.parametrize("fault", [*FAULTS, *WITH_OPTION])
def test_to_mindrecord_refuses_what_is_an_error_and_nothing_else(planted: Planted, tmp_path: Path, fault: str) -> None:
    code, plant, *options = (FAULTS | WITH_OPTION)[fault]
    plant(planted, 7)
    planted.check()
    source = open_dataset(planted.list, faults=[])
    convert = partial(to_mindrecord, source, tmp_path / "set", dry_run=True, decode=options == ["decode"])
    if code in WARNINGS or code in COMPARED:
        assert convert().faults == ()
        return
    with pytest.raises(FaultsError, match="1 fault; nothing was written") as caught:
        convert()
    (found,) = caught.value.faults
    assert found.code == code
    assert convert(on_error="skip").faults == (found,)


def test_faults_of_all_kinds_are_named_in_one_round(planted: Planted, tmp_path: Path) -> None:
    planted.lines += ["one", planted.lines[0]]
    planted.image(3).unlink()
    planted.label(4).write_bytes(b"")
    planted.check()
    with pytest.raises(FaultsError, match="4 faults; nothing was written") as caught:
        to_mindrecord(open_dataset(planted.list, faults=[]), tmp_path / "set")
    codes = [found.code for found in caught.value.faults]
    assert codes == ["broken_line", "duplicate_image", "missing_image", "empty_file"]
    assert str(planted.list) in str(caught.value)


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_masks_of_0_and_255_are_refused_whatever_is_skipped(
    planted: Planted, tmp_path: Path, on_error: OnError
) -> None:
    for number in range(SAMPLES):
        planted.write_label(number, np.where(planted.pixels(number) % 255, 255, 0))
    planted.check()
    source = open_dataset(planted.list, classes=Classes(("a", "b")))
    with pytest.raises(FaultsError, match="only class 0 would be left") as caught:
        to_mindrecord(source, tmp_path / "set", on_error=on_error)
    assert [found.code for found in caught.value.faults] == ["binary_mask"]
    source = open_dataset(planted.list, classes=Classes(tuple(map(str, range(256))), ignore_label=9))
    assert to_mindrecord(source, tmp_path / "set", dry_run=True).rows == SAMPLES


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"2012_000001\n2012_000002\n", "is an id list or an image list"),
        (b"\xff\xd8\xff\xe0", "not UTF-8 text (byte 0)"),
        (b"# nothing\n", "contains no samples"),
    ],
)
def test_a_file_that_is_not_a_list_is_a_finding(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    report = check(path)
    (finding,) = report.findings
    assert (finding.code, finding.count) == ("not_a_dataset", 1)
    assert str(finding.examples[0]).startswith(f"{path}: {sentence}")
    assert (report.kind, report.task, report.samples, report.ok()) == ("list", None, 0, False)


def test_an_option_that_does_not_fit_is_an_error_and_not_a_finding(planted: Planted) -> None:
    with pytest.raises(OptionError, match="does not take --images"):
        planted.check(images=planted.root)


def test_an_open_data_set_is_taken_as_it_is(planted: Planted) -> None:
    planted.image(4).unlink()
    planted.check()
    assert check(open_dataset(planted.list)) == check(planted.list)


def test_options_for_opening_are_refused_if_the_data_set_is_open(planted: Planted) -> None:
    planted.check()
    dataset = open_dataset(planted.list)
    with pytest.raises(OptionError, match="is open already; give classes, crowd to open_dataset"):
        check(dataset, classes=Classes(("a", "b")), crowd="object")
