"""Reading TIFF stacks page by page: whatever tifffile reads, and a sentence for what it cannot or should not."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from segdata.errors import InvalidInputError
from segdata.sources.tif.pages import open_stack

Pixels = npt.NDArray[Any]


def noise(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> Pixels:
    values = np.random.default_rng(seed).integers(0, 100, shape)
    return values.astype(dtype)


def write(path: Path, stack: Pixels, *, pages: int | None = None, **options: Any) -> Path:
    """Write one directory a page."""
    with tifffile.TiffWriter(
        path, **{key: options.pop(key) for key in ("bigtiff", "byteorder") if key in options}
    ) as t:
        for page in stack[:pages]:
            t.write(page, **{"metadata": None, "photometric": "minisblack", **options})
    return path


def read_all(path: Path, *, max_page_mb: int = 64) -> list[Pixels]:
    with open_stack(path, max_page_mb=max_page_mb) as stack:
        form = stack.form(0)
        return [stack.read(index, form) for index in range(len(stack))]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"byteorder": ">", "bigtiff": True},
        {"tile": (16, 32)},
        {"tile": (16, 32), "compression": "zlib"},
        {"rowsperstrip": 5},
        {"rowsperstrip": 5, "compression": "lzw"},
        {"compression": "zlib", "predictor": True},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"photometric": "miniswhite"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_pages_are_what_was_written(tmp_path: Path, dtype: str, options: dict[str, Any]) -> None:
    pages = noise((3, 40, 37), dtype)
    if options.get("byteorder") == ">":
        pages = pages.astype(pages.dtype.newbyteorder(">"))
    if options.get("predictor"):
        options = {**options, "predictor": 3 if pages.dtype.kind == "f" else 2}
    found = read_all(write(tmp_path / "stack.tif", pages, **options))
    assert all(page.dtype == np.dtype(dtype) and page.dtype.isnative for page in found)
    np.testing.assert_array_equal(found, pages)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_rgb_pages_have_their_samples_last(tmp_path: Path, planar: str) -> None:
    pages = noise((2, 20, 30, 3))
    stored = pages if planar == "contig" else np.moveaxis(pages, -1, 1)
    path = write(tmp_path / "rgb.tif", stored, photometric="rgb", planarconfig=planar)
    np.testing.assert_array_equal(read_all(path), pages)


def test_jpeg_pages_are_those_of_tifffile(tmp_path: Path) -> None:
    path = write(tmp_path / "jpeg.tif", noise((2, 32, 32, 3)), photometric="rgb", compression="jpeg")
    np.testing.assert_array_equal(read_all(path), tifffile.imread(path, key=range(2)))


def test_bilevel_pages_are_zeros_and_ones(tmp_path: Path) -> None:
    pages = noise((2, 9, 21)) > 50
    found = read_all(write(tmp_path / "bits.tif", pages))
    assert found[0].dtype == np.uint8
    np.testing.assert_array_equal(found, pages)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_planes_of_a_single_directory_are_pages(tmp_path: Path, byteorder: str) -> None:
    pages = noise((5, 12, 18), "uint16")
    tifffile.imwrite(tmp_path / "planes.tif", pages, byteorder=byteorder, photometric="minisblack", truncate=True)
    with tifffile.TiffFile(tmp_path / "planes.tif") as tif:
        assert len(tif.pages) == 1
    np.testing.assert_array_equal(read_all(tmp_path / "planes.tif"), pages)


def test_planes_behind_imagejs_single_directory_are_pages(tmp_path: Path) -> None:
    pages = noise((5, 12, 18), "uint16")
    path = write(tmp_path / "planes.tif", pages, pages=1, description="ImageJ=1.11a\nimages=5\nslices=5\n")
    with path.open("ab") as file:
        file.write(pages[1:].tobytes())
    np.testing.assert_array_equal(read_all(path), pages)


def test_truncated_planes_of_a_single_directory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "planes.tif"
    tifffile.imwrite(path, noise((5, 12, 18)), photometric="minisblack", truncate=True)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidInputError, match=r"planes.tif: truncated: 5 planes should end at byte"):
        read_all(path)


def test_threads_read_at_once(tmp_path: Path) -> None:
    pages = noise((40, 64, 64), "uint16")
    path = write(tmp_path / "stack.tif", pages, compression="zlib")
    with open_stack(path, max_page_mb=1) as stack, ThreadPoolExecutor(4) as pool:
        form = stack.form(0)
        found = list(pool.map(lambda index: stack.read(index, form), range(40)))
    np.testing.assert_array_equal(found, pages)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, compression: str | None) -> None:
    path = write(tmp_path / "stack.tif", noise((4, 30, 31)), compression=compression, rowsperstrip=7)
    data = path.read_bytes()
    for end in {*range(0, 400, 3), *range(400, len(data), 97), len(data) - 1}:
        path.write_bytes(data[:end])
        with pytest.raises(InvalidInputError, match=r"stack.tif"):
            read_all(path)


def test_compressed_data_that_are_damaged_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "stack.tif", noise((1, 30, 31)), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        start = tif.pages.first.dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[start + 40 : start + 60] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match=r"stack.tif, page 0: cannot be read: "):
        read_all(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a TIFF file"),
        (b"II*\0" + bytes(4), "contains no pages"),
        (
            b"II*\0" + struct.pack("<I", 5000),
            "truncated: page 0 should begin at byte 5000, but the file ends at byte 8",
        ),
    ],
)
def test_what_is_no_stack_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "stack.tif"
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match=rf"stack.tif: .*{reason}"):
        read_all(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none.tif: cannot be read: No such file"):
        read_all(tmp_path / "none.tif")


def test_a_chain_of_pages_that_runs_in_a_circle_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "stack.tif", noise((150, 4, 4)))
    with tifffile.TiffFile(path) as tif:
        link, first = tif.pages.next_page_offset, tif.pages.first.offset
    data = bytearray(path.read_bytes())
    data[link : link + 4] = struct.pack("<I", first)
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match="damaged: page 149 links back to an earlier page"):
        read_all(path)


def claiming(path: Path, **tags: int) -> Path:
    """Write a page of 8 x 8 whose header claims something else."""
    codes = {"width": 256, "length": 257, "samples": 277, "photometric": 262, "tile_width": 322, "tile_length": 323}
    tile = {"tile": (16, 16)} if "tile_width" in tags else {}
    write(path, noise((1, 8, 8)), **tile)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for name, value in tags.items():
            tif.pages.first.tags[codes[name]].overwrite(value)
    return path


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"width": 60000, "length": 60000}, r"claims 60000 x 60000 pixels, 3,433 MB of memory; expected at most 64 MB"),
        ({"tile_width": 60000, "tile_length": 60000}, r"claims 8 x 8 pixels, 3,433 MB of memory"),
        ({"length": 5000}, "truncated|damaged"),
        ({"photometric": 5}, "photometric interpretation 5; expected a gray, palette or RGB image"),
    ],
)
def test_headers_that_claim_the_impossible_are_refused(tmp_path: Path, tags: dict[str, int], reason: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"stack.tif, page 0: .*({reason})"):
        read_all(claiming(tmp_path / "stack.tif", **tags))


def test_five_samples_a_pixel_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "stack.tif", noise((1, 8, 8, 5)), planarconfig="contig")
    with pytest.raises(InvalidInputError, match="8 x 8 pixels with 5 samples each"):
        read_all(path)


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="unsupported 64-bit samples; expected integers or floating point"):
        read_all(write(tmp_path / "stack.tif", noise((1, 8, 8), "complex64")))
