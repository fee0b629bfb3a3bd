"""Messages of MindSpore on standard error, which would precede the sentence that says the same."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from segdata.errors import SegDataError


@contextmanager
def messages_held_back() -> Iterator[None]:
    """Hold back what this process writes to standard error; drop it if the block raises a `SegDataError`.

    In all other cases it is written at the end of the block, so that a fault that nobody foresaw keeps its context.
    """
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        usual = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except SegDataError:
            held.truncate(0)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(usual, 2)
            held.seek(0)
            with os.fdopen(usual, "wb") as shown:
                shutil.copyfileobj(held, shown)
