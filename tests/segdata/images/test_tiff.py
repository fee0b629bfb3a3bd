"""Reading TIFF stacks page by page: whatever tifffile reads, and a sentence for what it cannot or should not."""

from __future__ import annotations

import cProfile
import io
import logging
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError
from segdata.images.reading import read_image_header, read_samples
from segdata.images.stored import read_stored
from segdata.images.tiff import open_stack
from segdata.images.tiff_directories import StackLayout
from segdata.sources.tif.slice import tif_slice

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
    with pytest.raises(InvalidInputError, match=r"stack.tif, page 0: cannot be read: its data is damaged"):
        read_all(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a TIFF file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a TIFF file"),
        (b"II*\0" + bytes(4), "contains no pages"),
        (
            b"II*\0" + struct.pack("<I", 5000),
            "truncated: page 0 should begin at byte 5000, but the file ends at byte 8",
        ),
    ],
)
def test_what_is_not_a_stack_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
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
        (
            {"photometric": 5},
            "CMYK pixels with 1 band, axes YX; expected a gray, palette or RGB image",
        ),
    ],
)
def test_headers_that_claim_the_impossible_are_refused(tmp_path: Path, tags: dict[str, int], reason: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"stack.tif, page 0: .*({reason})"):
        read_all(claiming(tmp_path / "stack.tif", **tags))


def test_five_samples_a_pixel_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "stack.tif", noise((1, 8, 8, 5)), planarconfig="contig")
    with pytest.raises(InvalidInputError, match="8 x 8 pixels: gray pixels with 5 bands"):
        read_all(path)


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="unsupported 64-bit samples; expected integers of 1 to 16"):
        read_all(write(tmp_path / "stack.tif", noise((1, 8, 8), "complex64")))


# Pages as images


def read_images(path: Path, *, level: int = 0) -> list[Pixels]:
    with open_stack(path, max_page_mb=64, level=level) as stack:
        form = stack.form(0)
        return [stack.read_page(index, form) for index in range(len(stack))]


def test_white_zeros_are_inverted_in_images_and_kept_as_stored_values(tmp_path: Path) -> None:
    pages = noise((2, 9, 21), "uint16")
    path = write(tmp_path / "white.tif", pages, photometric="miniswhite")
    np.testing.assert_array_equal(read_images(path), 65535 - pages)
    np.testing.assert_array_equal(read_all(path), pages)


def test_a_palette_is_applied_in_images(tmp_path: Path) -> None:
    pages, colors = noise((2, 9, 21)), np.random.default_rng(1).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    path = write(tmp_path / "palette.tif", pages, photometric="palette", colormap=colors)
    np.testing.assert_array_equal(read_images(path), (colors // 257).T[pages])
    np.testing.assert_array_equal(read_all(path), pages)


def test_bits_become_black_and_white_images(tmp_path: Path) -> None:
    pages = noise((2, 9, 21)) > 50
    np.testing.assert_array_equal(read_images(write(tmp_path / "bits.tif", pages)), pages * 255)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_fax_pages_have_the_same_stored_values_and_an_image_by_their_photometric(
    tmp_path: Path, compression: str, photometric: int
) -> None:
    bits = noise((2, 40, 50)) > 70
    first, second = (Image.fromarray(page) for page in bits)
    options = {"compression": compression, "tiffinfo": {262: photometric}}
    first.save(tmp_path / "fax.tif", save_all=True, append_images=[second], **options)
    with tifffile.TiffFile(tmp_path / "fax.tif") as tif:
        assert (int(tif.pages.first.photometric), int(tif.pages.first.compression) in (3, 4)) == (photometric, True)
    np.testing.assert_array_equal(read_images(tmp_path / "fax.tif"), bits * 255)
    np.testing.assert_array_equal(read_all(tmp_path / "fax.tif"), bits == bool(photometric))


def test_the_work_grows_with_the_fax_pages_and_not_with_their_square(tmp_path: Path) -> None:
    calls = []
    for count in (40, 160):
        bits = noise((count, 9, 10)) > 70
        first, *others = (Image.fromarray(page) for page in bits)
        first.save(tmp_path / "fax.tif", save_all=True, append_images=others, compression="group4")
        profile = cProfile.Profile()
        np.testing.assert_array_equal(profile.runcall(read_images, tmp_path / "fax.tif"), bits * 255)
        calls.append(sum(each.callcount for each in profile.getstats()))
    assert calls[1] < 5 * calls[0]


# Resolutions


def pyramid(path: Path, pages: Pixels, *, subifds: bool, **options: Any) -> Path:
    """Write pages with copies of half and quarter size: as SubIFDs, or behind each page as a COG does."""
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, photometric="minisblack", tile=(16, 16), metadata=None, subifds=2 * subifds, **options)
            for step in (2, 4):
                writer.write(page[::step, ::step], subfiletype=1, tile=(16, 16), metadata=None)
    return path


@pytest.mark.parametrize("subifds", [True, False], ids=["SubIFDs", "overviews"])
def test_copies_at_reduced_resolution_are_levels_and_not_pages(tmp_path: Path, subifds: bool) -> None:
    pages = noise((3, 64, 80))
    path = pyramid(tmp_path / "pyramid.tif", pages, subifds=subifds)
    with open_stack(path, max_page_mb=1) as stack:
        assert (len(stack), stack.levels()) == (3, 3)
    for level, step in enumerate((1, 2, 4)):
        np.testing.assert_array_equal(read_images(path, level=level), pages[:, ::step, ::step])
    with pytest.raises(InvalidInputError, match=r"pyramid.tif: has no level 3; expected 0 to 2"):
        read_images(path, level=3)


def test_a_transparency_mask_is_neither_page_nor_level(tmp_path: Path) -> None:
    page = noise((16, 16))
    with tifffile.TiffWriter(tmp_path / "mask.tif") as writer:
        writer.write(page, photometric="minisblack", metadata=None)
        writer.write(page > 50, photometric=4, subfiletype=4, metadata=None)
    with open_stack(tmp_path / "mask.tif", max_page_mb=1) as stack:
        assert (len(stack), stack.levels()) == (1, 1)


# Axes by metadata


@pytest.mark.parametrize("kind", ["ome", "imagej", "shaped"])
def test_the_layout_of_a_hyperstack_is_that_of_its_metadata(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    options = {} if kind == "shaped" else {kind: True}
    metadata = {"axes": "TZCYX"}
    tifffile.imwrite(path, noise((2, 5, 3, 8, 9)), photometric="minisblack", metadata=metadata, **options)
    with open_stack(path, max_page_mb=1) as stack:
        assert stack.layout() == StackLayout("TZC", (2, 5, 3), tuple(range(30)))


@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_channels_have_the_names_in_the_metadata(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    names = {"ome": {"Channel": {"Name": ["DAPI", "GFP"]}}, "imagej": {"Labels": ["DAPI", "GFP"] * 3}}[kind]
    tifffile.imwrite(path, noise((3, 2, 8, 9)), metadata={"axes": "ZCYX", **names}, **{kind: True})
    with open_stack(path, max_page_mb=1) as stack:
        assert stack.layout().channels == ("DAPI", "GFP")


def test_pages_without_metadata_have_one_unknown_axis(tmp_path: Path) -> None:
    with open_stack(write(tmp_path / "a.tif", noise((3, 8, 9))), max_page_mb=1) as stack:
        assert stack.layout() == StackLayout("I", (3,), (0, 1, 2))


def test_pages_written_one_by_one_have_one_unknown_axis(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in noise((3, 8, 9)):
            writer.write(page, photometric="minisblack")
    with open_stack(tmp_path / "a.tif", max_page_mb=1) as stack:
        assert stack.layout() == StackLayout("I", (3,), (0, 1, 2))


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_samples_of_rgb_do_not_count_as_an_axis_of_pages(tmp_path: Path, planar: str) -> None:
    pages = noise((4, 8, 9, 3))
    stored, axes = (pages, "ZYXS") if planar == "contig" else (np.moveaxis(pages, -1, 1), "ZSYX")
    options = {"planarconfig": planar, "photometric": "rgb", "metadata": {"axes": axes}}
    tifffile.imwrite(tmp_path / "a.ome.tif", stored, ome=True, **options)
    with open_stack(tmp_path / "a.ome.tif", max_page_mb=1) as stack:
        assert stack.layout() == StackLayout("Z", (4,), (0, 1, 2, 3))
    np.testing.assert_array_equal(read_images(tmp_path / "a.ome.tif"), pages)


def test_several_images_in_one_file_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for axes, size in (("ZYX", 3), ("TYX", 4)):
            writer.write(noise((size, 8, 9)), photometric="minisblack", metadata={"axes": axes})
    with open_stack(tmp_path / "a.ome.tif", max_page_mb=1) as stack:
        with pytest.raises(InvalidInputError, match=r"contains 2 images \(Z3, T4\); expected one. Save each as a file"):
            stack.layout()


@pytest.fixture
def quiet() -> None:
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("kept", [1, 3])
def test_planes_that_the_metadata_names_and_the_file_lacks_are_refused(tmp_path: Path, kept: int) -> None:
    pages = noise((5, 8, 9))
    tifffile.imwrite(tmp_path / "full.ome.tif", pages, ome=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(tmp_path / "full.ome.tif") as tif:
        description = tif.pages.first.description
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=False) as writer:
        for index in range(kept):
            text = description if index == 0 else None
            writer.write(pages[index], description=text, photometric="minisblack", metadata=None)
    with pytest.raises(
        InvalidInputError,
        match=rf"a.ome.tif: contains {kept} pages?; expected 5 planes .* in one file, as its ome metadata says",
    ):
        with open_stack(tmp_path / "a.ome.tif", max_page_mb=1) as stack:
            stack.layout()


@pytest.mark.usefixtures("quiet")
def test_one_page_of_a_distributed_image_can_be_read(tmp_path: Path) -> None:
    page = noise((8, 9))
    tifffile.imwrite(tmp_path / "full.ome.tif", np.array([page, page]), ome=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(tmp_path / "full.ome.tif") as tif:
        description = tif.pages.first.description
    tifffile.imwrite(tmp_path / "a.ome.tif", page, description=description, metadata=None, ome=False)
    np.testing.assert_array_equal(read_images(tmp_path / "a.ome.tif"), [page])


def stk(path: Path, planes: Pixels) -> Path:
    """Write a MetaMorph stack: one directory, the planes behind it, their number as the count of tag UIC2."""
    with tifffile.TiffWriter(path) as writer:
        times = struct.pack("<6I", 1, 1, 2450000, 0, 2450000, 0) * len(planes)
        tags = [(33628, 4, 4, (0, 0, 0, 0), True), (33629, 5, len(planes), times, True)]
        writer.write(planes[0], metadata=None, photometric="minisblack", extratags=tags)
    with tifffile.TiffFile(path) as tif:
        count = tif.pages.first.tags[33629].offset + 4
    data = bytearray(path.read_bytes())
    data[count : count + 4] = struct.pack("<I", len(planes))
    path.write_bytes(bytes(data) + planes[1:].tobytes())
    return path


@pytest.mark.usefixtures("quiet")
def test_a_metamorph_stack_is_read_to_its_last_plane(tmp_path: Path) -> None:
    planes = noise((2, 16, 18), "uint16")
    path = stk(tmp_path / "a.stk", planes)
    np.testing.assert_array_equal(read_images(path), planes)
    with open_stack(path, max_page_mb=1) as stack:
        assert stack.layout() == StackLayout("Z", (2,), (0, 1))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidInputError, match=r"a.stk: truncated: 2 planes should end at byte"):
        read_images(path)


def encode(*pages: tuple[Pixels, dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for pixels, options in pages:
            writer.write(pixels, **{"metadata": None, "photometric": "minisblack", **options})
    return buffer.getvalue()


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_may_have_8_bits_for_each_color(bits: int) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint16)
    indices = noise((6, 7))
    stored = colors * 257 if bits == 16 else colors
    data = encode((indices, {"photometric": "palette", "colormap": stored.T}))
    assert np.array_equal(read_samples(data), colors[indices])
    palette = read_stored(data).palette
    assert palette is not None
    assert np.array_equal(palette, colors)


@pytest.mark.parametrize(
    ("bands", "options", "words"),
    [
        (
            2,
            {"extrasamples": ["unspecified"]},
            "gray with another band, which is not alpha; .* Save the first band only",
        ),
        (4, {"extrasamples": ["unspecified"], "photometric": "rgb"}, "RGB with another band.* the first three bands"),
    ],
)
def test_a_band_that_is_neither_color_nor_alpha_is_not_dropped(
    tmp_path: Path, bands: int, options: dict[str, Any], words: str
) -> None:
    pixels = noise((6, 7, bands))
    path = tmp_path / "a.tif"
    path.write_bytes(encode((pixels, {"planarconfig": "contig", **options})))
    for read in (read_image_header, read_samples):
        with pytest.raises(InvalidInputError, match=words) as error:
            read(path)
        assert error.value.code == "unsupported_image"
    with pytest.raises(FaultsError, match=words):
        tif_slice(path, dst_path=tmp_path / "out")
    assert np.array_equal(read_stored(path).samples, pixels)
    path.write_bytes(encode((pixels, {"planarconfig": "contig", **options, "extrasamples": ["unassalpha"]})))
    assert np.array_equal(read_samples(path), pixels[..., 0] if bands == 2 else pixels[..., :3])


def test_an_image_that_does_not_say_what_0_means_is_refused() -> None:
    data = encode((noise((6, 7)), {}))
    tag = struct.pack("<HH", 262, 3)
    # A private tag in its place; tags need not be sorted for a reader.
    unsaid = data.replace(tag, struct.pack("<HH", 65000, 3))
    for read in (read_image_header, read_samples):
        with pytest.raises(InvalidInputError, match=r"does not say whether 0 is black or white.*tiffset -s 262 1"):
            read(unsaid)
    assert np.array_equal(read_stored(unsaid).samples, noise((6, 7)))


def test_the_preview_in_raw_camera_data_is_not_its_image() -> None:
    preview, full = noise((3, 4)), noise((6, 8))
    data = encode((preview, {"subfiletype": 1, "subifds": 1}), (full, {"subfiletype": 0}))
    for read in (read_image_header, read_samples, read_stored):
        with pytest.raises(InvalidInputError, match="contains only reduced copies of its image") as error:
            read(data)
        assert error.value.code == "unsupported_image"
    assert np.array_equal(read_samples(encode((full, {"subfiletype": 1}))), full)


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_a_strip_of_no_bytes_is_not_filled_with_zeros(compression: str | None) -> None:
    pixels = noise((20, 30))
    data = bytearray(encode((pixels, {"rowsperstrip": 5, "compression": compression})))
    with tifffile.TiffFile(io.BytesIO(data)) as tif:
        counts, starts = (tif.pages.first.tags[code] for code in (279, 273))
    width = 2 if counts.dtype == 3 else 4
    data[counts.valueoffset + width : counts.valueoffset + 2 * width] = bytes(width)
    with pytest.raises(InvalidInputError, match="damaged: a strip or tile of 0 bytes"):
        read_samples(bytes(data))
    # GDAL leaves out strips without data: both numbers are 0.
    width = 2 if starts.dtype == 3 else 4
    data[starts.valueoffset + width : starts.valueoffset + 2 * width] = bytes(width)
    expected = pixels.copy()
    expected[5:10] = 0
    assert np.array_equal(read_samples(bytes(data)), expected)


@pytest.mark.parametrize(("axes", "planes"), [("ZYX", 3), ("ZYX", 4), ("TYX", 3), ("CYX", 3)])
def test_slices_that_were_saved_as_colors_are_not_merged_into_one_image(tmp_path: Path, axes: str, planes: int) -> None:
    path = tmp_path / "a.tif"
    pixels = noise((planes, 6, 7))
    # This is what tifffile does with three or four 8-bit planes by itself, whatever their axes are.
    tifffile.imwrite(path, pixels, photometric="rgb", planarconfig="separate", metadata={"axes": axes})
    if axes == "CYX":
        tif_slice(path, dst_path=tmp_path / "out")
        written = np.asarray(Image.open(tmp_path / "out/images/a_0000.png"))
        assert np.array_equal(written, np.moveaxis(pixels, 0, -1))
        return
    with pytest.raises(InvalidInputError, match=rf"colors of RGB.* are an axis \({axes}\).*minisblack") as error:
        tif_slice(path, dst_path=tmp_path / "out")
    assert error.value.code == "unsupported_image"
