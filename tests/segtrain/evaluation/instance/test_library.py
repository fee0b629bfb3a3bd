"""The fast library gives the numbers of pycocotools, which is the one that counts."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from pycocotools import mask

from segtrain.evaluation.instance.coco import precision_tables, report_of

SIDE = 200


def _shape(x: float, y: float, width: float, height: float) -> dict[str, Any]:
    """Return box and mask of a quadrilateral."""
    points = [x, y, x + width, y + height * 0.1, x + width * 0.9, y + height, x + width * 0.1, y + height * 0.9]
    rle = mask.frPyObjects([points], SIDE, SIDE)[0]
    segmentation = {"size": [SIDE, SIDE], "counts": rle["counts"].decode()}
    return {"bbox": [x, y, width, height], "segmentation": segmentation}


def _generated(seed: int) -> tuple[Any, Any]:
    """Return the ground truth of 30 images, and detections that are shifted, wrong, duplicated or missing."""
    rng = np.random.default_rng(seed)
    images = [{"id": id_, "file_name": f"{id_}.jpg", "height": SIDE, "width": SIDE} for id_ in range(1, 31)]
    annotations, results = [], []
    for image in images:
        for _ in range(rng.poisson(6)):
            width, height = np.exp(rng.uniform(np.log(6), np.log(160), 2)).tolist()
            x, y = rng.uniform(0, SIDE - width), rng.uniform(0, SIDE - height)
            ids = {"image_id": image["id"], "category_id": int(rng.choice([1, 4, 90]))}
            numbers = {"id": len(annotations) + 1, "area": width * height, "iscrowd": int(rng.random() < 0.05)}
            annotations.append({**ids, **numbers, **_shape(x, y, width, height)})
            for _ in range(rng.integers(0, 4)):
                dx, dy = rng.normal(0, 0.1, 2) * (width, height)
                # Scores of two digits: many are equal.
                results.append({**ids, "score": round(rng.random(), 2), **_shape(x + dx, y + dy, width, height)})
    # One class has no instance.
    categories = [{"id": id_, "name": str(id_)} for id_ in (1, 4, 7, 90)]
    return {"images": images, "annotations": annotations, "categories": categories}, results


@pytest.mark.parametrize("seed", [0, 1])
def test_the_fast_library_gives_the_numbers_of_pycocotools(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hotcoco")
    truth, results = _generated(seed)
    fast = precision_tables(truth, results)
    # None makes an import fail, as without the library.
    monkeypatch.setitem(sys.modules, "hotcoco", None)
    oracle = precision_tables(truth, results)
    assert report_of(truth, results, *fast) == report_of(truth, results, *oracle)
    for ours, theirs in zip(fast, oracle, strict=True):
        assert np.array_equal(np.isnan(ours.precision), np.isnan(theirs.precision))
        assert np.nanmax(np.abs(ours.precision - theirs.precision)) <= 1e-12


def test_without_it_pycocotools_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hotcoco", None)
    truth, results = _generated(2)
    report = report_of(truth, results, *precision_tables(truth, results))
    assert report.mask.ap is not None and 0 < report.mask.ap < 1
    assert [(each.name, each.mask_ap is None) for each in report.classes] == [
        ("1", False), ("4", False), ("7", True), ("90", False),
    ]  # fmt: skip
