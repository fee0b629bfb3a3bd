"""Hypothesis strategies that damage a good input: its bytes, or the values within its JSON."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

#: Values that break readers: numbers at and beyond the ends of their types, invalid text, deep nesting.
_ODD: list[Any] = [
    *(None, True, -1, 0, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, 1e308, -0.0, float("nan"), float("inf")),
    *("", "0", "\0", "../x", "/", "\ud800", "a\nb", [], {}, [[]], [None], {"": None}, {"id": 1}),
]

_VALUES = st.sampled_from(_ODD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def damaged(draw: st.DrawFn, data: bytes, most: int = 2) -> bytes:
    """Draw `data` with up to `most` places changed, cut out, doubled, filled with others, or the end cut off."""
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(data)))
        end = min(start + draw(st.integers(0, 12)), len(data))
        match draw(st.sampled_from(["flip", "cut", "double", "fill", "end"])):
            case "flip" if start < len(data):
                data = data[:start] + bytes([data[start] ^ (1 << draw(st.integers(0, 7)))]) + data[start + 1 :]
            case "cut":
                data = data[:start] + data[end:]
            case "double":
                data = data[:end] + data[start:]
            case "fill":
                data = data[:start] + draw(st.binary(max_size=6)) + data[end:]
            case _:
                data = data[:start]
    return data


@st.composite
def damaged_json(draw: st.DrawFn, value: Any) -> bytes:
    """Draw the JSON text of `value` with members replaced, dropped, doubled, renamed or nested, or bytes damaged."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(0, 3))):
        places = [place for place in _places(value) if place]
        if not places:
            break
        *above, key = draw(st.sampled_from(places))
        parent = value
        for step in above:
            parent = parent[step]
        match draw(st.sampled_from(["replace", "replace", "other", "drop", "double", "rename", "nest"])):
            case "replace":
                parent[key] = copy.deepcopy(draw(_VALUES))
            case "other":
                parent[key] = copy.deepcopy(_at(value, draw(st.sampled_from(places))))
            case "drop":
                del parent[key]
            case "double" if isinstance(parent, list):
                parent.insert(key, copy.deepcopy(parent[key]))
            case "rename" if isinstance(parent, dict):
                parent[draw(st.text(max_size=6))] = parent.pop(key)
            case _:
                parent[key] = [parent[key]]
    text = json.dumps(value, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    return draw(damaged(text)) if draw(st.integers(0, 3)) == 0 else text


def _places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value within `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for key, inner in items for place in _places(inner, (*above, key)))]


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        value = value[step]
    return value
