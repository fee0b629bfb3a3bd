"""Text in pictures: one font wherever the program runs, and no name that it cannot draw."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

#: A code point that no font has a glyph for: what is drawn for it stands for every lacking glyph.
_NO_CHARACTER = "\U0010fffe"


@lru_cache
def load_font(size: int) -> FreeTypeFont:
    """Return DejaVu Sans at `size` pixels, the font of matplotlib: Pillow's own lacks even an ``é``."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    # Pillow's other layout engine depends on libraries of the system.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def drawable(text: str) -> str:
    """Return `text` with escapes, such as ``\\u98de``, for what the font cannot draw."""
    return "".join(character if _has_glyph(character) else _escape(character) for character in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


@lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    return character.isprintable() and _glyph(character) != _glyph(_NO_CHARACTER)


def _glyph(character: str) -> tuple[tuple[int, int], bytes]:
    mask = load_font(16).getmask(character)
    return mask.size, bytes(mask)


def text_width(text: str, size: int) -> float:
    """Return the width of a line in pixels."""
    return load_font(size).getlength(drawable(text))


def shorten(text: str, size: int, width: float) -> str:
    """Return `text`, drawable, with its middle left out where it is wider than `width` pixels."""
    text = drawable(text)
    if text_width(text, size) <= width:
        return text
    kept = bisect_right(range(len(text)), width, key=lambda kept: text_width(_without_middle(text, kept), size)) - 1
    return _without_middle(text, max(kept, 0))


def _without_middle(text: str, kept: int) -> str:
    # The end of a path tells files apart: it gets two thirds.
    head = kept // 3
    return f"{text[:head]}…{text[len(text) - (kept - head) :]}"


def wrap(text: str, size: int, width: float) -> list[str]:
    """Return `text`, drawable, in lines of `width` pixels at most, broken between words, long words anywhere."""
    lines = [""]
    for word in drawable(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= width:
            lines[-1] = longer
            continue
        lines.append("")
        for character in word:
            if text_width(lines[-1] + character, size) > width and lines[-1]:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]
