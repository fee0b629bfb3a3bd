"""Read a multi-page TIFF page by page: keep no page, and decode none before its size is known.

Source of all facts on the file format: TIFF Revision 6.0, Adobe, sections 2, 3, 15 and 22, and tifffile's handling of
the files that programs write in practice.
"""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.text import plural

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

#: PhotometricInterpretation and samples per pixel of what a PNG can represent; YCbCr in a JPEG is decoded to RGB.
_COLORS = {
    (0, 1): "gray, 0 is white",
    (1, 1): "gray",
    (3, 1): "palette",
    (0, 2): "gray with alpha, 0 is white",
    (1, 2): "gray with alpha",
    (2, 3): "RGB",
    (2, 4): "RGBA",
    (6, 3): "RGB",
}
_YCBCR, _JPEG = 6, (6, 7, 33007, 34892)


@dataclass(frozen=True)
class PageForm:
    """Properties of a page, from its header.

    Attributes:
        width: in pixels.
        height: in pixels.
        samples: number of samples per pixel.
        dtype: data type of a sample.
        bits: number of its bits in use.
        color: color type in words.
    """

    width: int
    height: int
    samples: int
    dtype: np.dtype[Any]
    bits: int
    color: str

    def __str__(self) -> str:
        return f"{self.width} x {self.height} {self.dtype} {self.color}"


@contextmanager
def open_stack(path: Path, *, max_page_mb: int) -> Iterator[Stack]:
    """Open a multi-page TIFF for reading; see `Stack`."""
    with ExitStack() as files:
        yield Stack(path, max_page_mb, files)


class Stack:
    """The pages of a TIFF file: its image file directories, or the planes of one directory that contains them all.

    ImageJ (for stacks over 4 GB) and tifffile (on request) write one directory whose planes follow each other.
    Several threads may read at once: each has its own file handle. Pickling stores the path, not the pages.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, max_page_mb: int, files: ExitStack) -> None:
        """Find all pages without reading them.

        Args:
            path: the file.
            max_page_mb: refuse pages that claim more memory.
            files: exit stack that closes the file handles.

        Raises:
            InvalidInputError: when the file is not a TIFF, has no pages, or is so damaged or truncated that its pages
                cannot be counted.
        """
        self.path = path
        self._max_page_mb = max_page_mb
        self._files = files
        self._of_thread = threading.local()
        with _readable(str(path)):
            tif = self._tif()
            self._offsets = _directories(tif)
            self._planes = _planes(tif) if len(self._offsets) == 1 else 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a worker on another machine open the file itself."""
        status = self.path.stat()
        return _open_again, (self.path.absolute(), self._max_page_mb, status.st_mtime_ns, status.st_size)

    def __len__(self) -> int:
        return self._planes if self._planes > 1 else len(self._offsets)

    def naming(self, index: int) -> AbstractContextManager[None]:
        """Prefix errors about page `index` with the names of the file and the page."""
        return _readable(f"{self.path.name}, page {index}")

    def form(self, index: int) -> PageForm:
        """Return the form of page `index` (from 0), from its header.

        Raises:
            InvalidInputError: when the page is damaged, truncated, too large or of an unsupported form.
        """
        with self.naming(index):
            return self._form(self._page(index))

    def read(self, index: int, expected: PageForm) -> npt.NDArray[Any]:
        """Return page `index` (from 0) in its stored data type, ``(H, W)`` or ``(H, W, samples)``; bool as uint8.

        Values are those stored in the file: not scaled, not inverted, and without a palette applied.

        Raises:
            InvalidInputError: see `form`; also when the page's form is not `expected`, or its data cannot be decoded.
        """
        with self.naming(index):
            page = self._page(index)
            form = self._form(page)
            if form != expected:
                raise InvalidInputError(f"{form}; expected all pages to be {expected}")
            pixels = self._plane(page, index) if self._planes > 1 else page.asarray(maxworkers=1)
            if page.axes == "SYX":
                pixels = np.moveaxis(pixels, 0, -1)
            native = np.dtype(np.uint8) if page.dtype.kind == "b" else page.dtype.newbyteorder("=")
            return np.ascontiguousarray(pixels, native)

    def _tif(self) -> TiffFile:
        from tifffile import TiffFile

        if not hasattr(self._of_thread, "tif"):
            self._of_thread.tif = self._files.enter_context(TiffFile(self.path))
        return self._of_thread.tif

    def _page(self, index: int) -> TiffPage:
        from tifffile import TiffPage

        # Not `TiffFile.pages`: it follows the entire chain again in each handle, in circles if the chain is circular.
        tif = self._tif()
        tif.filehandle.seek(self._offsets[0 if self._planes > 1 else index])
        return TiffPage(tif, index)

    def _plane(self, page: TiffPage, index: int) -> npt.NDArray[Any]:
        file = page.parent.filehandle
        file.seek(page.dataoffsets[0] + index * page.nbytes)
        pixels = np.frombuffer(file.read(page.nbytes), page.dtype.newbyteorder(page.parent.byteorder))
        return pixels.reshape(page.shape)

    def _form(self, page: TiffPage) -> PageForm:
        """Return the form of `page` after checking that everything it claims is possible."""
        size = f"{page.imagewidth} x {page.imagelength} pixels"
        if page.dtype is None or page.dtype.kind not in "buif" or page.bitspersample > 64:
            raise InvalidInputError(
                f"unsupported {page.bitspersample}-bit samples; expected integers or floating point of up to 64 bits"
            )
        claimed = max(page.nbytes, math.prod(page.chunks) * page.dtype.itemsize)
        if claimed > self._max_page_mb << 20:
            raise InvalidInputError(
                f"claims {size}, {claimed / 2**20:,.0f} MB of memory; expected at most {self._max_page_mb} MB"
            )
        photometric, samples = int(page.photometric), page.samplesperpixel
        color = _COLORS.get((photometric, samples))
        if photometric == _YCBCR and page.compression not in _JPEG:
            color = None
        if page.axes not in ("YX", "YXS", "SYX") or not page.nbytes or color is None:
            raise InvalidInputError(
                f"{size} with {plural(samples, 'sample')} each, axes {page.axes}, "
                f"photometric interpretation {photometric}; "
                "expected a gray, palette or RGB image"
            )
        if self._planes == 1:
            _check_data(page)
        return PageForm(page.imagewidth, page.imagelength, page.samplesperpixel, page.dtype, page.bitspersample, color)


@lru_cache(maxsize=4)
def _open_again(path: Path, max_page_mb: int, _changed: int, _size: int) -> Stack:
    """Open a stack once for all pages sent to this process; a changed file of the same name is a new stack."""
    return Stack(path, max_page_mb, ExitStack())


def _check_data(page: TiffPage) -> None:
    """Refuse a page with missing data: tifffile fills some of the gaps with zeros."""
    starts, lengths = page.dataoffsets, page.databytecounts
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
        raise InvalidInputError(f"truncated: its data should end at byte {end}, but the file ends at byte {size}")


def _directories(tif: TiffFile) -> list[int]:
    """Return the offsets of the image file directories, in order (section 2: a linked list, ended by 0)."""
    file, form = tif.filehandle, tif.tiff
    offsets: dict[int, None] = {}
    link = 8 if tif.is_bigtiff else 4
    while True:
        file.seek(link)
        link_bytes = file.read(form.offsetsize)
        if len(link_bytes) < form.offsetsize:
            raise InvalidInputError(f"truncated: the file ends at byte {file.size}, within page {len(offsets) - 1}")
        (offset,) = struct.unpack(form.offsetformat, link_bytes)
        if offset == 0:
            break
        if offset in offsets:
            raise InvalidInputError(f"damaged: page {len(offsets) - 1} links back to an earlier page")
        file.seek(offset)
        count_bytes = file.read(form.tagnosize)
        if len(count_bytes) < form.tagnosize:
            raise InvalidInputError(
                f"truncated: page {len(offsets)} should begin at byte {offset}, but the file ends at byte {file.size}"
            )
        (tags,) = struct.unpack(form.tagnoformat, count_bytes)
        offsets[offset] = None
        link = offset + form.tagnosize + tags * form.tagsize
    if not offsets:
        raise InvalidInputError("contains no pages")
    return list(offsets)


def _planes(tif: TiffFile) -> int:
    """Return the number of planes in a file's only directory, according to its description."""
    if not (tif.is_imagej or tif.is_shaped):
        return 1
    page, series = tif.pages.first, tif.series[0]
    if not page.is_final or not page.nbytes or series.size % page.size:
        return 1
    planes = int(series.size // page.size)
    end = page.dataoffsets[0] + planes * page.nbytes
    if end > tif.filehandle.size:
        raise InvalidInputError(
            f"truncated: {plural(planes, 'plane')} should end at byte {end}, "
            f"but the file ends at byte {tif.filehandle.size}"
        )
    return planes


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Prefix errors with `where`.

    A decoder may raise any exception for damaged data, so every exception is taken to mean that.
    """
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from error
    except OSError as error:
        raise InvalidInputError(f"{where}: cannot be read: {error.strerror or error}") from error
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInputError(f"{where}: cannot be read: {reason}") from error
