"""Class ids as TIFF, with the resolution and the place on Earth of the image that they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tifffile import TiffFile, TiffWriter

from segtrain.data.images import Page

if TYPE_CHECKING:
    from segtrain.data.arrays import Label

#: Tags that are copied as they are: GeoTIFF's ModelPixelScale, ModelTiepoint, ModelTransformation, GeoKeyDirectory,
#: GeoDoubleParams and GeoAsciiParams (OGC 19-008r4, GeoTIFF 1.1, requirements class "TIFF").
_COPIED = (33550, 33922, 34264, 34735, 34736, 34737)

#: XResolution, YResolution and ResolutionUnit, and the units that there are (TIFF Revision 6.0, section 8).
_RESOLUTION, _UNIT, _UNITS = (282, 283), 296, (1, 2, 3)

#: Type of a tag that is a text.
_ASCII = 2


def write_labels(writer: TiffWriter, labels: Label, source: Path | Page) -> None:
    """Write class ids ``(H, W)`` uint8 as a page, with tags of the TIFF page `source`."""
    writer.write(labels, photometric="minisblack", compression="zlib", metadata=None, **_tags(source))


def write_labels_file(path: Path, labels: Label, source: Path) -> None:
    """Write class ids ``(H, W)`` uint8 as a file, with tags of the TIFF `source`."""
    with TiffWriter(path) as writer:
        write_labels(writer, labels, source)


def _tags(source: Path | Page) -> dict[str, Any]:
    """Return the tags to copy as arguments of `TiffWriter.write`."""
    path, index = (source.path, source.index) if isinstance(source, Page) else (source, 0)
    with TiffFile(path) as file:
        # ImageJ has one directory for all planes.
        tags = file.pages[min(index, len(file.pages) - 1)].tags
        extra = []
        for tag in (tags[code] for code in _COPIED if code in tags):
            value = tag.value
            if tag.dtype == _ASCII:
                # Not decoded, because it may have bytes that are not ASCII.
                file.filehandle.seek(tag.valueoffset)
                value = file.filehandle.read(tag.count)
            extra.append((tag.code, tag.dtype, tag.count, value, True))
        return _resolution(tags) | ({"extratags": extra} if extra else {})


def _resolution(tags: Any) -> dict[str, Any]:
    """Return the resolution and its unit, unless they say nothing, such as 0/0, which some scanners write."""
    found = [tags.valueof(code) for code in _RESOLUTION]
    shares = [value if isinstance(value, tuple) else (value, 1) for value in found]
    if not all(len(share) == 2 and all(share) for share in shares):
        return {}
    unit = tags.valueof(_UNIT, default=2)
    return {"resolution": tuple(shares), "resolutionunit": unit if unit in _UNITS else 1}
