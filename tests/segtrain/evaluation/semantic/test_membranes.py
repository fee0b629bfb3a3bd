from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segtrain.evaluation.semantic.membranes import MeanScore, MembraneScores, SoftDice, cell_scores

MEMBRANE, CELL, IGNORE = 0, 1, 255


def _one_hot(label: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.eye(2, dtype=np.float32)[label], -1, 0)


def _soft_dice(probabilities: np.ndarray, label: np.ndarray) -> float:
    """Return the soft dice of an image, taken two rows at a time."""
    dice = SoftDice()
    for top in range(0, len(label), 2):
        dice.update(probabilities[:, top : top + 2], label[top : top + 2])
    return dice.score()


def _two_cells() -> np.ndarray:
    """Return a membrane three pixels thick that separates two cells from top to bottom."""
    label = np.full((9, 15), CELL, np.uint8)
    label[:, 6:9] = MEMBRANE
    return label


def test_soft_dice_is_the_published_formula() -> None:
    random = np.random.default_rng(0)
    label = random.integers(0, 2, (7, 9)).astype(np.uint8)
    probability = random.random((7, 9)).astype(np.float32)
    probabilities = np.stack([1 - probability, probability])
    p = probabilities.ravel().astype(np.float64)
    y = _one_hot(label).ravel()
    assert _soft_dice(probabilities, label) == pytest.approx(2 * p @ y / (p @ p + y @ y + 1e-6), abs=1e-9)


def test_soft_dice_of_the_truth_is_one_and_of_its_opposite_zero() -> None:
    label = _two_cells()
    assert _soft_dice(_one_hot(label), label) == pytest.approx(1)
    assert _soft_dice(_one_hot(1 - label), label) == pytest.approx(0)


def test_soft_dice_of_a_constant_is_as_flattering_as_is_said() -> None:
    label = (np.arange(10_000).reshape(100, 100) % 100 < 78).astype(np.uint8)
    constant = np.broadcast_to(np.array([0.22, 0.78], np.float32)[:, None, None], (2, 100, 100))
    assert _soft_dice(constant, label) == pytest.approx(0.79, abs=0.01)


def test_soft_dice_leaves_out_pixels_without_a_label() -> None:
    label = _two_cells()
    wrong = _one_hot(label)
    wrong[:, 0] = 1 - wrong[:, 0]
    label[0] = IGNORE
    assert _soft_dice(wrong, label) == pytest.approx(1)


def test_cells_that_are_separated_exactly() -> None:
    truth = _two_cells() == MEMBRANE
    scores = cell_scores(truth, truth)
    assert scores is not None
    assert scores.rand == pytest.approx(1)
    assert scores.information == pytest.approx(1)


def test_the_thickness_of_a_membrane_does_not_count() -> None:
    truth = _two_cells() == MEMBRANE
    thin, thick = np.zeros_like(truth), np.zeros_like(truth)
    thin[:, 7] = thick[:, 3:12] = True
    for found in (thin, thick):
        scores = cell_scores(truth, found)
        assert scores is not None
        assert scores.rand == pytest.approx(1)


def test_a_gap_of_one_pixel_makes_two_cells_one_although_hardly_a_pixel_is_wrong() -> None:
    label = _two_cells()
    prediction = label.copy()
    prediction[4] = CELL
    scores = cell_scores(label == MEMBRANE, prediction == MEMBRANE)
    assert scores is not None
    # Each of 108 pixels shares its cell with 107 others, in the truth with 53: precision 53/107, recall 1.
    assert scores.rand == pytest.approx(106 / 160)
    assert scores.information == pytest.approx(0)

    found = MembraneScores(MEMBRANE, IGNORE)
    found.update(label, prediction)
    assert found.report().iou == pytest.approx(24 / 27)


def test_a_membrane_through_a_cell_splits_it() -> None:
    truth = np.zeros((8, 9), bool)
    found = truth.copy()
    found[:, 4] = True
    scores = cell_scores(truth, found)
    assert scores is not None
    assert scores.rand < 0.75


def test_an_image_without_cells_has_no_cell_scores() -> None:
    everywhere = np.ones((4, 4), bool)
    assert cell_scores(everywhere, ~everywhere) is None
    found = MembraneScores(MEMBRANE, IGNORE)
    found.update(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8))
    assert found.report().rand is None
    assert found.report().iou == 1


def test_a_prediction_without_membranes_is_one_cell() -> None:
    truth = _two_cells() == MEMBRANE
    scores = cell_scores(truth, np.ones_like(truth))
    assert scores is not None
    assert scores.rand == pytest.approx(106 / 160)


def test_two_divisions_into_one_cell_agree() -> None:
    nothing = np.zeros((4, 5), bool)
    scores = cell_scores(nothing, nothing)
    assert scores is not None
    assert (scores.rand, scores.information) == (1, 1)


def test_pixel_scores_are_those_of_the_complete_set() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, (3, 12, 10)).astype(np.uint8)
    predictions = random.integers(0, 2, labels.shape).astype(np.uint8)
    labels[:, 0] = IGNORE
    found = MembraneScores(MEMBRANE, IGNORE)
    for label, prediction in zip(labels, predictions, strict=True):
        found.update(label, prediction)
    counted = labels != IGNORE
    truth, guess = (labels == MEMBRANE)[counted], (predictions == MEMBRANE)[counted]
    report = found.report()
    assert report.iou == pytest.approx((truth & guess).sum() / (truth | guess).sum())
    assert report.dice == pytest.approx(2 * (truth & guess).sum() / (truth.sum() + guess.sum()))
    assert report.pixel_error == pytest.approx((truth != guess).mean())


def test_parts_of_a_set_add_up() -> None:
    label = _two_cells()
    one, other = MembraneScores(MEMBRANE, IGNORE), MembraneScores(MEMBRANE, IGNORE)
    for scores in (one, other, other):
        scores.update(label, np.roll(label, 1, 1))
    whole = MembraneScores(MEMBRANE, IGNORE)
    for _ in range(2):
        whole.update(label, np.roll(label, 1, 1))
    one.add_up(lambda sums: sums * 2)
    assert one.report() == other.report() == whole.report()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_a_mean_is_that_of_its_scores(scores: list[float]) -> None:
    mean = MeanScore()
    assert mean.mean() is None
    for score in scores:
        mean.update(score)
    assert mean.mean() == pytest.approx(sum(scores) / len(scores), abs=1e-9)


def _entropy(*ids: np.ndarray) -> float:
    """Return the entropy in bits of a partition, or of two partitions together."""
    _, counts = np.unique(np.stack(ids), axis=1, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def test_scores_of_cells_are_those_of_pairs_of_pixels_and_of_entropies() -> None:
    # Three cells of 4, 2 and 6 columns; the prediction joins the first two, and divides the third.
    truth = np.zeros((5, 14), bool)
    truth[:, [4, 7]] = True
    found = np.zeros((5, 14), bool)
    found[:, 10] = True
    scores = cell_scores(truth, found)
    assert scores is not None

    cells = np.broadcast_to(np.repeat([1, 0, 2, 0, 3], [4, 1, 2, 1, 6]), truth.shape)[~truth]
    # The membrane at 10 belongs to the nearest cell, the left one.
    others = np.broadcast_to(np.repeat([1, 2], [11, 3]), truth.shape)[~truth]
    same_cell, same_other = cells[:, None] == cells, others[:, None] == others
    off_diagonal = ~np.eye(cells.size, dtype=bool)
    both = (same_cell & same_other & off_diagonal).sum()
    precision, recall = both / (same_other & off_diagonal).sum(), both / (same_cell & off_diagonal).sum()
    assert scores.rand == pytest.approx(2 * precision * recall / (precision + recall))
    joint = _entropy(cells, others)
    shared = _entropy(cells) + _entropy(others) - joint
    assert scores.information == pytest.approx(2 * shared / (_entropy(cells) + _entropy(others)))


def test_ignored_pixels_belong_to_no_cell_and_are_not_counted() -> None:
    label = _two_cells()
    prediction = label.copy()
    # A second membrane in the right cell, where the label is unknown.
    label[:, 11] = IGNORE
    prediction[:, 11] = MEMBRANE
    found = MembraneScores(MEMBRANE, IGNORE)
    found.update(label, prediction)
    report = found.report()
    assert (report.dice, report.iou, report.pixel_error) == (1, 1, 0)
    assert (report.rand, report.information) == (pytest.approx(1), pytest.approx(1))


def test_cells_that_touch_at_a_corner_are_two() -> None:
    truth = np.ones((6, 6), bool)
    truth[:3, :3] = truth[3:, 3:] = False
    joined = truth.copy()
    joined[2, 3] = False
    apart, together = cell_scores(truth, truth), cell_scores(truth, joined)
    assert apart is not None and together is not None
    assert apart.information == pytest.approx(1)
    assert together.information == pytest.approx(0)


def test_no_membrane_anywhere_is_agreement() -> None:
    cell = np.full((3, 4), CELL, np.uint8)
    found = MembraneScores(MEMBRANE, IGNORE)
    found.update(cell, cell)
    report = found.report()
    assert (report.dice, report.iou, report.pixel_error) == (1, 1, 0)


def test_each_kind_of_error_is_counted_for_itself() -> None:
    label = np.array([[0, 0, 0, 1, 1, 1, 1, 255]], np.uint8)
    prediction = np.array([[0, 0, 1, 0, 1, 1, 1, 0]], np.uint8)
    found = MembraneScores(MEMBRANE, IGNORE)
    found.update(label, prediction)
    report = found.report()
    assert (report.dice, report.iou, report.pixel_error) == (4 / 6, 2 / 4, pytest.approx(2 / 7))


def test_means_of_the_cell_scores_are_over_images() -> None:
    label = _two_cells()
    joined = label.copy()
    joined[4] = CELL
    found = MembraneScores(MEMBRANE, IGNORE)
    found.update(label, label)
    found.update(label, joined)
    report = found.report()
    assert report.rand == pytest.approx((1 + 106 / 160) / 2)
    assert report.information == pytest.approx(0.5)


def test_soft_dice_of_no_pixels_is_zero() -> None:
    dice = SoftDice()
    assert dice.score() == 0
    dice.update(np.zeros((2, 1, 3), np.float32), np.full((1, 3), IGNORE, np.uint8))
    assert dice.score() == 0


def test_soft_dice_is_exact_for_probabilities_of_many_pixels() -> None:
    probabilities = np.full((2, 300, 300), np.float32(0.1))
    label = np.zeros((300, 300), np.uint8)
    p = float(np.float32(0.1))
    assert _soft_dice(probabilities, label) == pytest.approx(2 * p / (2 * p * p + 1), rel=1e-9)


def test_a_prediction_without_cells_shares_no_information() -> None:
    truth = _two_cells() == MEMBRANE
    scores = cell_scores(truth, np.ones_like(truth))
    assert scores is not None
    assert scores.information == pytest.approx(0)


def test_sums_over_processes_are_integers() -> None:
    label = np.array([[0, 0, 0, 1, 1, 1, 1, 255]], np.uint8)
    prediction = np.array([[0, 0, 1, 0, 1, 1, 1, 0]], np.uint8)
    found = MembraneScores(MEMBRANE, IGNORE)
    found.update(label, prediction)
    sums: list[np.ndarray] = []

    def add(part: np.ndarray) -> np.ndarray:
        sums.append(part)
        return part

    found.add_up(add)
    assert [part.dtype for part in sums] == [np.int64] * 3
    # True positives, false positives, false negatives, wrong pixels, pixels; then images and the sum of their scores.
    assert sums[0].tolist() == [2, 1, 1, 2, 7]
    assert [part[0] for part in sums[1:]] == [1, 1]
    mean = MeanScore()
    mean.update(0.75)
    assert mean.sums.tolist() == [1, 0.75 * 2**40]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("found", [True, False], ids=["no cell", "one cell"])
def test_cells_of_one_pixel_are_scored(found: bool) -> None:
    label = np.full((3, 5), MEMBRANE, np.uint8)
    label[1, 1] = label[1, 3] = CELL
    prediction = np.full((3, 5), MEMBRANE if found else CELL, np.uint8)
    scores = MembraneScores(MEMBRANE, IGNORE)
    # No two pixels share a cell in the truth, but both are in one cell of the prediction.
    scores.update(label, prediction)
    assert scores.report().rand == 0
    # One pixel alone: there are no pairs that could differ.
    label[1, 3] = MEMBRANE
    alone = cell_scores(label == MEMBRANE, prediction == MEMBRANE)
    assert alone is not None and (alone.rand, alone.information) == (1, 1)
