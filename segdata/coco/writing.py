"""The text of a COCO JSON, made from the original text of its objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, repeat

import msgspec
from msgspec import Raw


def json_parts(members: Mapping[str, object], lists: Mapping[str, Iterable[Raw]]) -> Iterator[bytes | Raw]:
    """Yield the text of a COCO JSON in parts.

    >>> b"".join(json_parts({"info": {}, "images": []}, {"images": [Raw(b'{"id": 1}')]}))
    b'{"info": {}, "images": [\\n{"id": 1}\\n]}\\n'

    Args:
        members: its top-level members in order.
        lists: the objects of some of these members, which replace their values, one on each line.
    """
    separator = b"{"
    for key, value in members.items():
        yield separator + msgspec.json.encode(key) + b": "
        separator = b", "
        if key in lists:
            yield b"["
            yield from chain.from_iterable(zip(chain([b"\n"], repeat(b",\n")), lists[key], strict=False))
            yield b"\n]"
        else:
            yield msgspec.json.encode(value)
    yield b"}\n"


def replace_values(raw: Raw, values: Mapping[str, Raw]) -> Raw:
    """Return an object with some values replaced; the text and order of its other members do not change.

    >>> bytes(replace_values(Raw(b'{"id": 1, "area": 2.50}'), {"id": Raw(b"7")}))
    b'{"id":7,"area":2.50}'
    """
    members: dict[str, Raw] = msgspec.json.decode(raw, type=dict[str, Raw])
    return Raw(msgspec.json.encode({**members, **values}))
