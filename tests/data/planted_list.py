"""Faults planted in a list file and its files, each with the code that `segdata check` gives it."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segdata.inspect.check import CheckReport, check
from segdata.labels.colormap import voc_palette
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, read_list
from segdata.opening import open_dataset


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


def planted_copy(clean: Path, root: Path) -> Planted:
    """Return a copy of a devkit with its training list."""
    shutil.copytree(clean, root)
    pairs = read_list(clean / "voc_train_lst.txt")
    return Planted(root, pairs, [f"{pair.image} {pair.label}" for pair in pairs])


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
