"""Two names of one image: by a link, a hard link, or on systems that ignore case or Unicode form."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segdata.inspect.check import CheckReport, check
from segdata.labels.masks import encode_index_png
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord

#: The same name composed (NFC) and decomposed (NFD).
NFC, NFD = (unicodedata.normalize(form, "v/Grün.png") for form in ("NFC", "NFD"))


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)).save(path)


def listed(root: Path, name: str, images: Sequence[str]) -> Path:
    """Write a list of images, each with one label of background."""
    (root / "label.png").write_bytes(encode_index_png(np.zeros((4, 6), np.uint8)))
    (root / name).write_text("".join(f"{image}\tlabel.png\n" for image in images))
    return root / name


def found(report: CheckReport) -> list[tuple[str, str]]:
    return [(finding.code, example) for finding in report.findings for example in tuple(map(str, finding.examples))]


def soft(root: Path, name: str, other: str) -> None:
    (root / other).symlink_to(root / name)


def hard(root: Path, name: str, other: str) -> None:
    os.link(root / name, root / other)


def folder(root: Path, name: str, other: str) -> None:
    (root / Path(other).parent).rmdir()
    (root / Path(other).parent).symlink_to(Path(name).parent)


LINKS = pytest.mark.parametrize(
    ("link", "other"), [(soft, "w/b.png"), (hard, "w/b.png"), (folder, "w/a.png")], ids=["link", "hard link", "folder"]
)
SIMILAR = pytest.mark.parametrize(
    ("name", "other"), [("v/a.png", "v/A.png"), ("v/a.png", "V/a.png"), (NFC, NFD), (NFC, NFD.upper())]
)


@LINKS
def test_links_in_one_set_are_one_file(tmp_path: Path, link: Callable[[Path, str, str], None], other: str) -> None:
    draw(tmp_path / "v" / "a.png", 0)
    (tmp_path / "w").mkdir()
    link(tmp_path, "v/a.png", other)
    report = check(listed(tmp_path, "l.txt", ["v/a.png", other]))
    assert found(report) == [("same_file", f"{other}: is the same file as v/a.png, through a link")]
    assert (report.errors, report.ok(), report.ok(strict=True)) == (0, True, False)
    report = check(tmp_path / "l.txt", hash=True)
    assert found(report) == [("duplicate_content", f"{other}: has the same content as v/a.png")]


@LINKS
def test_links_across_sets_are_one_file(tmp_path: Path, link: Callable[[Path, str, str], None], other: str) -> None:
    draw(tmp_path / "v" / "a.png", 0)
    (tmp_path / "w").mkdir()
    link(tmp_path, "v/a.png", other)
    against = [open_dataset(listed(tmp_path, "val.txt", ["v/a.png"]))]
    path = listed(tmp_path, "train.txt", [other])
    expected = f"{other}: is the same file as v/a.png in {tmp_path / 'val.txt'}, through a link"
    assert found(check(path, against=against)) == [("same_file", expected)]
    assert [code for code, _ in found(check(path, against=against, hash=True))] == ["overlap_content"]


@SIMILAR
def test_names_that_differ_by_case_or_unicode_form_are_named(tmp_path: Path, name: str, other: str) -> None:
    draw(tmp_path / name, 0)
    draw(tmp_path / other, 1)
    path = listed(tmp_path, "train.txt", [name, other])
    sentence = f"{other}: differs from {name} only by case or Unicode form"
    assert found(check(path)) == found(check(path, hash=True)) == [("same_file", sentence)]
    against = [open_dataset(listed(tmp_path, "val.txt", [name]))]
    sentence = f"{other}: differs from {name} in {tmp_path / 'val.txt'} only by case or Unicode form"
    assert found(check(listed(tmp_path, "train.txt", [other]), against=against)) == [("same_file", sentence)]


def test_names_are_compared_with_those_of_a_record_set(tmp_path: Path) -> None:
    for seed, name in enumerate((NFC, NFD)):
        draw(tmp_path / name, seed)
    to_mindrecord(open_dataset(listed(tmp_path, "val.txt", [NFC])), tmp_path / "set", num_shards=1)
    report = check(listed(tmp_path, "train.txt", [NFD]), against=[open_dataset(tmp_path / "set")])
    assert [code for code, _ in found(report)] == ["same_file"]


def test_spellings_of_one_path_are_one_image(tmp_path: Path) -> None:
    draw(tmp_path / "v" / "a.png", 0)
    against = [open_dataset(listed(tmp_path, "val.txt", ["./v//a.png"]))]
    report = check(listed(tmp_path, "train.txt", ["v/./a.png"]), against=against)
    assert found(report) == [("overlap", f"v/a.png: also in {tmp_path / 'val.txt'}")]


def test_copies_and_files_that_are_missing_are_not_one_file(tmp_path: Path) -> None:
    draw(tmp_path / "v" / "a.png", 0)
    shutil.copy(tmp_path / "v" / "a.png", tmp_path / "v" / "b.png")
    against = [open_dataset(listed(tmp_path, "val.txt", ["gone.png", "../v/out.png"]))]
    report = check(listed(tmp_path, "train.txt", ["v/a.png", "v/b.png", "missing.png"]), against=against)
    assert [code for code, _ in found(report)] == ["missing_image"]
