"""COCO average precision of boxes and masks, as `pycocotools` computes it.

Average precision (AP) is averaged over the IoU thresholds 0.50 to 0.95 and over the classes; see Lin et al. 2014,
"Microsoft COCO", and cocodataset.org, "Detection Evaluation".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from segdata.coco.annotations import Boxes, entries, measure
from segdata.coco.file import read_coco
from segdata.coco.rle import Rle
from segdata.errors import InvalidInputError
from segdata.records.manifest import ClassInfo
from segdata.records.reader import RecordSet, read_rows
from segtrain.data.instance.batches import check_instance_set, row_masks
from segtrain.evaluation.instance.library import evaluated
from segtrain.inference.instance.detections import Result, rle_text

#: A COCO instances file as `json` would decode it.
Truth = dict[str, list[dict[str, Any]]]


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


def ground_truth(records: RecordSet) -> Truth:
    """Return the ground truth of a record set; areas are those of the masks in pixels.

    Raises:
        InvalidInputError: when the set is for another task, or a mask is damaged.
    """
    from pycocotools import mask

    check_instance_set(records.manifest)
    truth = _empty_truth(records.manifest.classes)
    originals = [info.original_id for info in records.manifest.classes]
    for row in read_rows(records, fields=[name for name in records.manifest.schema if name != "data"]):
        truth["images"].append({name: row[name] for name in ("file_name", "height", "width")} | {"id": row["image_id"]})
        rles = row_masks(row)
        for box, label, crowd, rle in zip(row["boxes"], row["labels"], row["iscrowd"], rles, strict=True):
            category = originals[int(label) - 1]
            _add(truth, row["image_id"], category, box.tolist(), rle, int(crowd), float(mask.area(rle)))
    return truth


def read_ground_truth(annotations: Path, records: RecordSet) -> Truth:
    """Return the ground truth of a COCO JSON for the images and classes of a record set, with the JSON's areas if any.

    Raises:
        InvalidInputError: when the JSON cannot be read, or lacks an image or a class of the set.
    """
    check_instance_set(records.manifest)
    coco = read_coco(annotations)
    wanted = {row["image_id"] for row in read_rows(records, fields=["image_id"])}
    rows = [number for number, image in enumerate(coco.images) if image.id in wanted]
    categories = {category.id: category.name for category in coco.categories}
    lacking = [info.name for info in records.manifest.classes if categories.get(info.original_id) != info.name]
    if lacking or len(rows) < len(wanted):
        what = f"class {lacking[0]!r}" if lacking else f"{len(wanted) - len(rows)} of {len(wanted)} images"
        raise InvalidInputError(
            f"{annotations}: does not contain {what} of record set {records.manifest.name}; expected the JSON that the "
            "set was made from"
        )
    truth = _empty_truth(records.manifest.classes)
    known = {info.original_id for info in records.manifest.classes}
    by_label = dict(enumerate(sorted(categories), start=1))
    boxes: Boxes = records.manifest.options.get("boxes", "json")
    for entry in entries(coco, rows):
        image = entry.image
        if image.height is None or image.width is None:
            raise InvalidInputError(f"{annotations}: image {image.id} has no height and width; expected both")
        truth["images"].append(
            {"file_name": image.file_name, "height": image.height, "width": image.width, "id": image.id}
        )
        # The record set omits invalid annotations, too; segdata check reports them.
        for one in measure(entry, image.height, image.width, [], boxes=boxes):
            if one.shape and by_label[one.label] in known:
                stated = one.members.area
                area = stated if isinstance(stated, int | float) else one.shape.area
                _add(truth, image.id, by_label[one.label], one.shape.box, one.shape.rle, one.crowd, float(area))
    return truth


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


def _empty_truth(classes: Sequence[ClassInfo]) -> Truth:
    # Sorted by id, like the tables of COCOeval.
    by_id = sorted(classes, key=lambda info: info.original_id)
    categories = [{"id": info.original_id, "name": info.name} for info in by_id]
    return {"images": [], "annotations": [], "categories": categories}


def _add(
    truth: Truth, image_id: int, category_id: int, box: Sequence[float], rle: Rle, crowd: int, area: float
) -> None:
    x1, y1, x2, y2 = box
    truth["annotations"].append(
        {
            # Ids start at 1: COCOeval interprets the id 0 as "no match".
            "id": len(truth["annotations"]) + 1,
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": area,
            "iscrowd": crowd,
            "segmentation": rle_text(rle),
        }
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
