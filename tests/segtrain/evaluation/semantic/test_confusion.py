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
        "loss": None,
    }


@pytest.mark.parametrize(
    ("label", "dtype"),
    [(21, np.uint8), (38, np.uint8), (254, np.uint8), (-1, np.int32), (256, np.int32), (65536, np.int64)],
)
def test_a_label_that_is_not_a_class_is_named_and_nothing_is_counted(label: int, dtype: type[np.integer]) -> None:
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
def test_a_prediction_that_is_not_a_class_is_named_even_on_an_ignored_pixel(prediction: int) -> None:
    with pytest.raises(SegDataError, match=f"prediction has class {prediction}; expected 0 to 20"):
        ConfusionMatrix(21, 255).update(np.array([255], np.uint8), np.array([prediction]))


def test_shapes_must_be_equal() -> None:
    with pytest.raises(SegDataError, match=r"\(4, 6\) and prediction \(6, 4\)"):
        ConfusionMatrix(2, 255).update(np.zeros((4, 6), np.uint8), np.zeros((6, 4), np.uint8))


def test_probabilities_are_refused_as_predictions() -> None:
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


@pytest.mark.parametrize("period", [1, 8, 15, 16, 17, 64, 2000])
def test_regions_of_any_size_are_counted(period: int) -> None:
    pixels = np.arange(2000)
    labels = (pixels // period % 3).astype(np.uint8).reshape(40, 50)
    predictions = (pixels // (2 * period) % 3).reshape(40, 50)
    labels[3, 7:9] = 255
    matrix = ConfusionMatrix(3, 255)
    matrix.update(labels, predictions)
    counted = labels != 255
    pairs = list(zip(labels[counted].tolist(), predictions[counted].tolist(), strict=True))
    assert matrix.counts.tolist() == [[pairs.count((row, column)) for column in range(3)] for row in range(3)]


def test_the_ignore_label_may_be_a_class_id() -> None:
    matrix = ConfusionMatrix(2, 0)
    matrix.update(np.array([0, 0, 1, 1], np.uint8), np.array([0, 1, 0, 1], np.uint8))
    assert matrix.counts.tolist() == [[0, 0], [1, 1]]


def test_ten_labels_are_named_and_dots_mean_others() -> None:
    for count, dots in ((10, ""), (11, " …")):
        labels = np.arange(30, 30 + count).astype(np.uint8)
        with pytest.raises(SegDataError) as error:
            ConfusionMatrix(21, 255).update(labels, np.zeros(count, np.uint8))
        assert str(error.value) == (
            f"ground truth has label 30, 31, 32, 33, 34, 35, 36, 37, 38, 39{dots}; expected 0 to 20, or 255 for pixels "
            "to ignore"
        )


@pytest.mark.parametrize(
    ("classes", "ignore", "message"),
    [
        (1, 255, "number of classes is 1; expected 2 to 256, background included"),
        (257, 255, "number of classes is 257; expected 2 to 256, background included"),
        (2, -1, "ignore label is -1; expected 0 to 255"),
        (2, 256, "ignore label is 256; expected 0 to 255"),
    ],
)
def test_the_message_about_a_size_says_what_is_possible(classes: int, ignore: int, message: str) -> None:
    with pytest.raises(SegDataError) as error:
        ConfusionMatrix(classes, ignore)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        (
            np.zeros(4, np.uint8),
            np.zeros((2, 2), np.uint8),
            "ground truth has shape (4,) and prediction (2, 2); expected the same shape. Resize the prediction to the "
            "size of its image.",
        ),
        (
            np.zeros(4, np.float64),
            np.zeros(4, np.uint8),
            "ground truth has values of type float64; expected integers",
        ),
        (np.zeros(4, np.uint8), np.zeros(4, bool), "prediction has values of type bool; expected integers"),
        (np.zeros(2, np.uint8), np.array([2, -1]), "prediction has class -1, 2; expected 0 to 1"),
        (np.zeros(2, np.uint8), np.array([2, 0], np.uint8), "prediction has class 2; expected 0 to 1"),
    ],
    ids=["shapes", "ground truth", "prediction", "classes", "class of 8 bits"],
)
def test_the_message_about_arrays_says_what_is_expected(
    labels: np.ndarray, predictions: np.ndarray, message: str
) -> None:
    with pytest.raises(SegDataError) as error:
        ConfusionMatrix(2, 255).update(labels, predictions)
    assert str(error.value) == message


def test_the_message_about_a_report_says_what_is_missing() -> None:
    matrix = ConfusionMatrix(2, 255)
    with pytest.raises(SegDataError) as error:
        matrix.report(["a"])
    assert str(error.value) == "got 1 class names; expected 2, one per class"
    with pytest.raises(SegDataError) as error:
        matrix.report(["a", "b"])
    assert str(error.value) == (
        "no pixel was counted: all pixels have the ignore label, or there are no images; expected at least one"
    )


def test_counts_of_noise_stay_exact_where_float32_ends() -> None:
    pixels = 2**24 + 3
    labels = np.zeros(pixels, np.uint8)
    labels[1::2] = 1
    matrix = ConfusionMatrix(2, 255)
    matrix.update(labels, labels)
    assert matrix.counts.tolist() == [[(pixels + 1) // 2, 0], [0, pixels // 2]]
