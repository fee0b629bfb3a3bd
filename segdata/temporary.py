"""The folder for temporary files."""

from __future__ import annotations

import tempfile

from segdata.errors import SegDataError


def temporary_folder(user: str, otherwise: str = "") -> str:
    """Return the folder for temporary files.

    Args:
        user: what needs it, for the message.
        otherwise: what can be done without it.

    Raises:
        SegDataError: when no such folder can be written to.
    """
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise SegDataError(
            f"no folder for temporary files is writable, and {user} need one; expected one of the folders in TMPDIR, "
            f"TEMP, TMP or /tmp. Set TMPDIR to a folder that can be written to{otherwise}."
        ) from error
