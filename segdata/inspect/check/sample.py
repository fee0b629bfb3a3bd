"""Check one sample: find its faults, and collect what the checks across all samples need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segdata.coco.annotations import AGREE, Annotation, Entry, box_mismatch
from segdata.encoded import FileId, file_id
from segdata.errors import Fault
from segdata.labels.classes import Classes
from segdata.records.instance import inspect_image_entry
from segdata.records.rows import odd_image
from segdata.records.semantic import inspect_pair
from segdata.samples import Sample
from segdata.text import plural

#: Tolerance for rounding in small masks: of an area, in pixels.
_AREA_OFF = 10


@dataclass(frozen=True, slots=True)
class SampleReport:
    """Report on one sample.

    Attributes:
        name: name of the sample.
        file_id: device and inode of the image; None when it is in memory or does not exist.
        faults: faults of this sample alone.
        mode: Pillow's mode of the image; None when the image cannot be read.
        labels: values in the label, or labels of the instances; None when the label has a fault.
        content: digest of the encoded image; None when not requested or the image cannot be read.
        annotated: digest of the label's pixels, or of the instances; None when not requested or not available.
    """

    name: str
    file_id: FileId | None
    faults: tuple[Fault, ...]
    mode: str | None
    labels: frozenset[int] | None
    content: bytes | None
    annotated: bytes | None


def digest(*parts: bytes) -> bytes:
    """Return a 16-byte digest of `parts`."""
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()


def inspect_labeled(classes: Classes, hash: bool, decode: bool, sample: Sample) -> SampleReport:
    """Check one sample with a label; faults are returned, never raised.

    Args:
        classes: classes allowed in the label.
        hash: compute digests of image and label.
        decode: decode the image instead of reading only its header.
        sample: a semantic sample of any type of data set.
    """
    file = sample.index_png()
    found = inspect_pair(sample.image, file, classes, sample.value_range, decode=decode, read=hash)
    values = np.flatnonzero(found.pixels).tolist()
    faults = [*found.faults, *odd_image(sample.name, found.header)]
    if values == [classes.ignore_label]:
        faults.append(Fault("label_all_ignore", file.name, f"every pixel has the ignore label {classes.ignore_label}"))
    annotated = None if found.label is None else (repr(found.label.shape).encode(), found.label.tobytes())
    return SampleReport(
        name=sample.name,
        file_id=file_id(found.status),
        faults=tuple(faults),
        mode=found.header.mode if found.header else None,
        labels=None if any(fault.where == file.name for fault in found.faults) else frozenset(values),
        content=_digest(found.image, hash),
        annotated=digest(*annotated) if hash and annotated else None,
    )


def _digest(image: Path | bytes | None, hash: bool) -> bytes | None:
    return digest(image) if hash and isinstance(image, bytes) else None


def inspect_annotated(hash: bool, decode: bool, sample: Sample) -> SampleReport:
    """Check one sample with instances; faults are returned, never raised; see `inspect_labeled`."""
    entry = sample.annotated().entry()
    found = inspect_image_entry(sample.image, entry, sample.value_range, decode=decode, read=hash)
    faults = [*found.image_faults, *odd_image(sample.name, found.header), *_odd_entry(entry), *found.annotation_faults]
    masks: list[bytes] = []
    for one in found.annotations:
        faults += _odd_annotation(one)
        if hash and one.shape:
            masks.append(digest(bytes([one.crowd]), repr(one.label).encode(), one.shape.rle["counts"]))
    return SampleReport(
        name=sample.name,
        file_id=file_id(found.status),
        faults=tuple(faults),
        mode=found.header.mode if found.header else None,
        labels=frozenset(entry.labels.tolist()),
        content=_digest(found.image, hash),
        annotated=digest(*sorted(masks)) if hash and len(masks) == len(entry.annotations) else None,
    )


def _odd_entry(entry: Entry) -> Iterator[Fault]:
    name = entry.image.file_name
    if entry.image.height is None or entry.image.width is None:
        yield Fault("no_size", name, "has no height or no width in the JSON")
    if not entry.annotations:
        yield Fault("no_annotation", name, "has no annotations")


def _odd_annotation(annotation: Annotation) -> Iterator[Fault]:
    where, members, shape = annotation.name, annotation.members, annotation.shape
    if members.iscrowd is None:
        yield Fault("no_iscrowd", where, "has no iscrowd; 0 is assumed")
    if members.iscrowd and isinstance(members.segmentation, list):
        yield Fault("crowd_polygon", where, "a crowd stored as polygons; expected RLE")
    if shape and members.area is not None and not _area_fits(members.area, shape.area):
        pixels = plural(shape.area, "pixel")
        yield Fault("area_mismatch", where, f"area {members.area:g}; its mask has {pixels}")
    yield from box_mismatch(annotation)


def _area_fits(area: float, pixels: int) -> bool:
    return abs(area - pixels) <= _AREA_OFF or AGREE * pixels <= area <= pixels / AGREE
