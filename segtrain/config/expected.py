"""The values that a setting takes, in words."""

from __future__ import annotations

from typing import Any

from msgspec.inspect import (
    BoolType,
    FloatType,
    IntType,
    LiteralType,
    NoneType,
    StrType,
    TupleType,
    Type,
    UnionType,
    VarTupleType,
    type_info,
)

from segtrain.config.names import choices_of


def expected_values(hint: Any) -> str:
    """Return the values that a field of this type takes, in words.

    Example:
        >>> expected_values(int | None)
        'integer; or null'
    """
    if choices := choices_of(hint):
        return f"one of {', '.join(choices)}"
    return _words(type_info(hint))


def _words(kind: Type) -> str:
    if isinstance(kind, (IntType, FloatType)):
        return f"{'integer' if isinstance(kind, IntType) else 'number'}{_range(kind)}"
    if isinstance(kind, LiteralType):
        # Of one word, the value; of several, a list of them.
        words = [str(value) for value in kind.values]
        return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    if isinstance(kind, VarTupleType):
        return f"list of values: {_words(kind.item_type)}"
    if isinstance(kind, TupleType):
        return f"list of {len(kind.item_types)} values: {_words(kind.item_types[0])}"
    if isinstance(kind, UnionType):
        return "; or ".join(_words(each) for each in kind.types)
    plain = {BoolType: "true or false", StrType: "string", NoneType: "null"}
    return plain[type(kind)]


def _range(kind: IntType | FloatType) -> str:
    """Return the range of a number, such as ", 0 to 255"."""
    low = None if kind.ge is None else f"{kind.ge} or more"
    low = f"above {kind.gt}" if kind.gt is not None else low
    high = f"at most {kind.le}" if kind.le is not None else None
    high = f"below {kind.lt}" if kind.lt is not None else high
    if kind.ge is not None and kind.le is not None:
        low, high = f"{kind.ge} to {kind.le}", None
    multiple = None if kind.multiple_of is None else f"a multiple of {kind.multiple_of}"
    return "".join(f", {part}" for part in (low, high, multiple) if part)
