"""Read the pages of a TIFF: keep no page, and decode none before its size is known.

Source of all facts on the file format: TIFF Revision 6.0, Adobe, sections 2, 3, 15 and 22, and tifffile's handling of
the files that programs write in practice.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.header import TIFF_STARTS, ImageHeader, head_of
from segdata.images.tiff_directories import (
    NOT_AN_IMAGE,
    StackLayout,
    check_data,
    check_previews,
    count_planes,
    directories,
    read_layout,
    reduced_offsets,
)
from segdata.images.tiff_fax import CCITT, FaxPages
from segdata.images.tiff_pixels import (
    PageForm,
    as_image,
    image_header,
    naming_file,
    page_form,
    palette_colors,
    read_plane,
)

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage


@contextmanager
def open_stack(source: Path | bytes, *, max_page_mb: int, level: int = 0, named: bool = True) -> Iterator[Stack]:
    """Open a TIFF, a path or encoded, for reading; see `Stack`. Errors name the file only if it is `named`."""
    with ExitStack() as files:
        yield Stack(source, max_page_mb, files, level, named=named)


class Stack:
    """The pages of a TIFF file: its image file directories, or the planes of one directory that contains them all.

    Copies at reduced resolution and transparency masks are not pages. ImageJ (for stacks over 4 GB) and tifffile (on
    request) write one directory whose planes follow each other. Several threads may read at once: each has its own file
    handle. Pickling stores the path, not the pages.

    Attributes:
        path: the file.
    """

    def __init__(
        self, source: Path | bytes, max_page_mb: int, files: ExitStack, level: int = 0, *, named: bool = True
    ) -> None:
        """Find all pages without reading them.

        Args:
            source: the file, or its bytes.
            max_page_mb: refuse pages that claim more memory.
            files: exit stack that closes the file handles.
            level: resolution of the pages: 0 is the full one, 1 the first reduced one.
            named: whether errors name the file and the page; bytes have no name.

        Raises:
            InvalidInputError: when the file is not a TIFF, has no pages, or is so damaged or truncated that its pages
                cannot be counted.
        """
        self.path = Path("image") if isinstance(source, bytes) else source
        self._source = source
        self._max_page_mb = max_page_mb
        self._files = files
        self._of_thread = threading.local()
        self._level = level
        self._named = named and not isinstance(source, bytes)
        with naming_file(str(self.path) if self._named else ""):
            if not head_of(source).startswith(TIFF_STARTS):
                raise InvalidInputError("not a TIFF file", "unreadable")
            tif = self._tif()
            chain = directories(tif)
            self._bases = [offset for offset, kind in chain.items() if not kind & NOT_AN_IMAGE]
            if not self._bases:
                check_previews(tif, map(self._page_at, chain))
                self._bases = list(chain)
            self._planes = count_planes(tif) if len(chain) == 1 else 1
            self._chain = chain
            self._fax = FaxPages(self._file, files, chain)
            self._offsets = [self._at_level(offset) for offset in self._bases] if level else self._bases

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a worker on another machine open the file itself."""
        status = self.path.stat()
        version = (status.st_mtime_ns, status.st_size)
        return _open_again, (self.path.absolute(), self._max_page_mb, self._level, *version)

    def __len__(self) -> int:
        return self._planes if self._planes > 1 else len(self._offsets)

    def levels(self) -> int:
        """Return the number of resolutions of the first page: 1 if it has no copies at reduced resolution."""
        with naming_file(str(self.path)):
            return 1 + len(reduced_offsets(self._tif(), self._page_at(self._bases[0]), self._chain))

    def naming(self, index: int) -> AbstractContextManager[None]:
        """Prefix errors about page `index` with the names of the file and the page."""
        return naming_file(f"{self.path.name}, page {index}" if self._named else "")

    def layout(self) -> StackLayout:
        """Return the axes of the pages, by the metadata of the file.

        Raises:
            InvalidInputError: when the metadata names several images, or other planes than the file contains.
        """
        with naming_file(str(self.path)):
            return read_layout(self._tif(), self._bases, self._planes)

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
            return self._stored(self._page(index), index, expected)

    def header(self) -> ImageHeader:
        """Return the header of a file with one page.

        Raises:
            InvalidInputError: see `form`; also when the file has several pages.
        """
        return image_header(self._only_form(), self._page(0))

    def image(self) -> npt.NDArray[Any]:
        """Return the only page as `read_page` does.

        Raises:
            InvalidInputError: see `header` and `read`.
        """
        return self.read_page(0, self._only_form())

    def read_page(self, index: int, expected: PageForm) -> npt.NDArray[Any]:
        """Return page `index` as an image: gray ``(H, W)`` or RGB ``(H, W, 3)``, dark is low, alpha dropped.

        1 to 7 bits are stretched to 0 … 255; deeper samples keep their values.

        Raises:
            InvalidInputError: see `read`; also when colors are multiplied by alpha.
        """
        with self.naming(index):
            page = self._page(index)
            return as_image(self._stored(page, index, expected), expected, page)

    def palette(self, index: int) -> npt.NDArray[np.uint8]:
        """Return the colors of the values of page `index` ``(N, 3)``, whose form says that it has a palette."""
        with self.naming(index):
            return palette_colors(self._page(index))

    def _only_form(self) -> PageForm:
        if len(self) != 1:
            raise InvalidInputError(
                f"contains {len(self)} pages; expected one. Slice it with segdata tif-slice.", "unsupported_image"
            )
        return self.form(0)

    def _tif(self) -> TiffFile:
        from tifffile import TiffFile

        if not hasattr(self._of_thread, "tif"):
            self._of_thread.tif = self._files.enter_context(TiffFile(self._file()))
        return self._of_thread.tif

    def _file(self) -> Path | io.BytesIO:
        return io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source

    def _page(self, index: int) -> TiffPage:
        return self._page_at(self._offsets[0 if self._planes > 1 else index], index)

    def _page_at(self, offset: int, index: int = 0) -> TiffPage:
        from tifffile import TiffPage

        # Not `TiffFile.pages`: it follows the entire chain again in each handle, in circles if the chain is circular.
        tif = self._tif()
        tif.filehandle.seek(offset)
        return TiffPage(tif, index)

    def _at_level(self, offset: int) -> int:
        copies = reduced_offsets(self._tif(), self._page_at(offset), self._chain)
        if self._level > len(copies):
            raise InvalidInputError(f"has no level {self._level}; expected 0 to {len(copies)}")
        return copies[self._level - 1]

    def _stored(self, page: TiffPage, index: int, expected: PageForm) -> npt.NDArray[Any]:
        form = self._form(page)
        if form != expected:
            raise InvalidInputError(f"{form}; expected all pages to be {expected}")
        pixels = self._pixels(page, index)
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, -1)
        native = np.dtype(np.uint8) if page.dtype.kind == "b" else page.dtype.newbyteorder("=")
        return np.ascontiguousarray(pixels, native)

    def _pixels(self, page: TiffPage, index: int) -> npt.NDArray[Any]:
        if self._planes > 1:
            return read_plane(page, index)
        if page.compression not in CCITT:
            return np.asarray(page.asarray(maxworkers=1))
        return self._fax.read(page)

    def _form(self, page: TiffPage) -> PageForm:
        """Return the form of `page` after checking that everything it claims is possible."""
        form = page_form(page, self._max_page_mb)
        if self._planes == 1:
            check_data(page)
        return form


@lru_cache(maxsize=4)
def _open_again(path: Path, max_page_mb: int, level: int, _changed: int, _size: int) -> Stack:
    """Open a stack once for all pages sent to this process; a changed file of the same name is a new stack."""
    return Stack(path, max_page_mb, ExitStack(), level)
