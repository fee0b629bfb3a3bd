"""Cures of a COCO JSON that cannot be read: numbers that JSON does not know, and objects in the place of lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from segdata.coco.document import decode_document
from segdata.coco.file import MEMBERS
from segdata.coco.writing import json_parts
from segdata.errors import InvalidInputError
from segdata.regular import read_regular

#: A string, which stays as it is, or a word that Python's json writes for a number that JSON does not know.
_WORDS = re.compile(rb'"(?:[^"\\]|\\.)*"|-?Infinity|NaN')


def without_nan(text: bytes) -> bytes:
    """Return a JSON text with ``null`` in the place of NaN and Infinity.

    >>> without_nan(b'{"name": "NaN", "area": NaN}')
    b'{"name": "NaN", "area": null}'
    """
    return _WORDS.sub(lambda word: word[0] if word[0].startswith(b'"') else b"null", text)


def as_list(raw: Raw) -> list[Raw] | None:
    """Return the objects of a JSON object by id as a list; those without an id get their key as one.

    >>> [bytes(each) for each in as_list(Raw(b'{"7": {"name": "cat"}}'))]
    [b'{"id":7,"name":"cat"}']
    """
    try:
        found: dict[str, dict[str, Raw]] = msgspec.json.decode(raw, type=dict[str, dict[str, Raw]])
    except msgspec.DecodeError:
        return None
    return [
        Raw(msgspec.json.encode(one if "id" in one else {"id": int(key) if key.isdecimal() else key, **one}))
        for key, one in found.items()
    ]


def readable(path: Path) -> bytes | None:
    """Return the text of a JSON whose numbers and lists can be read; None if nothing had to be changed for this."""
    text = read_regular(path)
    plain = without_nan(text)
    if plain != text:
        path.write_bytes(plain)
    try:
        members: dict[str, Any] = decode_document(path, dict[str, Raw])
    except InvalidInputError:
        return None if plain == text else plain
    lists = {key: found for key in MEMBERS if key in members and (found := as_list(members[key])) is not None}
    if lists:
        return b"".join(json_parts(members, lists))
    return None if plain == text else plain
