from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from segdata.errors import SegDataError
from segtrain.evaluation.semantic.confusion import ConfusionMatrix

DTYPES = (np.uint8, np.int32, np.int64)


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[int, int, np.ndarray, np.ndarray]:
    classes = draw(st.sampled_from([2, 3, 21, 150, 256]))
    ignore = draw(st.integers(0, 255))
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=3, max_side=6))
    truth = st.one_of(st.integers(0, classes - 1), st.just(ignore))
    labels = draw(arrays.arrays(draw(st.sampled_from(DTYPES)), shape, elements=truth))
    predictions = draw(arrays.arrays(draw(st.sampled_from(DTYPES)), shape, elements=st.integers(0, classes - 1)))
    return classes, ignore, labels, predictions


@given(st.data())
def test_counts_are_those_of_a_loop_over_all_pixels(data: st.DataObject) -> None:
    classes, ignore, labels, predictions = data.draw(_pairs())
    matrix = ConfusionMatrix(classes, ignore)
    matrix.update(labels, predictions)
    matrix.update(labels[:1], predictions[:1])

    expected = np.zeros((classes, classes), np.int64)
    for part in (slice(None), slice(1)):
        for label, prediction in zip(labels[part].flat, predictions[part].flat, strict=True):
            if label != ignore:
                expected[label, prediction] += 1
    assert matrix.counts.dtype == np.int64
    assert (matrix.counts == expected).all()


@given(_pairs())
def test_scores_are_those_of_sets_of_pixels(pair: tuple[int, int, np.ndarray, np.ndarray]) -> None:
    classes, ignore, labels, predictions = pair
    matrix = ConfusionMatrix(classes, ignore)
    matrix.update(labels, predictions)
    names = [f"class {index}" for index in range(classes)]
    counted = labels != ignore
    if not counted.any():
        with pytest.raises(SegDataError, match="no pixel was counted"):
            matrix.report(names)
        return
    report = matrix.report(names)

    ious = []
    for index, score in enumerate(report.classes):
        truth, found = counted & (labels == index), counted & (predictions == index)
        assert (score.name, score.pixels) == (names[index], truth.sum())
        if (truth | found).any():
            ious.append((truth & found).sum() / (truth | found).sum())
            assert score.iou == ious[-1]
        else:
            assert score.iou is None
    assert report.mean_iou == pytest.approx(np.mean(ious), rel=1e-12)
    assert report.pixel_accuracy == (labels == predictions)[counted].mean()
    assert report.pixels == counted.sum()


def test_a_small_example_by_hand() -> None:
    matrix = ConfusionMatrix(4, 255)
    matrix.update(np.array([[0, 0, 1], [1, 1, 255]], np.uint8), np.array([[0, 1, 1], [1, 2, 3]], np.int32))
    report = matrix.report(["ground", "road", "car", "sky"])
    # ground: 1 of 2; road: 2 of 4; car is predicted but never true; sky is only predicted where the label is ignored.
    assert [score.iou for score in report.classes] == [0.5, 0.5, 0.0, None]
    assert report.mean_iou == pytest.approx(1 / 3)
    assert (report.pixel_accuracy, report.pixels) == (0.6, 5)
    assert report.confusion == ((1, 1, 0, 0), (0, 2, 1, 0), (0, 0, 0, 0), (0, 0, 0, 0))


def test_a_report_is_json_as_it_is() -> None:
    matrix = ConfusionMatrix(3, 255)
    matrix.update(np.array([0, 1], np.uint8), np.array([0, 1], np.uint8))
    report = matrix.report(["a", "b", "c"])
    assert json.loads(json.dumps(asdict(report))) == {
        "classes": [
            {"name": "a", "pixels": 1, "iou": 1.0},
            {"name": "b", "pixels": 1, "iou": 1.0},
            {"name": "c", "pixels": 0, "iou": None},
        ],
        "mean_iou": 1.0,
        "pixel_accuracy": 1.0,
        "pixels": 2,
        "confusion": [[1, 0, 0], [0, 1, 0], [0, 0, 0]],
        "soft_dice": None,
        "membranes": None,
    }


@pytest.mark.parametrize(
    ("label", "dtype"),
    [(21, np.uint8), (38, np.uint8), (254, np.uint8), (-1, np.int32), (256, np.int32), (65536, np.int64)],
)
def test_a_label_that_is_no_class_is_named_and_nothing_is_counted(label: int, dtype: type[np.integer]) -> None:
    matrix = ConfusionMatrix(21, 255)
    labels = np.array([0, 255, 3, label], dtype)
    with pytest.raises(SegDataError, match=rf"ground truth has label {label}; expected 0 to 20, or 255"):
        matrix.update(labels, np.zeros(4, np.uint8))
    assert matrix.counts.sum() == 0


def test_counts_stay_exact_where_float32_ends() -> None:
    matrix = ConfusionMatrix(2, 255)
    many = 2**24 + 1
    matrix.update(np.ones(many, np.uint8), np.zeros(many, np.uint8))
    matrix.update(np.ones(many, np.uint8), np.zeros(many, np.uint8))
    assert matrix.counts.tolist() == [[0, 0], [2 * many, 0]]


def test_all_foreign_labels_are_named_at_once() -> None:
    with pytest.raises(SegDataError, match="label 38, 75, 147; "):
        ConfusionMatrix(21, 255).update(np.array([147, 38, 75, 38, 0], np.uint8), np.zeros(5, np.uint8))


@pytest.mark.parametrize("prediction", [21, 255, -1])
def test_a_prediction_that_is_no_class_is_named_even_on_an_ignored_pixel(prediction: int) -> None:
    with pytest.raises(SegDataError, match=f"prediction has class {prediction}; expected 0 to 20"):
        ConfusionMatrix(21, 255).update(np.array([255], np.uint8), np.array([prediction]))


def test_shapes_must_be_equal() -> None:
    with pytest.raises(SegDataError, match=r"\(4, 6\) and prediction \(6, 4\)"):
        ConfusionMatrix(2, 255).update(np.zeros((4, 6), np.uint8), np.zeros((6, 4), np.uint8))


def test_probabilities_are_no_predictions() -> None:
    with pytest.raises(SegDataError, match="prediction has values of type float32; expected integers"):
        ConfusionMatrix(2, 255).update(np.zeros(4, np.uint8), np.zeros(4, np.float32))


def test_an_empty_image_counts_nothing() -> None:
    matrix = ConfusionMatrix(2, 255)
    matrix.update(np.zeros((0, 5), np.uint8), np.zeros((0, 5), np.uint8))
    assert matrix.counts.sum() == 0


def test_every_class_needs_a_name() -> None:
    with pytest.raises(SegDataError, match="got 3 class names; expected 2"):
        ConfusionMatrix(2, 255).report(["a", "b", "c"])


@pytest.mark.parametrize(("classes", "ignore"), [(1, 255), (257, 255), (21, -1), (21, 256)])
def test_sizes_out_of_range_are_refused(classes: int, ignore: int) -> None:
    with pytest.raises(SegDataError, match="expected"):
        ConfusionMatrix(classes, ignore)
