"""Text in pictures: the font of matplotlib, a Chinese, Japanese or Korean font of the system, escapes for the rest."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

    from segdata.labels.colormap import Color

#: A code point without a glyph in any font: its drawing shows how missing glyphs are drawn.
_NO_CHARACTER = "\U0010fffe"

#: How the file names of fonts with Chinese, Japanese and Korean characters begin, without marks and in lower case, the
#: preferred ones first: those of Linux distributions, of Windows and of macOS.
_CJK_FONTS = (
    *("notosanscjk", "notosanssc", "sourcehansans", "wqymicrohei", "wqyzenhei", "droidsansfallback"),
    *("msyh", "simhei", "simsun", "malgun", "yugoth"),
    *("pingfang", "hiraginosansgb", "stheiti", "songti", "arialunicode"),
)


@lru_cache
def fallback_font() -> Path | None:
    """Return the file of an installed font with Chinese, Japanese and Korean characters; None without one."""
    from matplotlib.font_manager import findSystemFonts

    found = {Path(file): "".join(filter(str.isalnum, Path(file).stem.lower())) for file in sorted(findSystemFonts())}
    for wanted in _CJK_FONTS:
        files = [path for path, stem in found.items() if stem.startswith(wanted)]
        if files:
            return min(files, key=lambda path: (not found[path].endswith("regular"), found[path], str(path)))
    return None


@lru_cache
def load_font(size: int) -> FreeTypeFont:
    """Return DejaVu Sans at `size` pixels, the font of matplotlib; Pillow's default font lacks even ``é``."""
    import matplotlib

    return _open(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


@lru_cache
def _load_fallback(size: int) -> FreeTypeFont | None:
    path = fallback_font()
    try:
        return _open(path, size) if path else None
    except OSError:
        # The file is damaged or not readable.
        return None


def _open(path: Path, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    # Pillow's other layout engine depends on system libraries.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def in_first_font(text: str) -> bool:
    """Return whether the font of matplotlib has all printable characters of `text`.

    >>> in_first_font("Käse"), in_first_font("飞机")
    (True, False)
    """
    return all(_has_glyph(load_font(16), character) for character in text if character.isprintable())


def can_draw(text: str) -> bool:
    """Return whether a font here has all characters of `text`.

    >>> can_draw("Käse")
    True
    """
    return all(_font_of(character) is not None for character in text)


def drawable(text: str) -> str:
    """Return `text` with escapes, such as ``\\u98de``, for characters that no font here can draw."""
    return "".join(character if can_draw(character) else _escape(character) for character in text)


def class_text(name: str, id_: int | None) -> str:
    """Return the name of a class as pictures show it: its id if no font here can draw the name.

    >>> class_text("cat", 8)
    'cat'
    """
    return name if id_ is None or can_draw(name) else f"id {id_}"


def without_font(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names that no font here can draw, in order."""
    return tuple(name for name in names if not can_draw(name))


def describe_without_font(names: Iterable[str]) -> list[str]:
    """Return the line about class names that pictures show as ids; none without such names."""
    shown = ", ".join(names)
    if not shown:
        return []
    return [f"pictures show ids, because no font here has the letters of {shown}; install one, such as Noto Sans CJK"]


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


@lru_cache(maxsize=4096)
def _font_of(character: str) -> bool | None:
    """Return whether a character is in the fallback font instead of the first one; None if it is in neither."""
    if not character.isprintable():
        return None
    if _has_glyph(load_font(16), character):
        return False
    fallback = _load_fallback(16)
    return True if fallback and _has_glyph(fallback, character) else None


def _has_glyph(font: FreeTypeFont, character: str) -> bool:
    return _glyph(font, character) != _missing_glyph(font)


@lru_cache
def _missing_glyph(font: FreeTypeFont) -> tuple[tuple[int, int], bytes]:
    return _glyph(font, _NO_CHARACTER)


def _glyph(font: FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _runs(text: str, size: int) -> Iterator[tuple[FreeTypeFont, str]]:
    """Yield the parts of `text`, in drawable form, that have one font."""
    for fallback, characters in groupby(drawable(text), _font_of):
        font = _load_fallback(size) if fallback else None
        yield font or load_font(size), "".join(characters)


def draw_text(draw: ImageDraw, left: float, top: float, text: str, size: int, color: Color | int) -> None:
    """Draw a line of text in letters of `size` pixels, its upper left corner at `left`, `top`."""
    base = top + load_font(size).getmetrics()[0]
    for font, part in _runs(text, size):
        # All fonts have one baseline.
        draw.text((left, base), part, fill=color, font=font, anchor="ls")
        left += font.getlength(part)


def text_width(text: str, size: int) -> float:
    """Return the width of a line of text in pixels."""
    return sum(font.getlength(part) for font, part in _runs(text, size))


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
