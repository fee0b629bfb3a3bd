"""Each fault planted in a list is cured, or left with its question; all other lines keep their bytes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from planted_list import FAULTS, WITH_OPTION, Planted, counts, foreign_value, planted_copy, turn

from segdata.errors import Code, InvalidInputError, OptionError
from segdata.inspect.check import check
from segdata.inspect.fix import fix
from segdata.inspect.fix.report import FixReport
from segdata.inspect.fix.rounds import OF_THE_SET
from segdata.labels.classes import Classes
from segdata.labels.map_file import load_map
from segdata.labels.masks import decode_index_png
from segdata.lists import read_list
from segdata.miniature.voc import write_devkit
from segdata.opening import open_dataset
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor

#: The sample that faults are planted into.
AT = 2

#: What nobody can cure without an answer.
LEFT = {
    "image outside",
    "label outside",
    "image that claims to be huge",
    "label that claims to be huge",
    "image of another size",
    "label of another size",
    "image stored turned",
    "gray image",
    "CMYK image",
    "image with alpha",
    "1-bit image",
    "16-bit image",
    "JPEG label",
    "label gray from color",
    "value of no class",
    "name in the other list",
    "content twice, labels differ",
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("voc") / "data"
    write_devkit(root, train=5, val=1)
    voc_decolor(root)
    voc_list(root)
    return root


@pytest.fixture
def planted(clean: Path, tmp_path: Path) -> Planted:
    return planted_copy(clean, tmp_path / "data")


def fixed(planted: Planted, **options: Any) -> FixReport:
    planted.list.write_text("".join(f"{line}\n" for line in planted.lines))
    if planted.other:
        (planted.root / "other.txt").write_text("".join(f"{line}\n" for line in planted.other))
        options |= {"against": [open_dataset(planted.root / "other.txt")], "drop_from": planted.list}
    return fix(planted.list, planted.root / "fixed.txt", workers=1, **options)


def outcome(report: FixReport) -> dict[str, tuple[int, int]]:
    return {one.code: (one.cured, one.left) for one in report.codes}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith("fixed")
    }


@pytest.mark.parametrize("fault", [*FAULTS, *WITH_OPTION])
def test_a_fault_is_cured_or_left_with_its_question(planted: Planted, fault: str) -> None:
    code, plant, *options = (FAULTS | WITH_OPTION)[fault]
    plant(planted, AT)
    asked: dict[str, Any] = dict.fromkeys(options, True)
    planted.list.write_text("".join(f"{line}\n" for line in planted.lines))
    before = digests(planted.root)
    report = fixed(planted, **asked)
    assert outcome(report) == {code: (0, 1) if fault in LEFT else (1, 0)}
    assert all(bool(one.question) == bool(one.left) and bool(one.cure) == bool(one.cured) for one in report.codes)
    assert before.items() <= digests(planted.root).items()
    lines = (planted.root / "fixed.txt").read_text().splitlines()
    assert sum(line not in planted.lines for line in lines) <= 1
    assert len(lines) >= len(planted.pairs) - 1
    places: dict[str, Any] = {"data_root": Path(report.root), "workers": 1, **asked}
    if planted.other:
        places["against"] = [open_dataset(planted.root / "other.txt")]
    assert counts(check(planted.root / "fixed.txt", **places)) == {
        one.code: one.left for one in report.codes if one.left
    }
    again = fix(planted.root / "fixed.txt", planted.root / "fixed_again.txt", **places)
    assert (again.cured, again.new_files) == (0, 0)
    assert (planted.root / "fixed_again.txt").read_bytes() == (planted.root / "fixed.txt").read_bytes()


def test_comments_line_breaks_and_separators_of_other_lines_stay(planted: Planted) -> None:
    pairs = planted.pairs
    first, second, broken = (pair.image for pair in pairs[:3])
    text = f"\ufeff# mine\r\n{first}\t{pairs[0].label}\r\n\r\n{broken}\r\n{second}  {pairs[1].label}\r\n"
    planted.list.write_bytes(text.encode())
    report = fix(planted.list, planted.root / "fixed.txt", workers=1)
    assert outcome(report) == {"broken_line": (1, 0)}
    assert (planted.root / "fixed.txt").read_bytes() == text.replace(f"{broken}\r\n", "").encode()


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_other_lines_keep_their_line_break_and_their_number(planted: Planted, end: str) -> None:
    first, second = (f"{pair.image} {pair.label}" for pair in planted.pairs[:2])
    escaped = planted.pairs[2].image.replace("/", "\\")
    lines = ["# mine", first, "", "one path only", second, f"{escaped} {planted.pairs[2].label}", ""]
    planted.list.write_bytes(end.join(lines).encode())
    report = fix(planted.list, planted.root / "fixed.txt", workers=1)
    assert outcome(report) == {"broken_line": (1, 0), "missing_image": (1, 0)}
    cured = [line.replace("\\", "/") for line in lines if line != "one path only"]
    assert (planted.root / "fixed.txt").read_bytes() == end.join(cured).encode()


def test_paths_with_spaces_get_a_tab_and_backslashes_become_slashes(planted: Planted) -> None:
    for number, suffix in ((0, "image"), (1, "label")):
        shutil.copy(planted.image(number), planted.root / f"my {suffix}.jpg")
        shutil.copy(planted.label(number), planted.root / f"my {suffix}.png")
    planted.lines += ["my image.jpg my image.png", "my label.jpg\tmy label.png"]
    planted.lines[2] = planted.lines[2].replace("/", "\\")
    report = fixed(planted)
    assert outcome(report) == {"broken_line": (1, 0), "missing_image": (1, 0), "missing_label": (1, 0)}
    pairs = read_list(planted.root / "fixed.txt")
    assert pairs[2] == planted.pairs[2]
    assert [pair.label for pair in pairs[-2:]] == ["my image.png", "my label.png"]


def test_an_image_with_two_labels_is_a_question(planted: Planted) -> None:
    planted.lines += [planted.lines[0], f"{planted.pairs[1].image} {planted.pairs[0].label}"]
    assert outcome(fixed(planted)) == {"duplicate_image": (1, 1)}


def test_absolute_paths_below_the_data_root_become_relative(planted: Planted) -> None:
    planted.lines[AT] = f"{planted.image(AT)} {planted.label(AT)}"
    assert fixed(planted).left == 0
    assert read_list(planted.root / "fixed.txt") == planted.pairs


def test_samples_that_are_mostly_missing_are_not_dropped(planted: Planted) -> None:
    for number in range(3):
        planted.image(number).unlink()
    assert outcome(fixed(planted)) == {"missing_image": (0, 3)}
    assert (planted.root / "fixed.txt").read_bytes() == planted.list.read_bytes()


def test_a_wrong_data_root_is_refused_and_the_right_one_named(planted: Planted, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=rf"^{planted.list}: .* Use --data_root {planted.root}\.$"):
        fixed(planted, data_root=tmp_path)
    assert not (planted.root / "fixed.txt").exists()


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04\xff", b"background\nforeground\n"])
def test_a_file_that_is_not_a_list_is_refused(tmp_path: Path, content: bytes, dry_run: bool) -> None:
    source = tmp_path / "list.txt"
    source.write_bytes(content)
    with pytest.raises(InvalidInputError, match=f"^{source}: "):
        fix(source, tmp_path / "fixed.txt", dry_run=dry_run, workers=1)
    assert list(tmp_path.iterdir()) == [source]


def test_a_list_of_which_nothing_would_be_left_is_refused(planted: Planted) -> None:
    for pair in planted.pairs:
        Image.new("RGB", (8, 8), (1, 2, 3)).save(planted.root / pair.label)
    with pytest.raises(InvalidInputError, match=r"has no sample without a fault \(label_mode\)"):
        fixed(planted, classes=Classes(("a", "b")), drop=["label_mode"])
    assert not (planted.root / "fixed.txt").exists()


@pytest.mark.parametrize("option", ["only", "drop"])
@pytest.mark.parametrize("codes", [["size_mismatch", "mising_image"], "missing_image", "errors"])
def test_a_code_that_does_not_exist_is_refused(planted: Planted, option: str, codes: Any) -> None:
    with pytest.raises(OptionError, match=f"^--{option} .*: is not the code of a fault; "):
        fixed(planted, **{option: codes})


def test_all_errors_of_samples_are_dropped(planted: Planted) -> None:
    planted.lines += [f"{planted.pairs[0].image} {planted.pairs[1].label}"]
    Image.new("RGB", (8, 8), (1, 2, 3)).save(planted.label(AT))
    assert outcome(fixed(planted, drop=["errors"])) == {"duplicate_image": (1, 0), "label_mode": (1, 0)}


@pytest.mark.parametrize("code", OF_THE_SET)
def test_faults_of_the_set_itself_cannot_be_dropped(planted: Planted, code: Code) -> None:
    with pytest.raises(OptionError, match=f"--drop {code}: is a fault of the data set"):
        fixed(planted, drop=["size_mismatch", code])


@pytest.mark.parametrize(("step", "repeat"), [(1, 2), (2, 1)])
def test_labels_of_an_exact_multiple_or_fraction_are_resized_on_request(
    planted: Planted, step: int, repeat: int
) -> None:
    values = np.kron(planted.pixels(AT), np.ones((2, 2), np.uint8)) if step == 1 else planted.pixels(AT)
    image = np.asarray(Image.open(planted.image(AT)))
    if step == 2:
        # The image is twice as large as its label.
        Image.fromarray(np.kron(image, np.ones((2, 2, 1), np.uint8))).save(planted.image(AT))
    planted.write_label(AT, values)
    assert outcome(fixed(planted)) == {"size_mismatch": (0, 1)}
    (planted.root / "fixed.txt").unlink()
    report = fixed(planted, resize_labels=True)
    assert (outcome(report), report.new_files) == ({"size_mismatch": (1, 0)}, 1)
    new = decode_index_png((Path(report.root) / planted.pairs[AT].label).read_bytes())
    expected = values[::2, ::2] if repeat == 2 else np.kron(values, np.ones((2, 2), np.uint8))
    assert np.array_equal(new, expected)


def test_a_label_of_two_images_is_not_resized_for_one_of_them(planted: Planted) -> None:
    planted.write_label(AT, np.kron(planted.pixels(AT), np.ones((2, 2), np.uint8)))
    large = np.kron(np.asarray(Image.open(planted.image(AT))), np.ones((4, 4, 1), np.uint8))
    Image.fromarray(large).save(planted.root / "large.jpg")
    planted.lines.append(f"large.jpg {planted.pairs[AT].label}")
    report = fixed(planted, resize_labels=True)
    assert (outcome(report), report.new_files) == ({"size_mismatch": (0, 2)}, 0)


def test_values_are_mapped_in_all_labels_or_in_none(planted: Planted) -> None:
    foreign_value(planted, AT)
    # 99 appears in no label, and 77 is not named: nothing may change.
    assert outcome(fixed(planted, map=load_map("0-20:0-20,255:255,99:1"))) == {"value_outside_classes": (0, 1)}
    (planted.root / "fixed.txt").unlink()
    report = fixed(planted, map=load_map("0-20:0-20,255:255,77:255"))
    assert outcome(report) == {"value_outside_classes": (1, 0)}
    new = decode_index_png((Path(report.root) / planted.pairs[AT].label).read_bytes())
    assert np.array_equal(new, np.where(planted.pixels(AT) == 77, 255, planted.pixels(AT)))
    other = planted.pairs[0].label
    assert (Path(report.root) / other).read_bytes() == (planted.root / other).read_bytes()


def test_masks_of_0_and_255_are_mapped(planted: Planted) -> None:
    for number in range(len(planted.pairs)):
        planted.write_label(number, np.where(planted.pixels(number) % 255, 255, 0))
    classes = Classes(("background", "object"))
    assert outcome(fixed(planted, classes=classes)) == {"binary_mask": (0, 1)}
    (planted.root / "fixed.txt").unlink()
    report = fixed(planted, classes=classes, map=load_map("binary"))
    assert (outcome(report), report.new_files) == ({"binary_mask": (1, 0)}, 5)


def test_a_label_that_is_not_named_png_gets_a_name_that_is(planted: Planted) -> None:
    label = planted.label(AT).with_suffix(".bmp")
    Image.fromarray(planted.pixels(AT)).save(label)
    planted.lines[AT] = f"{planted.pairs[AT].image} {label.relative_to(planted.root).as_posix()}"
    expected = planted.pixels(AT)
    report = fixed(planted)
    assert outcome(report) == {"label_mode": (1, 0)}
    pair = read_list(planted.root / "fixed.txt")[AT]
    assert pair == planted.pairs[AT]
    assert np.array_equal(decode_index_png((Path(report.root) / pair.label).read_bytes()), expected)


def test_a_turned_image_is_saved_upright_with_its_label(planted: Planted) -> None:
    turn(planted, AT)
    stored = planted.pixels(AT)
    report = fixed(planted, upright="turn")
    assert (outcome(report), report.new_files) == ({"rotated": (1, 0)}, 2)
    new = decode_index_png((Path(report.root) / planted.pairs[AT].label).read_bytes())
    # Orientation 6: a quarter turn clockwise.
    assert np.array_equal(new, np.rot90(stored, -1))
    assert Image.open(Path(report.root) / planted.pairs[AT].image).size == new.shape[::-1]


def test_a_record_set_or_another_type_of_target_is_refused(planted: Planted, voc_records: Path) -> None:
    with pytest.raises(InvalidInputError, match="is a record set"):
        fix(voc_records, planted.root / "fixed.txt")
    with pytest.raises(InvalidInputError, match="expected a path such as fixed_lst"):
        fix(planted.root / "voc_train_lst.txt", planted.root / "fixed.json")
    with pytest.raises(OptionError, match="does not take --images"):
        fix(planted.root / "voc_train_lst.txt", planted.root / "fixed.txt", images=planted.root)


def test_a_list_to_compare_with_is_not_replaced(planted: Planted) -> None:
    other = planted.root / "other.txt"
    planted.list.write_text("".join(f"{line}\n" for line in planted.lines))
    other.write_text(f"{planted.lines[0]}\n")
    with pytest.raises(InvalidInputError, match="would be replaced"):
        fix(planted.list, other, against=[open_dataset(other)], overwrite=True, workers=1)
    assert other.read_text() == f"{planted.lines[0]}\n"


def test_nothing_is_dropped_without_a_set_to_compare_with(planted: Planted) -> None:
    with pytest.raises(OptionError, match="--drop-from: has no effect without --against"):
        fixed(planted, drop_from=planted.list)


def test_messages_name_the_folder_of_the_result_and_not_that_of_the_copies(planted: Planted) -> None:
    planted.lines[AT] = f"../data/{planted.pairs[AT].image} {planted.pairs[AT].label}"
    Image.open(planted.label(0)).convert("I;16").save(planted.label(0))
    report = fixed(planted)
    assert outcome(report) == {"label_mode": (1, 0), "outside_root": (0, 1)}
    (fault,) = report.codes[1].examples
    assert f"is outside the data root {planted.root / 'fixed_files'};" in fault.what
