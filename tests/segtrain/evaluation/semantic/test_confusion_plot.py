from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import Result
from matplotlib.axes import Axes
from PIL import Image

from segdata.draw.figures import to_png
from segtrain.evaluation.semantic.confusion import ConfusionMatrix, SegmentationReport
from segtrain.evaluation.semantic.confusion_plot import confusion_figure

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Trained


def _report(classes: int, *, absent: int | None = None) -> SegmentationReport:
    """Return the report of a matrix in which each class loses a tenth to the next one."""
    matrix = ConfusionMatrix(classes, 255)
    for id_ in range(classes):
        if id_ != absent:
            matrix.update(np.full(10, id_, np.uint8), np.array([id_] * 9 + [(id_ + 1) % classes], np.uint8))
    return matrix.report([f"class {id_}" for id_ in range(classes)])


def _axes(report: SegmentationReport) -> Axes:
    return confusion_figure(report, "a title").axes[0]


def test_cells_are_the_shares_of_their_row_in_per_cent() -> None:
    axes = _axes(_report(4))
    percent = np.asarray(axes.images[0].get_array())
    assert percent.tolist() == [[90, 10, 0, 0], [0, 90, 10, 0], [0, 0, 90, 10], [10, 0, 0, 90]]
    written = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axes.texts}
    assert written == {(row, (row + step) % 4): text for row in range(4) for step, text in ((0, "90"), (1, "10"))}


def test_names_are_at_rows_and_columns_and_the_iou_at_the_row() -> None:
    axes = _axes(_report(3))
    assert [text.get_text() for text in axes.get_yticklabels()] == ["class 0  0", "class 1  1", "class 2  2"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0  class 0", "1  class 1", "2  class 2"]
    (scores,) = axes.child_axes
    assert [text.get_text() for text in scores.get_yticklabels()] == ["81.8%"] * 3


def test_the_row_of_a_class_that_no_pixel_has_is_empty() -> None:
    axes = _axes(_report(3, absent=1))
    assert np.isnan(np.ma.filled(axes.images[0].get_array(), np.nan)[1]).all()
    assert not [text for text in axes.texts if round(text.get_position()[1]) == 1]


@pytest.mark.parametrize("classes", [2, 21, 80])
def test_a_picture_has_room_for_the_names_of_all_classes(classes: int) -> None:
    width, height = Image.open(io.BytesIO(to_png(confusion_figure(_report(classes), "a title")))).size
    # A name is legible from 10 pixels.
    assert min(width, height) > classes * 10 + 200


def test_the_same_matrix_gives_the_same_picture() -> None:
    assert len({to_png(confusion_figure(_report(3), "a title")) for _ in range(2)}) == 1


def test_a_long_name_leaves_room_for_the_cells() -> None:
    matrix = ConfusionMatrix(2, 255)
    matrix.update(np.zeros(2, np.uint8), np.zeros(2, np.uint8))
    axes = _axes(matrix.report(["a" * 99, "$x^"]))
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a" * 27 + "…  0", "$x^  1"]


def test_eval_draws_it_where_it_is_told_to(
    segtrain: Callable[..., Result], trained: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    picture = tmp_path / "pictures" / "confusion.png"
    args = ["eval", "--data_file", miniature.val, "--ckpt_path", trained.directory / "best.ckpt", "--plot"]
    drawn = segtrain(*args, picture)
    assert drawn.exit_code == 0, drawn.output
    assert "5 images, scale 1 of 33; " in drawn.stdout
    assert f"plot            {picture}" in drawn.stdout
    assert Image.open(picture).format == "PNG"

    taken = segtrain(*args, picture)
    assert taken.exit_code == 1
    assert "confusion.png: already exists (--overwrite replaces it)" in taken.stderr
    wrong = segtrain(*args, tmp_path / "confusion.jpg")
    assert wrong.exit_code == 2
    assert "expected a name that ends in .png" in wrong.stderr
