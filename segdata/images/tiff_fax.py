"""Pages of a TIFF that are compressed as by fax machines, which Pillow reads and tifffile does not.

Source: TIFF Revision 6.0, Adobe, section 11.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError

if TYPE_CHECKING:
    from tifffile import TiffPage

#: Compression of fax machines, which 1-bit masks have, too.
CCITT = (2, 3, 4)


class FaxPages:
    """Reads such pages; several threads may read at once."""

    def __init__(self, file: Callable[[], Path | io.BytesIO], files: ExitStack, chain: Iterable[int]) -> None:
        """Open nothing yet.

        Args:
            file: returns the TIFF, a path or encoded.
            files: exit stack that closes the file handles.
            chain: offsets of all image file directories, in order.
        """
        self._file = file
        self._files = files
        self._numbers = {offset: number for number, offset in enumerate(chain)}
        self._of_thread = threading.local()

    def read(self, page: TiffPage) -> npt.NDArray[Any]:
        """Return the stored samples of a page with the compression `CCITT`.

        Raises:
            InvalidInputError: when the page is a copy at a reduced resolution, which Pillow does not find.
        """
        from PIL import Image

        if page.offset not in self._numbers:
            raise InvalidInputError("fax compression at a reduced resolution; expected --level 0", "unsupported_image")
        # Opened once in each thread: Pillow follows the chain of all pages up to the one that it reads.
        if not hasattr(self._of_thread, "image"):
            self._of_thread.image = self._files.enter_context(Image.open(self._file()))
        try:
            self._of_thread.image.seek(self._numbers[page.offset])
            # Pillow's 1 is white; the stored 1 is black if 0 is white.
            return np.not_equal(np.asarray(self._of_thread.image), int(page.photometric) == 0)
        except BaseException:
            # Pillow would take what it has decoded for the complete page.
            del self._of_thread.image
            raise
