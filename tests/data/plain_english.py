"""Words that were replaced by plain English, and where they are found in a text."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

#: A pattern, and what to write instead.
REPLACED = {
    r"\b(is|are|was|were) (?-i:none)\b": "is invalid, is not one",
    r"(?<!there )\b(is|are|was|were) no (?!longer\b)": "is not a",
    r"\bstands?\b(?! for\b)": "is, appears",
    r"\bl(ies?|ay|ain|ying)\b": "is",
    r"\bwhole\b(?! numbers?\b)": "complete, intact, entire, full",
    r"\blook(s|ed|ing)? (at|into|like)\b": "check, read, inspect",
    r"\b(take|takes|taking|took) a look\b": "check, read, inspect",
    r"\banew\b": "again, from the start",
    r"\b(go|goes|went|gone|going) on\b": "resume, continue",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\btold apart\b": "distinguished",
    r"\bbears?\b": "supports",
    r"\bof (a|the|this|that|another|such a) kind\b": "of type, such",
    r"\bto be had\b": "available",
    r"\bone's own\b": "your own",
    r"\b(whereof|thereof|therein|herein|withal|hither|hence)\b": "of it, in it",
    r"\bcolour|\bgrey\b|\bneighbour|\bcentre|\bbehaviour|\blabell(ed|ing)\b": "American spelling",
    r"(normal|recogn|synchron|initial|organ|optim|summar|raster|serial|final|util)is(e|ed|es|ing|ation)\b": (
        "American spelling"
    ),
}

_PATTERNS = {re.compile(pattern, re.IGNORECASE): instead for pattern, instead in REPLACED.items()}


def foreign(text: str) -> list[str]:
    """Return the words of `text` that were replaced, each with its surroundings and what to write instead."""
    found = []
    for pattern, instead in _PATTERNS.items():
        for match in pattern.finditer(text):
            around = " ".join(text[max(0, match.start() - 40) : match.end() + 40].split())
            found.append(f"{match[0]!r} ({instead}): … {around} …")
    return found


def sentences(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string and comment of a Python module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
