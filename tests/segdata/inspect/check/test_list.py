"""Each fault of a list and its files is found with the right code, and nothing else is."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segdata.dataset import open_dataset
from segdata.errors import FaultsError, OnError, OptionError
from segdata.images.values import ValueRange
from segdata.inspect.check import CheckReport, check
from segdata.inspect.check.findings import WARNINGS
from segdata.labels.classes import Classes
from segdata.labels.colormap import voc_palette
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, read_list
from segdata.mindrecord.header import PAGE_SIZES
from segdata.miniature.voc import write_devkit
from segdata.records.convert import to_mindrecord
from segdata.sources.voc import voc_decolor, voc_list

SAMPLES = 40


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("voc") / "data"
    write_devkit(root, train=SAMPLES, val=2)
    voc_decolor(root)
    voc_list(root)
    return root


@dataclass
class Planted:
    """Copy of a clean data set for planting faults, each into the sample with its number."""

    root: Path
    pairs: list[Pair]
    lines: list[str]
    other: list[str] = field(default_factory=list)

    @property
    def list(self) -> Path:
        return self.root / "list.txt"

    def image(self, number: int) -> Path:
        return self.root / self.pairs[number].image

    def label(self, number: int) -> Path:
        return self.root / self.pairs[number].label

    def pixels(self, number: int) -> np.ndarray:
        return np.asarray(Image.open(self.label(number)))

    def write_label(self, number: int, values: np.ndarray) -> None:
        self.label(number).write_bytes(encode_index_png(values.astype(np.uint8)))

    def check(self, **options: Any) -> CheckReport:
        self.list.write_text("".join(f"{line}\n" for line in self.lines))
        if self.other:
            (self.root / "other.txt").write_text("".join(f"{line}\n" for line in self.other))
            options["against"] = [open_dataset(self.root / "other.txt")]
        return check(self.list, **options)


@pytest.fixture
def planted(clean: Path, tmp_path: Path) -> Planted:
    shutil.copytree(clean, tmp_path / "data")
    pairs = read_list(clean / "voc_train_lst.txt")
    return Planted(tmp_path / "data", pairs, [f"{pair.image} {pair.label}" for pair in pairs])


def counts(report: CheckReport) -> dict[str, int]:
    return {finding.code: finding.count for finding in report.findings}


def png_of(width: int, height: int) -> bytes:
    """Return an 8-bit gray PNG that claims to be of that size."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(b""), b"IEND")
    framed = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def save_as(mode: str) -> Callable[[Planted, int], object]:
    return lambda at, n: Image.open(at.image(n)).convert(mode).save(at.image(n), "TIFF")


def turn(at: Planted, n: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(at.image(n)).save(at.image(n), exif=exif)


def palette_label(at: Planted, n: int) -> None:
    image = Image.fromarray(at.pixels(n))
    image.putpalette(voc_palette().tobytes())
    image.save(at.label(n))


def label_from_color(at: Planted, n: int) -> None:
    Image.fromarray(voc_palette()[at.pixels(n)]).convert("L").save(at.label(n))


def foreign_value(at: Planted, n: int) -> None:
    values = at.pixels(n).copy()
    values[3, 5] = 77
    at.write_label(n, values)


def copy_of(at: Planted, n: int, *, same_label: bool) -> None:
    """Copy the image of a sample under another name, with the same label or a different one."""
    shutil.copy(at.image(n), at.root / f"copy{n}.jpg")
    shutil.copy(at.label(n), at.root / f"copy{n}.png")
    if not same_label:
        (at.root / f"copy{n}.png").write_bytes(encode_index_png(np.where(at.pixels(n) == 0, 0, 3).astype(np.uint8)))
    at.lines.append(f"copy{n}.jpg copy{n}.png")


def overlap_by_name(at: Planted, n: int) -> None:
    path = at.root / "elsewhere" / at.image(n).name
    path.parent.mkdir()
    path.write_bytes(b"another picture")
    at.other.append(f"elsewhere/{path.name} {at.pairs[n].label}")


def overlap_by_content(at: Planted, n: int) -> None:
    shutil.copy(at.image(n), at.root / f"elsewhere{n}.jpg")
    at.other.append(f"elsewhere{n}.jpg {at.pairs[n].label}")


#: Faults found without options, with their code; each changes only the sample with its number.
FAULTS: dict[str, tuple[str, Callable[[Planted, int], object]]] = {
    "no image": ("missing_image", lambda at, n: at.image(n).unlink()),
    "no label": ("missing_label", lambda at, n: at.label(n).unlink()),
    "image outside": ("outside_root", lambda at, n: at.lines.append(f"../{n}.jpg {at.pairs[n].label}")),
    "label outside": ("outside_root", lambda at, n: at.lines.__setitem__(n, f"{at.pairs[n].image} /etc/{n}.png")),
    "image of 0 bytes": ("empty_file", lambda at, n: at.image(n).write_bytes(b"")),
    "label of 0 bytes": ("empty_file", lambda at, n: at.label(n).write_bytes(b"")),
    "invalid image": ("unreadable", lambda at, n: at.image(n).write_text("<html>")),
    "invalid label": ("unreadable", lambda at, n: at.label(n).write_text("<html>")),
    "image that is a FIFO": ("unreadable", lambda at, n: make_fifo(at.image(n))),
    "label that is a FIFO": ("unreadable", lambda at, n: make_fifo(at.label(n))),
    "image that is a folder": ("unreadable", lambda at, n: (at.image(n).unlink(), at.image(n).mkdir())),
    "image cut in its header": ("truncated", lambda at, n: cut(at.image(n), 100)),
    "label cut": ("truncated", lambda at, n: cut(at.label(n), 90)),
    "image that claims to be huge": ("too_large", lambda at, n: at.image(n).write_bytes(png_of(100_000, 100_000))),
    "label that claims to be huge": ("too_large", lambda at, n: at.label(n).write_bytes(png_of(100_000, 100_000))),
    "image of another size": ("size_mismatch", lambda at, n: Image.new("RGB", (50, 40)).save(at.image(n))),
    "label of another size": ("size_mismatch", lambda at, n: at.write_label(n, at.pixels(n)[1:])),
    "image stored turned": ("rotated", turn),
    "gray image": ("mixed_modes", save_as("L")),
    "CMYK image": ("unsupported_image", save_as("CMYK")),
    "image with alpha": ("mixed_modes", save_as("RGBA")),
    "1-bit image": ("mixed_modes", save_as("1")),
    "16-bit image": ("no_value_range", save_as("I;16")),
    "palette label": ("label_mode", palette_label),
    "RGB label": ("label_mode", lambda at, n: Image.fromarray(voc_palette()[at.pixels(n)]).save(at.label(n))),
    "16-bit label": ("label_mode", lambda at, n: Image.fromarray(at.pixels(n).astype(np.uint16)).save(at.label(n))),
    "JPEG label": ("label_mode", lambda at, n: Image.fromarray(at.pixels(n)).save(at.label(n), "JPEG")),
    "label gray from color": ("gray_from_color", label_from_color),
    "value of no class": ("value_outside_classes", foreign_value),
    "label of void": ("label_all_ignore", lambda at, n: at.write_label(n, np.full_like(at.pixels(n), 255))),
    "image listed twice": ("duplicate_image", lambda at, n: at.lines.append(at.lines[n])),
    "line of three": ("broken_line", lambda at, n: at.lines.append(f"{at.lines[n]} x")),
    "line of one": ("broken_line", lambda at, n: at.lines.append(at.pairs[n].image)),
    "image in the other list": ("overlap", lambda at, n: at.other.append(at.lines[n])),
    "name in the other list": ("overlap_name", overlap_by_name),
}

#: Faults found only with an option.
WITH_OPTION: dict[str, tuple[str, Callable[[Planted, int], object], str]] = {
    "image cut": ("truncated", lambda at, n: cut(at.image(n), 2000), "decode"),
    "content twice": ("duplicate_content", lambda at, n: copy_of(at, n, same_label=True), "hash"),
    "content twice, labels differ": ("label_conflict", lambda at, n: copy_of(at, n, same_label=False), "hash"),
    "content in the other list": ("overlap_content", overlap_by_content, "hash"),
}


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
    assert tuple(map(str, finding.examples)) == tuple(f"{pair.image}: missing" for pair in planted.pairs[3:13])
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
    planted.write_label(3, np.ones_like(planted.pixels(3)))
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


def test_a_stem_that_several_images_have_is_no_name_to_compare(planted: Planted) -> None:
    planted.other = [f"a/{planted.image(2).name} a.png", f"b/{planted.image(2).name} b.png"]
    assert counts(planted.check()) == {}


def test_images_to_compare_with_must_be_readable(planted: Planted) -> None:
    planted.other = ["gone.jpg gone.png"]
    assert counts(planted.check()) == {}
    with pytest.raises(FaultsError, match=r"1 image to compare with cannot be read:\n  gone\.jpg: missing"):
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
    with pytest.raises(FaultsError, match="only class 0 is left") as caught:
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
def test_a_file_that_is_no_list_is_a_finding(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    report = check(path)
    (finding,) = report.findings
    assert (finding.code, finding.count) == ("not_a_dataset", 1)
    assert str(finding.examples[0]).startswith(f"{path}: {sentence}")
    assert (report.kind, report.task, report.samples, report.ok()) == ("list", None, 0, False)


def test_an_option_that_does_not_fit_is_no_finding(planted: Planted) -> None:
    with pytest.raises(OptionError, match="does not take images"):
        planted.check(images=planted.root)


def test_an_open_data_set_is_taken_as_it_is(planted: Planted) -> None:
    planted.image(4).unlink()
    planted.check()
    assert check(open_dataset(planted.list)) == check(planted.list)
