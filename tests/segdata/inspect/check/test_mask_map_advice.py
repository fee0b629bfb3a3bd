"""The advice of check about labels is a command that works."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from segdata.errors import Code
from segdata.inspect.check import check
from segdata.labels.classes import Classes

MASK = np.kron(np.array([[0, 1], [1, 0]], np.uint8), np.ones((6, 8), np.uint8))


def write(root: Path, label: Image.Image | np.ndarray) -> Path:
    for folder in ("images", "my labels"):
        (root / folder).mkdir()
    Image.fromarray(np.dstack([MASK] * 3)).save(root / "images" / "a.png")
    (label if isinstance(label, Image.Image) else Image.fromarray(label)).save(root / "my labels" / "a.png")
    (root / "lst.txt").write_text("images/a.png\tmy labels/a.png\n")
    return root / "lst.txt"


def advice(path: Path, classes: Classes, code: Code) -> str:
    report = check(path, classes=classes)
    return next(finding.advice for finding in report.findings if finding.code == code)


@pytest.mark.parametrize(
    ("label", "code", "classes", "expected"),
    [
        (MASK * 255, "binary_mask", ("a", "b"), "binary"),
        (MASK * 7, "value_outside_classes", ("a", "b"), "0-1:0-1,255:255,VALUE:CLASS"),
        (MASK * 7, "value_outside_classes", ("a",), "0:0,255:255,VALUE:CLASS"),
        (MASK.astype(np.uint16), "label_mode", ("a", "b"), "0-1:0-1,255:255"),
        (np.dstack([MASK * 128, MASK * 0, MASK * 0]), "label_mode", Classes().names, "voc"),
    ],
)
def test_the_advice_is_a_command_that_makes_index_masks(
    segdata: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    label: np.ndarray,
    code: Code,
    classes: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    text = advice(write(tmp_path, label), Classes(classes), code)
    command = text.partition("segdata ")[2].partition(", and")[0].rstrip(".")
    arguments = shlex.split(command)
    assert arguments == ["mask-map", "my labels", "--map", expected, "--dst_path", "NEW"]
    result = segdata(*arguments[:3], arguments[3].replace("VALUE:CLASS", "7:1"), *arguments[4:])
    assert result.exit_code == 0, result.output
    assert np.array_equal(np.asarray(Image.open("NEW/a.png")), MASK)


@pytest.mark.parametrize(
    ("kind", "label", "code"),
    [
        ("labelIds", np.where(MASK == 1, 26, 7).astype(np.uint8), "value_outside_classes"),
        ("color", np.where(MASK[..., None] == 1, (0, 0, 142), (128, 64, 128)).astype(np.uint8), "label_mode"),
    ],
)
def test_the_advice_about_cityscapes_masks_is_its_map(
    segdata: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    label: np.ndarray,
    code: Code,
) -> None:
    monkeypatch.chdir(tmp_path)
    path, name = write(tmp_path, label), f"a_gtFine_{kind}.png"
    Path("my labels/a.png").rename(f"my labels/{name}")
    Image.fromarray(MASK).save("my labels/a_gtFine_labelTrainIds.png")
    path.write_text(f"images/a.png\tmy labels/{name}\n")
    result = segdata(*shlex.split(advice(path, Classes(), code).partition("segdata ")[2].partition(", and")[0]))
    assert result.exit_code == 0, result.output
    assert np.array_equal(np.asarray(Image.open(f"NEW/{name}")), MASK * 13)


def test_labels_outside_the_working_directory_are_named_in_full(tmp_path: Path) -> None:
    assert f"mask-map '{tmp_path / 'my labels'}' --map binary" in advice(
        write(tmp_path, MASK * 255), Classes(("a", "b")), "binary_mask"
    )


@pytest.mark.parametrize(
    ("suffix", "color", "classes", "expected"),
    [
        ("jpg", False, Classes(), ["--threshold", "128"]),
        ("jpg", True, Classes(), ["--map", "FILE", "--nearest", "30"]),
        ("webp", True, Classes(("a", "b")), ["--map", "FILE", "--nearest", "30"]),
    ],
)
def test_the_advice_about_labels_that_compression_changed_is_a_command_that_reads_them(
    segdata: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    color: bool,
    classes: Classes,
    expected: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path, mask = write(tmp_path, MASK), np.kron(MASK, np.ones((8, 8), np.uint8))
    label = np.dstack([mask * 255, mask * 255, mask * 245]) if color else mask * 255
    Path("my labels/a.png").unlink()
    for name in (f"my labels/a.{suffix}", "images/a.png"):
        Image.fromarray(label).save(name, quality=100, subsampling=0)
    path.write_text(f"images/a.png\tmy labels/a.{suffix}\n")
    Path("FILE").write_text("a 0 0 0\nb 255 255 245\n")
    text = advice(path, classes, "label_mode")
    arguments = shlex.split(text.partition("segdata ")[2].partition(", and")[0])
    assert arguments == ["mask-map", "my labels", *expected, "--dst_path", "NEW"]
    assert ("images and labels are swapped" in text) == color
    result = segdata(*arguments)
    assert result.exit_code == 0, result.output
    assert np.array_equal(np.asarray(Image.open("NEW/a.png")), mask)


def test_the_advice_about_color_labels_of_other_classes_names_a_file_of_colors(
    segdata: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = advice(write(tmp_path, np.dstack([MASK * 200, MASK * 0, MASK * 0])), Classes(("a", "b")), "label_mode")
    assert "FILE has a line 'name r g b' for each class" in text
    Path("FILE").write_text("a 0 0 0\nb 200 0 0\n")
    result = segdata(*shlex.split(text.partition("segdata ")[2].partition(", and")[0]))
    assert result.exit_code == 0, result.output
    assert np.array_equal(np.asarray(Image.open("NEW/a.png")), MASK)


def test_labels_beside_their_images_are_distinguished_by_their_suffix(
    segdata: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, MASK)
    for name in "ab":
        Image.fromarray(np.dstack([MASK] * 3)).save(f"images/{name}.jpg")
        Image.fromarray(MASK * 255).save(f"images/{name}_mask.png")
    path.write_text("".join(f"images/{name}.jpg images/{name}_mask.png\n" for name in "ab"))
    text = advice(path, Classes(("a", "b")), "binary_mask")
    arguments = shlex.split(text.partition("segdata ")[2].partition(", and")[0])
    assert arguments[:4] == ["mask-map", "images", "--mask_suffix", "_mask"]
    assert segdata(*arguments).exit_code == 0
    assert sorted(file.name for file in Path("NEW").glob("*.png")) == ["a_mask.png", "b_mask.png"]
