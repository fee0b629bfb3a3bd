from __future__ import annotations

import numpy as np
import pytest

from segdata.draw.overlay import HATCH
from segtrain.evaluation.semantic.images import ImageScores

NAMES = ("background", "cat", "dog")
IMAGE = np.full((4, 6, 3), 90, np.uint8)


def _label(*columns: int) -> np.ndarray:
    """Return a label whose columns hold these values."""
    return np.tile(np.array(columns, np.uint8), (4, 1))


def test_each_image_has_its_own_scores() -> None:
    scores = ImageScores(NAMES, 255)
    scores.add("one", IMAGE, _label(0, 0, 0, 1, 1, 255), _label(0, 0, 1, 1, 1, 1))
    scores.add("two", IMAGE, _label(0, 0, 0, 0, 0, 0), _label(0, 0, 0, 0, 0, 2))
    titles, rows = scores.table()
    assert titles == ["image", "pixels", "wrong_pixels", "pixel_accuracy", "mean_iou", *(f"iou {n}" for n in NAMES)]
    assert rows[0][:5] == ["one", 20, 4, 0.8, pytest.approx(2 / 3)]
    assert rows[0][5:] == [pytest.approx(2 / 3), pytest.approx(2 / 3), None]
    assert rows[1][4:] == [pytest.approx(5 / 12), pytest.approx(5 / 6), None, 0.0]
    assert [score.present for score in scores.scores] == [(True, True, False), (True, False, False)]
    assert [example.name for example in scores.examples.worst()] == ["two", "one"]


def test_an_image_without_a_counted_pixel_is_listed_but_has_no_rank() -> None:
    scores = ImageScores(NAMES, 255)
    scores.add("empty", IMAGE, _label(*[255] * 6), _label(0, 0, 0, 0, 0, 2))
    assert scores.table()[1] == [["empty", 0, 0, None, None, None, None, None]]
    assert scores.examples.worst() == []


def test_an_example_shows_label_prediction_and_the_pixels_that_differ() -> None:
    scores = ImageScores(NAMES, 255)
    label, prediction = _label(0, 0, 1, 1, 255, 255), _label(0, 2, 1, 1, 1, 0)
    scores.add("one", IMAGE, label, prediction)
    (example,) = scores.examples.worst()
    assert list(example.overlays) == ["label", "prediction", "error"]
    # Small images are enlarged: each of their pixels has 80 x 80.
    assert example.image.shape == (320, 480, 3)
    assert (example.overlays["prediction"].fill == prediction.repeat(80, 0).repeat(80, 1)).all()
    error = example.overlays["error"]
    assert (error.fill == _label(0, 1, 0, 0, 0, 0).repeat(80, 0).repeat(80, 1)).all()
    assert HATCH in error.lines[:, 320:] and HATCH not in error.lines[:, :320]
    assert example.keys == {0, 1, 2, None}
    assert example.about.startswith("mIoU 50.00%, 25.00% of the pixels wrong; background 50%, cat 100%, dog 0%")
