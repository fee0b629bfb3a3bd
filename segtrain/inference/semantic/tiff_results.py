"""Class ids as TIFF, with the resolution and the place on Earth of the image that they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tifffile import TiffFile, TiffWriter

from segtrain.data.images import Page

if TYPE_CHECKING:
    from segtrain.data.arrays import Label

#: Tags that are copied as they are: XResolution, YResolution and ResolutionUnit (TIFF Revision 6.0, section 8), and
#: GeoTIFF's ModelPixelScale, ModelTiepoint, ModelTransformation, GeoKeyDirectory, GeoDoubleParams and GeoAsciiParams
#: (OGC 19-008r4, GeoTIFF 1.1, requirements class "TIFF").
_COPIED = (282, 283, 296, 33550, 33922, 34264, 34735, 34736, 34737)

#: Tags that tifffile writes itself if it is told so.
_RESOLUTION = (282, 283, 296)


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
        found = {code: tags[code] for code in _COPIED if code in tags}
        given: dict[str, Any] = {}
        if 282 in found and 283 in found:
            given["resolution"] = (found[282].value, found[283].value)
        if 296 in found:
            given["resolutionunit"] = int(found[296].value)
        extra = [
            (code, tag.dtype, tag.count, tag.value, True) for code, tag in found.items() if code not in _RESOLUTION
        ]
        return given | ({"extratags": extra} if extra else {})
