"""Axes of stacks: whatever the order of pages in two files, planes with equal coordinates are pairs."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given, settings, strategies as st
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.images.tiff_directories import StackLayout, plain_layout
from segdata.lists import read_list
from segdata.sources.tif.axes import canonical_planes, label_channel, named_layout, partners
from segdata.sources.tif.slice import tif_slice

Pixels = npt.NDArray[Any]
SIZES = {"T": 2, "Z": 5, "C": 3}


def planes(axes: str) -> Pixels:
    """Return planes along `axes`; every pixel is 1 + 100 t + 10 z + c."""
    t, z, c = np.ogrid[:2, :5, :3]
    numbers = (1 + 100 * t + 10 * z + c)[tuple(slice(None) if axis in axes else 0 for axis in "TZC")]
    order = [[axis for axis in "TZC" if axis in axes].index(axis) for axis in axes]
    return np.multiply.outer(numbers.transpose(order), np.ones((4, 6), int)).astype(np.uint8)


def write(path: Path, kind: str, axes: str, **metadata: Any) -> Path:
    options: dict[str, Any] = {"shaped": {}, "ome": {"ome": True}, "imagej": {"imagej": True}}[kind]
    metadata = {"axes": f"{axes}YX", **metadata}
    tifffile.imwrite(path, planes(axes), photometric="minisblack", metadata=metadata, **options)
    return path


def plain(path: Path, pages: Pixels) -> Path:
    """Write pages without metadata."""
    with tifffile.TiffWriter(path) as writer:
        for page in pages.reshape(-1, *pages.shape[-2:]):
            writer.write(page, photometric="minisblack", metadata=None)
    return path


def numbers(folder: Path) -> list[int]:
    """Return the number in the first pixel of each file."""
    return [int(np.asarray(Image.open(path))[0, 0]) for path in sorted(folder.iterdir())]


def paired(target: Path) -> bool:
    """Return whether image and label of every pair have the same number."""
    pairs = [
        (Image.open(target / pair.image), Image.open(target / pair.label)) for pair in read_list(target / "all_lst.txt")
    ]
    return all(np.array_equal(np.asarray(image), np.asarray(label)) for image, label in pairs)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# Order and partners


@pytest.mark.parametrize("labels", [("imagej", "TZ"), ("ome", "ZT"), ("ome", "TZ"), ("shaped", "ZT")], ids=str)
@pytest.mark.parametrize("images", [("ome", "ZT"), ("imagej", "TZ"), ("shaped", "ZT")], ids=str)
def test_planes_with_equal_coordinates_are_pairs(tmp_path: Path, images: Any, labels: Any) -> None:
    first, second = write(tmp_path / "a.tif", *images), write(tmp_path / "b.tif", *labels)
    report = tif_slice(first, labels=second, dst_path=tmp_path / "out")
    assert (report.pages, report.axes, report.sizes, report.pairing) == (10, "TZYX", (2, 5, 4, 6), "axes")
    assert paired(tmp_path / "out")
    expected = [1 + 100 * t + 10 * z for t in range(2) for z in range(5)]
    assert numbers(tmp_path / "out/images") == numbers(tmp_path / "out/labels") == expected


@pytest.mark.parametrize("axes", ["".join(axes) for axes in itertools.permutations("TZC")])
def test_slices_are_numbered_along_time_then_depth(tmp_path: Path, axes: str) -> None:
    report = tif_slice(write(tmp_path / "a.tif", "ome", axes), channel="1", dst_path=tmp_path / "out")
    assert (report.axes, report.sizes, report.stack_pages) == ("TZCYX", (2, 5, 3, 4, 6), 10)
    assert numbers(tmp_path / "out/images") == [2 + 100 * t + 10 * z for t in range(2) for z in range(5)]


def test_slices_are_the_planes_of_tifffiles_series(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", "imagej", "TZC")
    tif_slice(path, channel="2", dst_path=tmp_path / "out")
    found = np.array([np.asarray(Image.open(file)) for file in sorted((tmp_path / "out/images").iterdir())])
    np.testing.assert_array_equal(found.reshape(2, 5, 4, 6), tifffile.imread(path)[:, :, 2])


def test_planes_behind_one_header_have_axes(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", planes("ZT"), photometric="minisblack", truncate=True, metadata={"axes": "ZTYX"}
    )
    labels = write(tmp_path / "b.tif", "imagej", "TZ")
    tif_slice(tmp_path / "a.tif", labels=labels, dst_path=tmp_path / "out")
    assert paired(tmp_path / "out")


def test_workers_do_not_change_a_byte_of_a_hyperstack(tmp_path: Path) -> None:
    images, labels = write(tmp_path / "a.tif", "ome", "CZT"), write(tmp_path / "b.tif", "imagej", "TZ")
    for workers in (1, 4):
        tif_slice(images, labels=labels, channel="0", dst_path=tmp_path / str(workers), workers=workers)
    assert digests(tmp_path / "1") == digests(tmp_path / "4")


def test_a_fault_names_the_page_in_the_file_and_the_slice(tmp_path: Path) -> None:
    images, values = write(tmp_path / "a.tif", "ome", "TZ"), planes("ZT").astype(np.uint16)
    values[1, 1, 2, 3] = 999
    tifffile.imwrite(tmp_path / "b.tif", values, ome=True, metadata={"axes": "ZTYX"})
    sentence = r"b.tif, page 3: pixel \(x=3, y=2\) has value 999; .* \(slice 6\)"
    with pytest.raises(InvalidInputError, match=sentence):
        tif_slice(images, labels=tmp_path / "b.tif", dst_path=tmp_path / "out")


@st.composite
def two_orders(draw: st.DrawFn) -> tuple[str, str, dict[str, int]]:
    letters = draw(st.lists(st.sampled_from("TZCPV"), min_size=1, max_size=4, unique=True))
    sizes = {letter: draw(st.integers(2, 4)) for letter in letters}
    first, second = draw(st.permutations(letters)), draw(st.permutations(letters))
    return "".join(first), "".join(second), sizes


@settings(max_examples=2 * settings.default.max_examples)
@given(two_orders(), st.data())
def test_every_pair_has_equal_coordinates(orders: tuple[str, str, dict[str, int]], data: st.DataObject) -> None:
    stacks = []
    for axes in orders[:2]:
        sizes = tuple(orders[2][axis] for axis in axes)
        coordinates = [dict(zip(axes, at, strict=True)) for at in np.ndindex(sizes)]
        pages = data.draw(st.permutations(range(len(coordinates))))
        described = canonical_planes("a.tif", StackLayout(axes, sizes, tuple(pages)))
        stacks.append((described, dict(zip(pages, coordinates, strict=True))))
    (images, of_image), (labels, of_label) = stacks
    chosen = sorted(data.draw(st.sets(st.integers(0, len(images) - 1), min_size=1)))
    for position, page in zip(chosen, partners(images, chosen, labels), strict=True):
        assert of_image[int(images.pages.ravel()[position])] == of_label[page]


# Labels with fewer planes


def test_labels_without_channels_are_of_every_channel(tmp_path: Path) -> None:
    images, labels = write(tmp_path / "a.tif", "imagej", "ZC"), write(tmp_path / "b.tif", "ome", "Z")
    for channel in range(3):
        tif_slice(images, labels=labels, channel=str(channel), dst_path=tmp_path / str(channel))
        assert numbers(tmp_path / f"{channel}/images") == [1 + 10 * z + channel for z in range(5)]
        assert numbers(tmp_path / f"{channel}/labels") == [1 + 10 * z for z in range(5)]


def test_labels_with_channels_are_those_of_the_chosen_one(tmp_path: Path) -> None:
    images, labels = write(tmp_path / "a.tif", "ome", "CZ"), write(tmp_path / "b.tif", "imagej", "ZC")
    tif_slice(images, labels=labels, channel="2", dst_path=tmp_path / "out")
    assert paired(tmp_path / "out")


def test_labels_of_the_chosen_planes_only(tmp_path: Path) -> None:
    images = write(tmp_path / "a.tif", "ome", "ZT")
    for name, kind in (("known", "ome"), ("unknown", "shaped")):
        metadata = {"axes": "ZYX"} if kind == "ome" else {}
        options = {"ome": True} if kind == "ome" else {}
        labels = tmp_path / f"{name}.tif"
        tifffile.imwrite(labels, planes("TZ")[1, 1:4], photometric="minisblack", metadata=metadata, **options)
        report = tif_slice(images, labels=labels, pages=[6, 7, 8], dst_path=tmp_path / name)
        assert report.pairing == ("axes" if kind == "ome" else "order")
        assert sorted(path.name for path in (tmp_path / name / "labels").iterdir())[0] == "a_0006.png"
        assert paired(tmp_path / name)


def test_labels_of_unknown_axes_are_paired_by_order(tmp_path: Path) -> None:
    images, labels = write(tmp_path / "a.tif", "ome", "ZT"), plain(tmp_path / "b.tif", planes("TZ"))
    report = tif_slice(images, labels=labels, pages=[3, 8], dst_path=tmp_path / "out")
    assert report.pairing == "order"
    assert paired(tmp_path / "out")


@pytest.mark.parametrize(
    ("images", "labels", "options", "reason"),
    [
        ("Z", "TZ", {}, r"has axes T2 Z5, of which T is not in the images; expected 5 pages \(Z5\), as in .*a.tif"),
        ("TZ", "Z", {}, r"has axes Z5, fewer than the images; expected 10 pages \(T2 Z5\), as in .*a.tif"),
        ("TZ", "T", {"pages": [0, 1, 5]}, r"has axes T2, fewer than .* expected 10 pages .*, or the 3 chosen, as in"),
        ("CZ", "C", {"channel": "0"}, r"has 1 page, fewer than the images; expected 5 pages \(Z5\)"),
        ("Z", "C", {}, "has axes C3, of which C is not in the images; expected 5 pages"),
    ],
)
def test_labels_of_other_planes_are_refused(
    tmp_path: Path, images: str, labels: str, options: dict[str, Any], reason: str
) -> None:
    first, second = write(tmp_path / "a.tif", "ome", images), write(tmp_path / "b.tif", "ome", labels)
    with pytest.raises(InvalidInputError, match=rf"b.tif: {reason}"):
        tif_slice(first, labels=second, dst_path=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_an_axis_of_another_size_is_refused(tmp_path: Path) -> None:
    images = write(tmp_path / "a.tif", "ome", "Z")
    tifffile.imwrite(tmp_path / "b.tif", planes("Z")[:3], ome=True, metadata={"axes": "ZYX"})
    sentence = (
        r"b.tif: has axes Z3; expected 5 pages \(Z5\), or the 2 chosen, as in .*a.tif. Choose images with --pages or"
    )
    with pytest.raises(InvalidInputError, match=sentence):
        tif_slice(images, labels=tmp_path / "b.tif", pages=[1, 2], dst_path=tmp_path / "out")


def test_labels_with_other_channels_are_refused() -> None:
    images, labels = (canonical_planes(f"{size}.tif", StackLayout("C", (size,), tuple(range(size)))) for size in (3, 2))
    with pytest.raises(InvalidInputError, match=r"2.tif: has 2 channels; expected 3, as in 3.tif, or none"):
        label_channel(labels, images, 1)


# Channels


def test_a_channel_has_a_number_and_a_name(tmp_path: Path) -> None:
    names = {"Channel": {"Name": ["DAPI", "GFP", "RFP"]}}
    path = write(tmp_path / "a.ome.tif", "ome", "ZC", **names)
    for index, channel in enumerate(("GFP", "1")):
        report = tif_slice(path, channel=channel, dst_path=tmp_path / str(index))
        assert report.channel == "1 (GFP)"
        assert numbers(tmp_path / f"{index}/images") == [2 + 10 * z for z in range(5)]
    with pytest.raises(
        InvalidInputError, match=r"a.ome.tif: has no channel Cy5; expected one of 0 \(DAPI\), 1 \(GFP\), 2"
    ):
        tif_slice(path, channel="Cy5", dst_path=tmp_path / "out")


@pytest.mark.parametrize("kind", ["ome", "imagej", "shaped"])
def test_several_channels_without_a_choice_are_refused(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.tif", kind, "ZC")
    with pytest.raises(
        InvalidInputError, match=r"a.tif: has 3 channels; expected one of 0, 1, 2. Choose it with --channel."
    ):
        tif_slice(path, dst_path=tmp_path / "out")


def test_a_channel_of_a_stack_without_channels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"a.tif: has no axis C \(Z5\); expected channels to choose from"):
        tif_slice(write(tmp_path / "a.tif", "ome", "Z"), channel="0", dst_path=tmp_path / "out")


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_samples_of_rgb_are_not_channels(tmp_path: Path, planar: str) -> None:
    pages = np.random.default_rng(0).integers(0, 256, (4, 8, 9, 3)).astype(np.uint8)
    stored, axes = (pages, "ZYXS") if planar == "contig" else (np.moveaxis(pages, -1, 1), "ZSYX")
    options: dict[str, Any] = {"planarconfig": planar, "photometric": "rgb", "metadata": {"axes": axes}}
    tifffile.imwrite(tmp_path / "a.ome.tif", stored, ome=True, **options)
    tif_slice(tmp_path / "a.ome.tif", dst_path=tmp_path / "out")
    found = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "out/images").iterdir())]
    np.testing.assert_array_equal(found, pages)


# Axes by option


@pytest.mark.parametrize("text", ["ZTYX", "Z5T2YX", "ZT2YX", "z5tyx"])
def test_axes_of_pages_without_metadata_are_named(tmp_path: Path, text: str) -> None:
    images, labels = plain(tmp_path / "a.tif", planes("ZT")), write(tmp_path / "b.tif", "imagej", "TZ")
    if text == "ZTYX":
        with pytest.raises(
            InvalidInputError, match=r"a.tif: --axes ZTYX: gives no sizes; expected the size of all axes"
        ):
            tif_slice(images, labels=labels, axes=text, dst_path=tmp_path / "out")
    else:
        assert tif_slice(images, labels=labels, axes=text, dst_path=tmp_path / "out").pairing == "axes"
        assert paired(tmp_path / "out")


def test_axes_of_labels_are_named(tmp_path: Path) -> None:
    images, labels = write(tmp_path / "a.tif", "ome", "TZ"), plain(tmp_path / "b.tif", planes("ZT"))
    tif_slice(images, labels=labels, label_axes="Z5T2YX", dst_path=tmp_path / "out")
    assert paired(tmp_path / "out")


def test_named_axes_replace_those_of_the_metadata(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", planes("ZT"), ome=True, metadata={"axes": "TZYX"})
    labels = write(tmp_path / "b.tif", "imagej", "TZ")
    tif_slice(tmp_path / "a.tif", labels=labels, axes="ZTYX", dst_path=tmp_path / "out")
    assert paired(tmp_path / "out")


def test_named_axes_replace_metadata_of_several_images(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for _ in range(2):
            writer.write(planes("Z"), photometric="minisblack", metadata={"axes": "ZYX"})
    assert tif_slice(tmp_path / "a.ome.tif", axes="T2ZYX", dst_path=tmp_path / "out").sizes == (2, 5, 4, 6)


def test_axes_of_one_file_of_a_distributed_image_are_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "full.ome.tif", planes("Z"), ome=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(tmp_path / "full.ome.tif") as tif:
        description = tif.pages.first.description
    for count in (1, 3):
        path = tmp_path / f"{count}.ome.tif"
        with tifffile.TiffWriter(path, ome=False) as writer:
            for index, page in enumerate(planes("Z")[:count]):
                text = description if index == 0 else None
                writer.write(page, description=text, photometric="minisblack", metadata=None)
        with pytest.raises(InvalidInputError, match=rf"{count}.ome.tif: contains {count} pages?; expected 5 planes"):
            tif_slice(path, dst_path=tmp_path / "out")
        assert tif_slice(path, axes="ZYX", dst_path=tmp_path / str(count)).pages == count


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("T2Z4YX", "names 8 planes; expected 10, one for each page"),
        ("T3ZYX", "names 9 planes; expected 10"),
        ("T12ZYX", "names 12 planes; expected 10"),
        ("YX", "names 1 plane; expected 10"),
        ("TZ", "expected different letters that end in YX, as in TZYX or T2Z5YX"),
        ("T2T5YX", "expected different letters that end in YX"),
        ("2ZYX", "expected different letters that end in YX"),
        ("", "expected different letters that end in YX"),
    ],
)
def test_axes_that_do_not_match_the_pages_are_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"a.tif: --axes {text}: {reason}"):
        named_layout(text, "a.tif: --axes", plain_layout(10))


@pytest.mark.parametrize("text", ["ZYX", "ZYXS", "ZSYX", "T1ZYX"])
def test_samples_and_axes_of_size_1_are_not_axes_of_planes(text: str) -> None:
    assert named_layout(text, "--axes", plain_layout(5)) == StackLayout("Z", (5,), (0, 1, 2, 3, 4))


# Pyramids


@pytest.mark.parametrize("label_levels", [True, False])
def test_a_level_of_a_pyramid_is_sliced(tmp_path: Path, label_levels: bool) -> None:
    pages = np.random.default_rng(0).integers(0, 3, (2, 5, 64, 80)).astype(np.uint8)
    for name, axes, stored in (("a", "TZYX", pages), ("b", "ZTYX", np.swapaxes(pages, 0, 1))):
        with tifffile.TiffWriter(tmp_path / f"{name}.ome.tif") as writer:
            if name == "a" or label_levels:
                writer.write(stored, photometric="minisblack", subifds=1, tile=(16, 16), metadata={"axes": axes})
                writer.write(stored[..., ::2, ::2], photometric="minisblack", subfiletype=1, tile=(16, 16))
            else:
                writer.write(stored[..., ::2, ::2], photometric="minisblack", metadata={"axes": axes})
    options: dict[str, Any] = {"labels": tmp_path / "b.ome.tif", "level": 1, "dst_path": tmp_path / "out"}
    report = tif_slice(tmp_path / "a.ome.tif", **options)
    assert (report.level, report.sizes) == (1, (2, 5, 32, 40))
    assert paired(tmp_path / "out")
    found = np.array([np.asarray(Image.open(path)) for path in sorted((tmp_path / "out/images").iterdir())])
    np.testing.assert_array_equal(found.reshape(2, 5, 32, 40), pages[..., ::2, ::2])
    assert tif_slice(tmp_path / "a.ome.tif", dst_path=tmp_path / "full").sizes == (2, 5, 64, 80)


def test_a_level_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"a.tif: has no level 2; expected 0 to 0"):
        tif_slice(write(tmp_path / "a.tif", "ome", "Z"), level=2, dst_path=tmp_path / "out")
