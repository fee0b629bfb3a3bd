"""The library that computes COCO's metrics: hotcoco where it is installed, which gives the numbers of pycocotools."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, Literal

from segtrain.inference.instance.detections import Result


def evaluated(truth: dict[str, list[dict[str, Any]]], results: Sequence[Result], what: Literal["bbox", "segm"]) -> Any:
    """Return the ``COCOeval`` of detections, with ``stats`` and ``eval`` filled in.

    Args:
        truth: a COCO instances file as `json` would decode it.
        results: detections whose images and categories are in `truth`.
        what: ``bbox`` for the overlap of boxes, ``segm`` for that of masks.
    """
    coco, evaluation = _library()
    with redirect_stdout(io.StringIO()):
        expected = _indexed(coco(), {**truth, "annotations": [{**item} for item in truth["annotations"]]})
        # loadRes needs a first result, and modifies each one.
        found = (
            expected.loadRes([{**item} for item in results])
            if results
            else _indexed(coco(), {**truth, "annotations": []})
        )
        compared = evaluation(expected, found, what)
        compared.evaluate()
        compared.accumulate()
        compared.summarize()
    return compared


def _library() -> tuple[Any, Any]:
    """Return the classes ``COCO`` and ``COCOeval``."""
    try:
        from hotcoco import COCO, COCOeval
    except ImportError:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    return COCO, COCOeval


def _indexed(coco: Any, dataset: dict[str, list[dict[str, Any]]]) -> Any:
    coco.dataset = dataset
    coco.createIndex()
    return coco
