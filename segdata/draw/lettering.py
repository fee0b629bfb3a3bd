"""Text in pictures: the same font on every machine, with escapes for characters that it cannot draw."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

#: A code point without a glyph in any font: its drawing shows how missing glyphs are drawn.
_NO_CHARACTER = "\U0010fffe"


@lru_cache
def load_font(size: int) -> FreeTypeFont:
    """Return DejaVu Sans at `size` pixels, the font of matplotlib; Pillow's default font lacks even ``é``."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    # Pillow's other layout engine depends on system libraries.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def drawable(text: str) -> str:
    """Return `text` with escapes, such as ``\\u98de``, for characters that the font cannot draw."""
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
    """Return the width of a line of text in pixels."""
    return load_font(size).getlength(drawable(text))


def shorten(text: str, size: int, width: float) -> str:
    """Return `text` in drawable form; its middle is cut out if it is wider than `width` pixels."""
    text = drawable(text)
    if text_width(text, size) <= width:
        return text
    kept = bisect_right(range(len(text)), width, key=lambda kept: text_width(_without_middle(text, kept), size)) - 1
    return _without_middle(text, max(kept, 0))


def _without_middle(text: str, kept: int) -> str:
    # The end of a path distinguishes files, so it gets two thirds.
    head = kept // 3
    return f"{text[:head]}…{text[len(text) - (kept - head) :]}"


def wrap(text: str, size: int, width: float) -> list[str]:
    """Wrap `text`, in drawable form, to lines of at most `width` pixels; only long words are broken inside."""
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
