"""The legend has the colors of the masks, and a name or at least the id of each class."""

from __future__ import annotations

import numpy as np

from segdata.labels.colormap import voc_palette
from segtrain.inference.semantic.legend import draw_legend


def test_each_class_has_its_color() -> None:
    picture = np.asarray(draw_legend(("background", "cat", "dog")))
    # Rows of 24 pixels after a margin of 12; the color is a square of 16 pixels with a line around it.
    shown = picture[12 + 8 :: 24, 12 + 8][:3]
    assert (shown == voc_palette()[:3]).all()


def test_a_name_without_a_font_is_left_out() -> None:
    # No font has letters in a plane for private use.
    unnamed, named = (np.asarray(draw_legend(("a long name", name))) for name in ("\U0010abcd", "b"))
    assert unnamed.shape == named.shape
    differ = np.nonzero((unnamed != named).any(axis=2))
    assert differ[0].min() >= 12 + 24
    # All that is missing is right of the id.
    ids = slice(12 + 16 + 8, 12 + 16 + 8 + 8)
    assert (unnamed[12 + 24 :, ids] < 128).any()
    assert (unnamed[12 + 24 :, ids] == named[12 + 24 :, ids]).all()
    assert (unnamed[12 + 24 :, ids.stop + 4 :] == 255).all()
