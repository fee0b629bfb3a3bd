"""Rows of an instance record set that a network can learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segdata.errors import InvalidInputError
from segdata.records.reader import RecordSet, read_rows
from segdata.records.schema import Row
from segtrain.data.instance.rows import check_instance_set


@dataclass(frozen=True)
class TrainableRows:
    """Rows with instances, and counts of what training leaves out.

    Attributes:
        rows: rows with at least one instance that is not a crowd region, in the order of the set.
        empty: number of rows without instances.
        crowd_only: number of rows with crowd regions alone.
        crowded: number of `rows` with more instances than a batch has room for.
        excess: number of instances in these that do not fit, crowd regions included.
    """

    rows: tuple[int, ...]
    empty: int
    crowd_only: int
    crowded: int
    excess: int


def trainable_rows(records: RecordSet, max_instances: int) -> TrainableRows:
    """Find the rows to train on if a batch has room for `max_instances` instances per image.

    Reads the complete record set once, but decodes nothing.

    Raises:
        InvalidInputError: when the record set is for another task, or no row has an instance.
    """
    check_instance_set(records.manifest)
    counts = [_counts(row) for row in read_rows(records, fields=["iscrowd"])]
    instances, objects = np.array(counts, np.int64).reshape(-1, 2).T
    rows = np.flatnonzero(objects)
    if not rows.size:
        raise InvalidInputError(
            f"record set {records.manifest.name}: has no instances; expected at least one to train on. Crowd regions "
            "do not count; segdata stats shows the classes of its instances."
        )
    excess = np.maximum(instances[rows] - max_instances, 0)
    empty = int((instances == 0).sum())
    return TrainableRows(
        rows=tuple(rows.tolist()),
        empty=empty,
        crowd_only=len(instances) - len(rows) - empty,
        crowded=int((excess > 0).sum()),
        excess=int(excess.sum()),
    )


def _counts(row: Row) -> tuple[int, int]:
    """Return the number of instances of a row, and how many of them are not crowd regions."""
    return len(row["iscrowd"]), int((row["iscrowd"] != 1).sum())
