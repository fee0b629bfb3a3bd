"""Bytes of an SQLite file that depend on the version of SQLite: which they are, and setting them to constants.

SQLite leaves remains of moved rows in the unused parts of a page, and which ones differs between versions. Page form:
"Database File Format" in SQLite's documentation, section 1.6, B-tree Pages.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

SQLITE_PAGE = 4096

#: Bytes 96 to 99 have the version of SQLite that wrote the file last. SQLite reads files with any number there; this
#: one is that of the SQLite inside MindSpore 2.10.
_VERSION_AT, _VERSION = 96, struct.pack(">I", 3_046_001)

#: The header of the file, at the start of its first page.
_FILE_HEADER = 100

#: First bytes of B-tree pages, with the size of their header. An overflow page begins with a page number below 2^24.
_HEADERS = {2: 12, 5: 12, 10: 8, 13: 8}


def settle(path: Path) -> tuple[int, str, bytes]:
    """Set the bytes that depend on SQLite's version to constants.

    Args:
        path: a closed SQLite file with pages of `SQLITE_PAGE` bytes.

    Returns:
        Size of the file, its SHA-256 in hex and its last page.
    """
    digest, size, page = hashlib.sha256(), 0, bytearray()
    with path.open("r+b") as file:
        while found := file.read(SQLITE_PAGE):
            page = bytearray(found)
            start = 0
            if not size:
                page[_VERSION_AT : _VERSION_AT + len(_VERSION)] = _VERSION
                start = _FILE_HEADER
            clear_unused(page, start)
            if page != found:
                file.seek(size)
                file.write(page)
            digest.update(page)
            size += len(page)
    return size, digest.hexdigest(), bytes(page)


def clear_unused(page: bytearray, start: int) -> None:
    """Set the unused bytes of a B-tree page to zero; leave any other page as it is.

    Args:
        page: content of the page.
        start: where its header begins: 100 in the first page of a file, otherwise 0.
    """
    if not (header := _HEADERS.get(page[start])):
        return
    block, cells, content = struct.unpack_from(">HHH", page, start + 1)
    gap = start + header + 2 * cells
    page[gap:content] = bytes(content - gap)
    while block:
        following, size = struct.unpack_from(">HH", page, block)
        page[block + 4 : block + size] = bytes(size - 4)
        block = following
