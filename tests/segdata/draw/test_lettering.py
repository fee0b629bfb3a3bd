"""Every name can be drawn, in any script, and fits its space."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st
from PIL import Image, ImageDraw

from segdata.draw.lettering import drawable, load_font, shorten, text_width, wrap

names = st.text(max_size=60).filter(lambda text: "…" not in text)


def test_what_the_font_has_is_drawn_as_it_is() -> None:
    assert drawable("Käse, вода, νερό/0001.jpg") == "Käse, вода, νερό/0001.jpg"


def test_what_the_font_lacks_is_drawn_as_an_escape() -> None:
    assert drawable("飞机 01") == r"\u98de\u673a 01"
    assert drawable("a\nb\x00\u202e") == r"a\nb\x00\u202e"


@given(names)
def test_every_text_can_be_drawn(text: str) -> None:
    picture = Image.new("L", (40, 20))
    ImageDraw.Draw(picture).text((0, 0), drawable(text), fill=255, font=load_font(12))
    assert drawable(drawable(text)) == drawable(text)
    assert drawable(text).isprintable()


def test_text_leaves_a_mark() -> None:
    picture = Image.new("L", (60, 20))
    ImageDraw.Draw(picture).text((0, 0), drawable("飞"), fill=255, font=load_font(12))
    assert np.asarray(picture).max() == 255


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
