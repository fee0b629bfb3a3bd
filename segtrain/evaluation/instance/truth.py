"""Ground truth of instances: that of a record set, or of the COCO JSON that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segdata.coco.annotations import Boxes, entries, measure
from segdata.coco.file import read_coco
from segdata.coco.rle import Rle
from segdata.errors import InvalidInputError
from segdata.records.manifest import ClassInfo
from segdata.records.reader import RecordSet, read_rows
from segtrain.data.instance.rows import check_instance_set, row_masks
from segtrain.inference.instance.detections import rle_text

#: A COCO instances file as `json` would decode it.
Truth = dict[str, list[dict[str, Any]]]


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

    Crowds are objects if the set has none, as one that was written with ``--crowd object``.

    Raises:
        InvalidInputError: when the JSON cannot be read, or lacks an image or a class of the set.
    """
    check_instance_set(records.manifest)
    crowds = {row["image_id"]: bool(row["iscrowd"].any()) for row in read_rows(records, fields=["image_id", "iscrowd"])}
    wanted = crowds.keys()
    # A set without crowds may have been written with --crowd object.
    coco = read_coco(annotations, crowd="crowd" if any(crowds.values()) else "object")
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
