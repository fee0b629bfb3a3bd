"""Check of list pairs: every fault of a pair is found before anything is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.images.values import ValueRange
from segdata.labels.classes import Classes
from segdata.labels.colormap import voc_palette
from segdata.lists import Pair
from segdata.parallel import silent
from segdata.records.rows import Rows
from segdata.records.semantic import check_pairs, inspect_pair, pair_files, read_pair_row

IDS = np.array([[0, 1, 1, 255], [0, 0, 20, 255]], np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Image.new("RGB", (4, 2), (9, 9, 9)).save(tmp_path / "a.jpg")
    Image.fromarray(IDS).save(tmp_path / "a.png")
    return tmp_path


def check(root: Path, image: str = "a.jpg", label: str = "a.png", *, decode: bool = False) -> Rows[Pair]:
    pairs = [Pair(image, label)]
    return check_pairs(pairs, root, Classes(), value_range=None, decode=decode, workers=1, progress=silent)


def test_a_good_pair_is_counted_pixel_by_pixel(root: Path) -> None:
    rows = check(root)
    assert rows.faults == ()
    assert rows.payload_bytes == (root / "a.jpg").stat().st_size + (root / "a.png").stat().st_size
    assert {info.id: info.pixels for info in rows.classes if info.pixels} == {0: 3, 1: 2, 20: 1}
    assert rows.ignore_pixels == 2


def test_ignored_pixels_count_once_if_the_ignore_label_is_a_class_id(root: Path) -> None:
    classes = Classes(tuple(map(str, range(21))), 0)
    Image.fromarray(np.where(IDS == 255, 1, IDS).astype(np.uint8)).save(root / "a.png")
    pairs = [Pair("a.jpg", "a.png")]
    rows = check_pairs(pairs, root, classes, value_range=None, decode=False, workers=1, progress=silent)
    assert rows.ignore_pixels == 3
    assert {info.id: info.pixels for info in rows.classes if info.pixels} == {1: 4, 20: 1}
    assert rows.classes[0].images == 0


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def rgb_label(root: Path) -> None:
    Image.fromarray(voc_palette()[IDS]).save(root / "a.png")


def palette_label(root: Path) -> None:
    image = Image.fromarray(IDS)
    image.putpalette(voc_palette().tobytes())
    image.save(root / "a.png")


def gray_of_color(root: Path) -> None:
    Image.fromarray(voc_palette()[IDS]).convert("L").save(root / "a.png")


def foreign_value(root: Path) -> None:
    Image.fromarray(np.where(IDS == 20, 77, IDS).astype(np.uint8)).save(root / "a.png")


def other_size(root: Path) -> None:
    Image.new("RGB", (5, 2)).save(root / "a.jpg")


def turned_by_exif(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2, 4)).save(root / "a.jpg", exif=exif)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda root: (root / "a.jpg").unlink(), "a.jpg: does not exist"),
        (lambda root: (root / "a.png").unlink(), "a.png: does not exist"),
        (lambda root: (root / "a.jpg").write_bytes(b""), "a.jpg: is empty (0 bytes); expected an image"),
        (lambda root: (root / "a.jpg").write_text("<html>"), "a.jpg: not a readable image"),
        (lambda root: (root / "a.png").write_bytes((root / "a.png").read_bytes()[:60]), "a.png: truncated: 60 bytes"),
        (lambda root: make_fifo(root / "a.jpg"), "a.jpg: is a FIFO; expected a regular file"),
        (lambda root: make_fifo(root / "a.png"), "a.png: is a FIFO; expected a regular file"),
        (lambda root: os.truncate(root / "a.jpg", 1 << 28), "a.jpg: its row would have 268,4"),
        (rgb_label, "a.png: 8-bit RGB PNG; expected class ids"),
        (palette_label, "a.png: 8-bit palette PNG; expected class ids"),
        (gray_of_color, "a.png: gray made from color"),
        (foreign_value, "a.png: pixel (x=2, y=1) has value 77; expected 0 to 20 or 255"),
        (other_size, "a.jpg: 5 x 2 pixels, but its label has 4 x 2"),
        (turned_by_exif, "a.jpg: 2 x 4 pixels (EXIF orientation 6), but its label has 4 x 2"),
    ],
)
def test_each_fault_is_a_sentence_and_no_row(root: Path, spoil: Callable[[Path], object], fault: str) -> None:
    spoil(root)
    rows = check(root)
    assert len(rows.faults) == 1
    assert str(rows.faults[0]).startswith(fault)
    assert rows.items == ()
    assert not any(info.pixels for info in rows.classes)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_file_that_became_a_fifo_after_the_check_is_not_waited_for(root: Path, name: str) -> None:
    make_fifo(root / name)
    with pytest.raises(InvalidInputError, match="is a FIFO; expected a regular file"):
        read_pair_row(root, Pair("a.jpg", "a.png"))


def test_both_files_of_a_pair_can_be_at_fault(root: Path) -> None:
    assert [str(fault) for fault in check(root, "b.jpg", "b.png").faults] == [
        "b.jpg: does not exist",
        "b.png: does not exist",
    ]


def test_paths_that_leave_the_root_are_faults(root: Path) -> None:
    assert "is outside the data root" in str(check(root / "..", "../../etc/passwd").faults[0])


def test_a_truncated_image_is_found_by_decoding(root: Path) -> None:
    Image.effect_noise((300, 300), 50).save(root / "b.jpg")
    Image.new("L", (300, 300)).save(root / "b.png")
    (root / "b.jpg").write_bytes((root / "b.jpg").read_bytes()[:2000])
    assert check(root, "b.jpg", "b.png").faults == ()
    assert "truncated" in str(check(root, "b.jpg", "b.png", decode=True).faults[0])


def test_an_image_stored_turned_is_reported(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (4, 2)).save(root / "a.jpg", exif=exif)
    rows = check(root)
    assert rows.faults == ()
    assert [str(fault) for fault in rows.warnings] == ["a.jpg: EXIF orientation 3"]


def test_two_pairs_add_up(root: Path) -> None:
    Image.new("L", (3, 1), 5).save(root / "b.png")
    Image.fromarray(np.array([[1, 1, 255]], np.uint8)).save(root / "b_label.png")
    pairs = [Pair("a.jpg", "a.png"), Pair("missing.jpg", "a.png"), Pair("b.png", "b_label.png")]
    rows = check_pairs(pairs, root, Classes(), value_range=None, decode=False, workers=1, progress=silent)
    good = [pairs[0], pairs[2]]
    names = [(root / name).stat().st_size for pair in good for name in (pair.image, pair.label)]
    assert (rows.items, rows.keys, rows.samples, rows.empty) == (tuple(good), ("a.jpg", "b.png"), 3, 0)
    assert rows.payload_bytes == sum(names)
    assert {info.id: (info.pixels, info.images) for info in rows.classes if info.pixels} == {
        0: (3, 1),
        1: (4, 2),
        20: (1, 1),
    }
    assert [info.name for info in rows.classes] == list(Classes().names)
    assert [info.original_id for info in rows.classes] == list(range(21))
    assert (rows.ignore_label, rows.ignore_pixels) == (255, 3)
    assert (rows.images.samples, rows.images.color) == ({"uint8": 2}, 1)
    assert [fault.where for fault in rows.faults] == ["missing.jpg"]
    assert rows.sizes.shape == (2, 3) and rows.sizes.dtype == np.int64
    # The blob has the length of the row and of each of its two files, in 8 bytes each, and the files.
    assert rows.sizes[:, 0].tolist() == [24 + sum(names[:2]), 24 + sum(names[2:])]


def test_the_row_of_a_pair_has_both_files_and_the_mark_of_its_check(root: Path) -> None:
    rows = check(root)
    row, mark = rows.read(rows.items[0])
    assert row == {
        "file_name": "a.jpg",
        "data": (root / "a.jpg").read_bytes(),
        "label": (root / "a.png").read_bytes(),
    }
    assert mark == rows.change_marks[0]


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_file_that_changed_after_the_check_changes_the_mark(root: Path, name: str) -> None:
    rows = check(root)
    (root / name).write_bytes((root / name).read_bytes() + b"x")
    assert rows.read(rows.items[0])[1] != rows.change_marks[0]


def test_a_file_that_is_gone_after_the_check_is_named(root: Path) -> None:
    for name in ("a.png", "a.jpg"):
        (root / name).unlink()
        with pytest.raises(InvalidInputError, match=rf"^{name}: "):
            read_pair_row(root, Pair("a.jpg", "a.png"))


def test_labels_of_black_and_white_masks_are_fatal(root: Path) -> None:
    Image.fromarray(np.where(IDS == 0, 0, 255).astype(np.uint8)).save(root / "a.png")
    assert [fault.code for fault in check(root).fatal] == ["binary_mask"]
    assert check(root).faults == ()


def test_an_image_of_16_bits_needs_a_value_range(root: Path) -> None:
    Image.fromarray(np.full((2, 4), 1000, np.uint16)).save(root / "deep.png")
    assert [fault.code for fault in check(root, "deep.png").faults] == ["no_value_range"]
    pairs = [Pair("deep.png", "a.png")]
    given = ValueRange(0, 4095)
    rows = check_pairs(pairs, root, Classes(), value_range=given, decode=False, workers=1, progress=silent)
    assert (rows.faults, rows.items, rows.value_range) == ((), tuple(pairs), given)
    assert rows.images.samples == {"uint16": 1}


def test_a_pair_without_a_label_has_counts_of_zero(root: Path) -> None:
    image, label = pair_files(root, Pair("a.jpg", "missing.png"))
    found = inspect_pair(image, label, Classes(), decode=False)
    assert (found.label, found.pixels.tolist(), found.encoded) == (None, [0] * 256, b"")
    assert [str(fault) for fault in found.faults] == ["missing.png: does not exist"]
