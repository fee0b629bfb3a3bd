"""The chain of headers in a TIFF file: which of them are pages, at which axes, and whether their data is there.

Source: TIFF Revision 6.0, Adobe, sections 2 and 8, and tifffile's handling of the files that programs
write in practice.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from segdata.errors import InvalidInputError
from segdata.text import plural

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

#: NewSubfileType (section 8): bit 0 marks a copy at reduced resolution, bit 2 a transparency mask.
_SUBFILE_TYPE, _REDUCED, NOT_AN_IMAGE = 254, 0b001, 0b101

#: Formats whose metadata names axes, as tifffile calls them. Other files are not searched: that keeps all pages.
_WITH_AXES = ("shaped", "lsm", "mmstack", "ome", "imagej", "ndtiff", "fluoview", "stk", "sis", "qpi", "scanimage")

#: Axes that tifffile finds, but cannot name.
UNKNOWN_AXES = frozenset("IQ")


@dataclass(frozen=True)
class StackLayout:
    """Axes of the pages of a stack, by its metadata.

    Attributes:
        axes: a letter for each axis but those within a page, the slowest first; `UNKNOWN_AXES` have no name.
        sizes: number of planes along each axis.
        pages: page in the file of each plane, in the order of the axes.
        channels: names along axis C; empty if the metadata has none.
    """

    axes: str
    sizes: tuple[int, ...]
    pages: tuple[int, ...]
    channels: tuple[str, ...] = ()


def plain_layout(pages: int) -> StackLayout:
    """Return the layout of pages whose axes are not known: one axis, in the order of the file."""
    return StackLayout("I" if pages > 1 else "", (pages,) if pages > 1 else (), tuple(range(pages)))


def read_layout(tif: TiffFile, offsets: Sequence[int], planes: int) -> StackLayout:
    """Return the layout of the pages at `offsets`, or of the `planes` behind the only one.

    Raises:
        InvalidInputError: when the metadata names several images, or other planes than the file contains.
    """
    count = planes if planes > 1 else len(offsets)
    if not any(getattr(tif, f"is_{kind}") for kind in _WITH_AXES):
        return plain_layout(count)
    places = {offset: index for index, offset in enumerate(offsets)}
    found = [series for series in tif.series if series.is_multifile or series.keyframe.offset in places]
    if len(found) != 1:
        if any(set(_outer_axes(series)[0]) - UNKNOWN_AXES for series in found):
            raise _several_images(found)
        return plain_layout(count)
    (series,) = found
    axes, sizes = _outer_axes(series)
    here = (page for page in series.pages if page is not None and page.parent is tif)
    pages = [places[page.offset] for page in here if page.offset in places] if planes == 1 else range(planes)
    if not len(pages) == math.prod(sizes) == count:
        raise _incomplete(count, series, sizes)
    return StackLayout(axes, sizes, tuple(pages), _channel_names(tif, axes, sizes))


def _incomplete(count: int, series: TiffPageSeries, sizes: Sequence[int]) -> InvalidInputError:
    planes = f"{plural(math.prod(sizes), 'plane')} ({axes_words(series.axes, series.shape)})"
    return InvalidInputError(
        f"contains {plural(count, 'page')}; expected {planes} in one file, as its {series.kind} metadata says. "
        "Save it again, or name the axes of its pages: --axes, or --label_axes for labels.",
        "unsupported_image",
    )


def _outer_axes(series: TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """Return letters and sizes of the axes that are not within a page; an axis of size 1 is not one."""
    inner = len(series.keyframe.shape)
    if tuple(series.shape[-inner:]) != tuple(series.keyframe.shape):
        raise InvalidInputError(
            f"axes {series.axes} do not end in those of a page, {series.keyframe.axes}", "unsupported_image"
        )
    # tifffile writes three gray planes as one RGB page, unless told otherwise.
    pairs = zip(series.axes[-inner:], series.keyframe.axes, strict=True)
    if any(page == "S" and named in "TZ" for named, page in pairs):
        raise InvalidInputError(
            f"its header says that planes are the colors of RGB, its metadata that they are an axis ({series.axes}); "
            'expected one meaning. Save it as gray planes (tifffile: photometric="minisblack").',
            "unsupported_image",
        )
    outer = [(axis, size) for axis, size in zip(series.axes[:-inner], series.shape[:-inner], strict=True) if size > 1]
    return "".join(axis for axis, _ in outer), tuple(size for _, size in outer)


def axes_words(axes: str, sizes: Sequence[int]) -> str:
    """Return axes with their sizes, such as ``T2 Z5``."""
    return " ".join(f"{axis}{size}" for axis, size in zip(axes, sizes, strict=True)) or "no axes"


def _several_images(found: Sequence[TiffPageSeries]) -> InvalidInputError:
    listed = ", ".join(axes_words(*_outer_axes(series)) for series in found)
    return InvalidInputError(
        f"contains {len(found)} images ({listed}); expected one. Save each as a file, or name the axes of all pages: "
        "--axes, or --label_axes for labels.",
        "unsupported_image",
    )


def _channel_names(tif: TiffFile, axes: str, sizes: Sequence[int]) -> tuple[str, ...]:
    """Return the names of the channels if the metadata names each differently."""
    if "C" not in axes:
        return ()
    count = sizes[axes.index("C")]
    names: list[str] = []
    if tif.is_ome:
        # OME-XML 2016-06: the channels of an image are children of its Pixels, in order.
        pixels = next(ElementTree.fromstring(tif.ome_metadata).iterfind(".//{*}Pixels"))
        names = [channel.get("Name", "") for channel in pixels.iterfind("{*}Channel")]
    elif tif.is_imagej and axes[-1] == "C":
        # ImageJ labels every plane; the first planes are those of the channels.
        names = [str(label) for label in (tif.imagej_metadata or {}).get("Labels", [])[:count]]
    return tuple(names) if len(set(filter(None, names))) == len(names) == count else ()


def directories(tif: TiffFile) -> dict[int, int]:
    """Return offset and NewSubfileType of the image file directories (section 2: a linked list, ended by 0)."""
    file, form = tif.filehandle, tif.tiff
    offsets: dict[int, int] = {}
    link = 8 if tif.is_bigtiff else 4
    while True:
        file.seek(link)
        link_bytes = file.read(form.offsetsize)
        if len(link_bytes) < form.offsetsize:
            raise InvalidInputError(
                f"truncated: the file ends at byte {file.size}, within page {len(offsets) - 1}", "truncated"
            )
        (offset,) = struct.unpack(form.offsetformat, link_bytes)
        if offset == 0:
            break
        if offset in offsets:
            raise InvalidInputError(f"damaged: page {len(offsets) - 1} links back to an earlier page")
        file.seek(offset)
        count_bytes = file.read(form.tagnosize)
        if len(count_bytes) < form.tagnosize:
            raise InvalidInputError(
                f"truncated: page {len(offsets)} should begin at byte {offset}, but the file ends at byte {file.size}",
                "truncated",
            )
        (tags,) = struct.unpack(form.tagnoformat, count_bytes)
        offsets[offset] = _subfile_type(tif) if tags else 0
        link = offset + form.tagnosize + tags * form.tagsize
    if not offsets:
        raise InvalidInputError("contains no pages")
    return offsets


def reduced_offsets(tif: TiffFile, page: TiffPage, chain: dict[int, int]) -> list[int]:
    """Return the copies of `page` at reduced resolution: its SubIFDs, or else the directories that follow it."""
    copies = [offset for offset, kind in _sub_directories(tif, page) if kind & NOT_AN_IMAGE == _REDUCED]
    offsets = list(chain)
    for offset in offsets[offsets.index(page.offset) + 1 :] if not copies else ():
        if not chain[offset] & NOT_AN_IMAGE:
            break
        if chain[offset] & NOT_AN_IMAGE == _REDUCED:
            copies.append(offset)
    return copies


def check_previews(tif: TiffFile, pages: Iterable[TiffPage]) -> None:
    """Refuse the pages of raw camera data (DNG, NEF): they are previews, and a SubIFD has the image."""
    if any(not kind & NOT_AN_IMAGE for page in pages for _, kind in _sub_directories(tif, page)):
        raise InvalidInputError(
            "contains only reduced copies of its image, as files of raw camera data do; expected the image itself. "
            "Convert it to a TIFF or PNG.",
            "unsupported_image",
        )


def _sub_directories(tif: TiffFile, page: TiffPage) -> Iterator[tuple[int, int]]:
    """Yield offset and NewSubfileType of each SubIFD of `page`."""
    for offset in page.subifds or ():
        tif.filehandle.seek(offset + tif.tiff.tagnosize)
        yield offset, _subfile_type(tif)


def _subfile_type(tif: TiffFile) -> int:
    """Return the NewSubfileType of the directory whose tags begin here; tags are sorted, and it is the first."""
    entry = tif.filehandle.read(tif.tiff.tagsize)
    order = tif.byteorder
    if len(entry) < tif.tiff.tagsize or struct.unpack(f"{order}H", entry[:2])[0] != _SUBFILE_TYPE:
        return 0
    (value,) = struct.unpack(f"{order}I", entry[-tif.tiff.offsetsize :][:4])
    return int(value)


def count_planes(tif: TiffFile) -> int:
    """Return the number of planes in a file's only directory, according to its description."""
    page, series = tif.pages.first, tif.series[0]
    # The other planes of an OME-TIFF are in other files; `read_layout` compares their number.
    if not page.nbytes or series.size == page.size or tif.is_ome:
        return 1
    if not (tif.is_imagej or tif.is_shaped or tif.is_stk) or not page.is_final or series.size % page.size:
        raise InvalidInputError(
            f"{series.size / page.size:g} planes behind one header, in a layout that is not supported; expected one "
            "header per page. Save it as a multi-page TIFF.",
            "unsupported_image",
        )
    planes = int(series.size // page.size)
    end = page.dataoffsets[0] + planes * page.nbytes
    if end > tif.filehandle.size:
        raise InvalidInputError(
            f"truncated: {plural(planes, 'plane')} should end at byte {end}, "
            f"but the file ends at byte {tif.filehandle.size}",
            "truncated",
        )
    return planes


def check_data(page: TiffPage) -> None:
    """Refuse a page with missing data: tifffile fills some of the gaps with zeros."""
    starts, lengths = page.dataoffsets, page.databytecounts
    # GDAL leaves out strips and tiles without data; both numbers are 0 then.
    if not page.is_contiguous and any(start and not length for start, length in zip(starts, lengths, strict=False)):
        raise InvalidInputError("damaged: a strip or tile of 0 bytes", "unreadable")
    if starts and page.is_contiguous:
        end = starts[0] + page.nbytes
    elif len(starts) == len(lengths) and len(starts) >= math.prod(page.chunked):
        end = max(start + length for start, length in zip(starts, lengths, strict=True))
    else:
        raise InvalidInputError(
            f"damaged: offsets: {len(starts)}, byte counts: {len(lengths)}, strips or tiles: {math.prod(page.chunked)}"
        )
    size = page.parent.filehandle.size
    if end > size:
        raise InvalidInputError(
            f"truncated: its data should end at byte {end}, but the file ends at byte {size}", "truncated"
        )
