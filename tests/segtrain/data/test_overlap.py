from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segdata.records.reader import open_set
from segtrain.data.overlap import shared_images

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Rows


def test_the_training_set_itself_is_named(miniature: Miniature) -> None:
    (sentence,) = shared_images(open_set(miniature.train), open_set(miniature.train))
    assert sentence == "the evaluation set is the training set: its scores say nothing about new images"
    assert shared_images(open_set(miniature.train), open_set(miniature.val)) == ()


def test_images_of_the_same_names_are_counted_and_named(make_set: Callable[..., Path]) -> None:
    def rows(count: int, value: int) -> Rows:
        return [(np.full((40, 40, 3), value, np.uint8), np.zeros((40, 40), np.uint8)) for _ in range(count)]

    train, val = make_set(rows(3, 1), name="train"), make_set(rows(12, 2), name="val")
    (sentence,) = shared_images(open_set(train), open_set(val))
    named = "0.bmp.png, 1.bmp.png, 2.bmp.png. If"
    assert (
        f"3 of 12 images of the evaluation set have the same names as images in the training set: {named}" in sentence
    )
    (sentence,) = shared_images(open_set(val), open_set(make_set(rows(11, 3), name="other")))
    assert "11 of 11 images" in sentence and "9.bmp.png, …. If" in sentence
