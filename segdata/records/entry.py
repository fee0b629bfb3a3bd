"""The instances of a row: their check, and their form in a COCO JSON."""

from __future__ import annotations

import msgspec

from segdata.coco.annotations import Entry
from segdata.coco.file import Image
from segdata.errors import InvalidInputError
from segdata.records.instance import Instances
from segdata.records.schema import Row, unpack_masks


def stored_entry(row: Instances) -> Entry:
    """Return the image of a row with its instances as annotations, numbered from 1."""
    annotations = [
        {
            "id": number,
            "segmentation": {"size": [row.height, row.width], "counts": counts.decode("latin-1")},
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "iscrowd": crowd,
        }
        for number, (counts, (x1, y1, x2, y2), crowd) in enumerate(
            zip(unpack_masks(row.masks), row.boxes.tolist(), row.iscrowd.tolist(), strict=True), start=1
        )
    ]
    return Entry(
        image=Image(row.image_id, row.file_name, row.height, row.width),
        annotations=tuple(map(msgspec.json.encode, annotations)),
        labels=row.labels,
        iscrowd=row.iscrowd,
    )


def check_instances(row: Row) -> None:
    """Check that the fields of an instance row have as many instances as its masks."""
    try:
        count = len(unpack_masks(row["masks"]))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"field 'masks' cannot be read: {error}", "record_damaged") from error
    for name in ("boxes", "labels", "iscrowd"):
        if len(row[name]) != count:
            raise InvalidInputError(
                f"field {name!r} has {len(row[name])} instances; masks has {count}", "record_damaged"
            )
