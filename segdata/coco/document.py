"""The text of a JSON file: read completely, checked to be UTF-8, and decoded to its first levels."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import TypeVar

import msgspec

from segdata.errors import InvalidInputError
from segdata.regular import read_regular

_T = TypeVar("_T")

#: Bytes of the file that are checked at a time.
_BLOCK = 1 << 18

#: Start of a gzip file (RFC 1952).
_GZIP = b"\x1f\x8b"


def decode_document(path: Path, type_: type[_T]) -> _T:
    """Return the content of a COCO file as `type_`; its objects may stay raw.

    The file is read, not memory-mapped: if another program shortened it, a map would end this program.

    Raises:
        InvalidInputError: when the file cannot be read, is empty, truncated or nested too deeply, is not JSON in UTF-8,
            or has another form.
    """
    return _decode(_read(path), type_, str(path))


def _read(path: Path) -> memoryview:
    try:
        data = memoryview(read_regular(path))
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from error
    except MemoryError as error:
        size = path.stat().st_size
        raise InvalidInputError(
            f"{path}: has {size:,} bytes, more than fit into memory. Use a machine with more memory.", "too_large"
        ) from error
    if not data:
        raise InvalidInputError(f"{path}: is empty; expected COCO instances as JSON")
    text = data[3:] if data[:3].tobytes() == codecs.BOM_UTF8 else data
    _check_utf8(path, text)
    return text


def _check_utf8(path: Path, text: memoryview) -> None:
    """Reject bytes that are not text, even in unused members, because kept members are written back unchanged.

    This takes a hundredth of the time of reading the file.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), _BLOCK):
        try:
            decoder.decode(text[start : start + _BLOCK], final=start + _BLOCK >= len(text))
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"{path}: {_encoding(text, start + error.start)}") from error


def _encoding(text: memoryview, place: int) -> str:
    """Return what a file is that is not UTF-8, and what to do."""
    start = text[:4].tobytes()
    if start.startswith(_GZIP):
        return "is compressed; expected JSON. Unpack it with gunzip"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return "is UTF-16 or UTF-32 text; expected UTF-8. Save it as UTF-8"
    return f"is not UTF-8 text (near byte {place}). Save it as UTF-8"


def _decode(data: memoryview, type_: type[_T], where: str) -> _T:
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        if not bytes(data[:_BLOCK]).lstrip().startswith(b"{"):
            raise InvalidInputError(
                f"{where}: not a COCO instances file; expected an object {{…}}. If an annotation tool wrote it, export "
                "the annotations as COCO."
            ) from error
        raise InvalidInputError(f"{where}: not a COCO instances file: {error}") from error
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{where}: {_damage(data, error)}") from error
    except RecursionError as error:
        raise InvalidInputError(f"{where}: not a COCO instances file: nested too deeply") from error


def _damage(data: memoryview, error: msgspec.DecodeError) -> str:
    """Return what makes a text invalid JSON; Python's json writes NaN and Infinity, which JSON does not know."""
    place = re.search(r"byte (\d+)", str(error))
    word = re.match(rb"NaN|Infinity", data[int(place[1]) :][:9]) if place else None
    if word and place:
        return f"contains {word[0].decode()} at byte {place[1]}, which is not JSON; expected a number"
    if place and not bytes(data[: int(place[1])]).strip():
        return "not a JSON file; expected COCO instances"
    return f"damaged JSON: {str(error).removeprefix('JSON is malformed: ')}"
