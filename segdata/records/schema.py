"""The two row schemas of a record set: what a row holds, and how its columns are read back."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Task = Literal["semantic", "instance"]
Schema = dict[str, dict[str, Any]]
Row = dict[str, Any]

#: The model zoo's own three fields. `data` is the encoded image as it lay on disk, `label` the 8-bit
#: single-channel PNG of class ids; `file_name` is the image's path relative to the data root.
SEMANTIC: Schema = {
    "file_name": {"type": "string"},
    "data": {"type": "bytes"},
    "label": {"type": "bytes"},
}


def as_bytes(column: npt.NDArray[Any]) -> bytes:
    """Return a bytes column of MindSpore's reader as the bytes that were written.

    MindSpore hands such a column over as NumPy ``S<n>`` of shape ``(1,)``, whose ``.item()`` strips
    trailing zero bytes; the buffer keeps them.
    """
    return np.frombuffer(column, np.uint8).tobytes()
