"""Every name can be drawn, in any script, and fits its space."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given, strategies as st
from PIL import Image, ImageDraw

from segdata.draw.lettering import (
    class_text,
    describe_without_font,
    draw_text,
    drawable,
    shorten,
    text_width,
    without_font,
    wrap,
)

names = st.text(max_size=60).filter(lambda text: "…" not in text)


def test_what_the_font_has_is_drawn_as_it_is() -> None:
    assert drawable("Käse, вода, νερό/0001.jpg") == "Käse, вода, νερό/0001.jpg"


def test_what_no_font_has_is_drawn_as_an_escape() -> None:
    # No font has letters in a plane for private use.
    assert drawable("\U0010abcd 01") == r"\U0010abcd 01"
    assert drawable("a\nb\x00\u202e") == r"a\nb\x00\u202e"


def test_a_class_without_a_font_is_drawn_as_its_id_and_told() -> None:
    assert (class_text("cat", 8), class_text("\U0010abcd", 8)) == ("cat", "id 8")
    assert without_font(["cat", "\U0010abcd", "dog"]) == ("\U0010abcd",)
    assert describe_without_font([]) == []
    (line,) = describe_without_font(["\U0010abcd"])
    assert "no font here has the letters of \U0010abcd" in line


DRAW = """
import sys
from PIL import Image, ImageDraw
from matplotlib.figure import Figure
from segdata.draw.figures import to_svg
from segdata.draw.lettering import can_draw, draw_text, fallback_font, text_width
picture = Image.new("L", (100, 24))
draw_text(ImageDraw.Draw(picture), 2, 2, "a\\u98dea", 16, 255)
picture.save(sys.argv[1])
figure = Figure(figsize=(2, 1))
figure.subplots().set_yticks([0], ["\\u98de"])
assert "'DejaVu Sans', 'Noto Sans CJK Test', sans-serif" in to_svg(figure)
print(fallback_font(), can_draw("\\u98de"), text_width("\\u98de", 16), text_width("a", 16))
"""


def block_font(path: Path) -> None:
    """Write a font whose only letter is a block, 飞."""
    pen = TTGlyphPen(None)
    for point in ((0, 0), (0, 1000), (1000, 1000), (1000, 0)):
        (pen.lineTo if pen.points else pen.moveTo)(point)
    pen.closePath()
    empty = TTGlyphPen(None).glyph()
    font = FontBuilder(1000)
    font.setupGlyphOrder([".notdef", "block"])
    font.setupCharacterMap({ord("飞"): "block"})
    font.setupGlyf({".notdef": empty, "block": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (500, 0), "block": (1000, 0)})
    font.setupHorizontalHeader(ascent=1000, descent=0)
    font.setupNameTable({"familyName": "Noto Sans CJK Test", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of a user's fonts is that of Linux")
def test_a_chinese_name_is_drawn_by_a_font_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "fonts").mkdir()
    # First of all fonts that may be here.
    block_font(tmp_path / "fonts" / "NotoSansCJK-0-Regular.ttf")
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    command = [sys.executable, "-c", DRAW, str(tmp_path / "drawn.png")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    font, can, wide, narrow = done.stdout.split()
    assert (font, can, float(wide)) == (str(tmp_path / "fonts" / "NotoSansCJK-0-Regular.ttf"), "True", 16)
    with Image.open(tmp_path / "drawn.png") as picture:
        pixels = np.asarray(picture)
    # The block of 16 x 16 pixels is on the line of the letters, after the first of them.
    left = 2 + round(float(narrow))
    rows, columns = np.nonzero(pixels[:, left + 1 : left + 15] == 255)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (16, 14)
    assert pixels[:, left + 18 :].max() == 255


@given(names)
def test_every_text_can_be_drawn(text: str) -> None:
    picture = Image.new("L", (40, 20))
    draw_text(ImageDraw.Draw(picture), 0, 0, text, 12, 255)
    assert drawable(drawable(text)) == drawable(text)
    assert drawable(text).isprintable()


def test_text_leaves_a_mark() -> None:
    picture = Image.new("L", (60, 20))
    draw_text(ImageDraw.Draw(picture), 0, 0, "飞", 12, 255)
    assert np.asarray(picture).max() > 200


@given(names, st.integers(20, 200))
def test_a_shortened_text_fits_and_keeps_its_ends(text: str, width: int) -> None:
    short = shorten(text, 12, width)
    assert text_width(short, 12) <= width
    if short != drawable(text):
        head, _, tail = short.partition("…")
        assert drawable(text).startswith(head)
        assert drawable(text).endswith(tail)


def test_more_of_the_end_is_kept_than_of_the_beginning() -> None:
    head, tail = shorten("VOCdevkit/VOC2012/JPEGImages/2007_000032.jpg", 12, 200).split("…")
    assert tail.endswith("2007_000032.jpg")
    assert len(head) < len(tail)


@given(names, st.integers(20, 200))
def test_wrapped_lines_fit_and_lose_nothing_but_white_space(text: str, width: int) -> None:
    lines = wrap(text, 12, width)
    assert all(text_width(line, 12) <= width or len(line) == 1 for line in lines)
    assert "".join("".join(lines).split()) == "".join(drawable(text).split())
