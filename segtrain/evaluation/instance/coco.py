"""COCO average precision of boxes and masks, as `pycocotools` computes it.

Average precision (AP) is averaged over the IoU thresholds 0.50 to 0.95 and over the classes; see Lin et al. 2014,
"Microsoft COCO", and cocodataset.org, "Detection Evaluation".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segtrain.evaluation.instance.library import evaluated
from segtrain.evaluation.instance.truth import Truth
from segtrain.inference.instance.detections import Result


@dataclass(frozen=True)
class AveragePrecision:
    """The twelve COCO metrics, 0 to 1; None where no instance counts.

    Attributes:
        ap: average precision (AP) over IoU 0.50 to 0.95.
        ap50: AP at IoU 0.50.
        ap75: AP at IoU 0.75.
        ap_small: AP for instances of less than 32 x 32 pixels.
        ap_medium: AP for instances of up to 96 x 96 pixels.
        ap_large: AP for larger instances.
        ar_1: average recall (AR) with 1 detection per class and image.
        ar_10: AR with 10 detections.
        ar_100: AR with 100 detections.
        ar_small: AR with 100 detections, for small instances.
        ar_medium: AR with 100 detections, for medium instances.
        ar_large: AR with 100 detections, for large instances.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar_1: float | None
    ar_10: float | None
    ar_100: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None


@dataclass(frozen=True)
class ClassPrecision:
    """Average precision of one class.

    Attributes:
        name: class name.
        instances: number of instances in the ground truth, without crowd regions.
        box_ap: average precision of the boxes; None if there are no instances.
        mask_ap: average precision of the masks; None if there are no instances.
    """

    name: str
    instances: int
    box_ap: float | None
    mask_ap: float | None


@dataclass(frozen=True)
class InstanceReport:
    """Scores over a complete data set.

    Attributes:
        images: number of evaluated images.
        instances: number of instances in the ground truth, without crowd regions.
        crowds: number of crowd regions; detections in them are ignored.
        detections: number of instances that the network found.
        box: scores based on the overlap of boxes.
        mask: scores based on the overlap of masks.
        classes: scores of each class, by id.
        loss: `segtrain.evaluation.instance.loss.mean_loss`; None if not requested, or if no image has an object.
    """

    images: int
    instances: int
    crowds: int
    detections: int
    box: AveragePrecision
    mask: AveragePrecision
    classes: tuple[ClassPrecision, ...]
    loss: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Scores that are tracked during training, by name; 0 where no instance counts."""
        scores = {"mask_ap": self.mask.ap or 0.0, "mask_ap50": self.mask.ap50 or 0.0, "box_ap": self.box.ap or 0.0}
        return scores if self.loss is None else {**scores, "eval_loss": self.loss}


@dataclass(frozen=True)
class PrecisionTable:
    """Precision of detections over recall.

    Attributes:
        scores: COCO's metrics.
        precision: precision by IoU threshold (0.50 to 0.95), recall (0.00 to 1.00) and class, for instances of any size
            and 100 detections, ``(10, 101, K)``; NaN for a class without instances.
    """

    scores: AveragePrecision
    precision: npt.NDArray[np.float64]

    def by_class(self) -> list[float | None]:
        """Return the average precision of each class; None for a class without instances."""
        return [
            None if np.isnan(table).all() else float(np.mean(table[~np.isnan(table)]))
            for table in self.precision.transpose(2, 0, 1)
        ]


def score_results(truth: Truth, results: Iterable[Result]) -> InstanceReport:
    """Return the scores of detections; see `precision_tables`."""
    results = [*results]
    return report_of(truth, results, *precision_tables(truth, results))


def precision_tables(truth: Truth, results: Sequence[Result]) -> tuple[PrecisionTable, PrecisionTable]:
    """Return the precision of detections by boxes and by masks, as `pycocotools` computes it for a file of these.

    Each detection has a box and a mask. `pycocotools` then takes the size of a detection, small to large, from its box
    even for masks. It considers the 100 best detections per image and class.

    Raises:
        InvalidInputError: when the image or the category of a detection is not in the ground truth.
    """
    _check_known(truth, results)
    return _table(truth, results, "bbox"), _table(truth, results, "segm")


def report_of(truth: Truth, results: Sequence[Result], box: PrecisionTable, mask: PrecisionTable) -> InstanceReport:
    """Return the report of detections whose precision by boxes and by masks is known."""
    counted = Counter(item["category_id"] for item in truth["annotations"] if not item["iscrowd"])
    return InstanceReport(
        images=len(truth["images"]),
        instances=counted.total(),
        crowds=len(truth["annotations"]) - counted.total(),
        detections=len(results),
        box=box.scores,
        mask=mask.scores,
        classes=tuple(
            ClassPrecision(category["name"], counted[category["id"]], box_ap, mask_ap)
            for category, box_ap, mask_ap in zip(truth["categories"], box.by_class(), mask.by_class(), strict=True)
        ),
    )


def _check_known(truth: Truth, results: Sequence[Result]) -> None:
    images, categories = ({item["id"] for item in truth[name]} for name in ("images", "categories"))
    for result in results:
        if result["image_id"] not in images or result["category_id"] not in categories:
            raise InvalidInputError(
                f"a detection has category {result['category_id']} and image {result['image_id']}; expected ids from "
                "the ground truth. Check that both belong to the same data set."
            )


def _table(truth: Truth, results: Sequence[Result], what: Literal["bbox", "segm"]) -> PrecisionTable:
    found = evaluated(truth, results, what)
    # Axes: thresholds, recalls, classes, sizes, limits. Take all sizes and 100 detections; -1 means no ground truth.
    precision = np.asarray(found.eval["precision"])[:, :, :, 0, 2]
    return PrecisionTable(
        AveragePrecision(*map(_share, list(found.stats)[:12])), np.where(precision < 0, np.nan, precision)
    )


def _share(value: float) -> float | None:
    return None if value < 0 else float(value)
