"""Check one sample: find its faults, and collect what the checks across all samples need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segdata.coco.annotations import AGREE, Annotation, Entry, box_mismatch
from segdata.encoded import FileId, file_id
from segdata.errors import Fault, collecting
from segdata.images.header import ImageHeader
from segdata.images.reading import read_image
from segdata.inspect.check.near_hash import signature, thumbnail
from segdata.inspect.check.quality import quality_faults
from segdata.labels.classes import Classes
from segdata.records.instance_check import inspect_image_entry
from segdata.records.rows import odd_image
from segdata.records.semantic import inspect_pair
from segdata.samples import CocoObjects, Sample
from segdata.text import plural

#: Tolerance for rounding in small masks: of an area, in pixels.
_AREA_OFF = 10


@dataclass(frozen=True, slots=True)
class CheckDepth:
    """Depth of checking samples.

    Attributes:
        hash: compute digests of image and label.
        decode: decode the image instead of reading only its header.
        near: also compute the signature of the image, to find similar ones.
        quality: also judge the quality of the image.
    """

    hash: bool = False
    decode: bool = False
    near: bool = False
    quality: bool = False

    @property
    def pixels(self) -> bool:
        """Whether the pixels of the image are needed."""
        return self.decode or self.near or self.quality


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
        objects: number of instances, crowds included.
        crowds: number of crowds among them.
        signature: see `segdata.inspect.check.near_hash`; None when not requested or the image cannot be read.
    """

    name: str
    file_id: FileId | None
    faults: tuple[Fault, ...]
    mode: str | None
    labels: frozenset[int] | None
    content: bytes | None
    annotated: bytes | None
    objects: int = 0
    crowds: int = 0
    signature: bytes | None = None


def digest(*parts: bytes) -> bytes:
    """Return a 16-byte digest of `parts`."""
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()


def inspect_labeled(classes: Classes, depth: CheckDepth, sample: Sample) -> SampleReport:
    """Check one sample with a label; faults are returned, never raised.

    Args:
        classes: classes allowed in the label.
        depth: how closely to check it.
        sample: a semantic sample of any type of data set.
    """
    file = sample.index_png()
    found = inspect_pair(sample.image, file, classes, sample.value_range, decode=False, read=depth.hash)
    values = np.flatnonzero(found.pixels).tolist()
    faults = [*found.faults, *odd_image(sample.name, found.header)]
    kept = _inspect_pixels(found.image, found.header, sample, depth, faults)
    if values == [classes.ignore_label]:
        faults.append(Fault("label_all_ignore", file.name, f"every pixel has the ignore label {classes.ignore_label}"))
    annotated = None if found.label is None else (repr(found.label.shape).encode(), found.label.tobytes())
    return SampleReport(
        name=sample.name,
        file_id=file_id(found.status),
        faults=tuple(faults),
        mode=found.header.mode if found.header else None,
        labels=None if any(fault.where == file.name for fault in found.faults) else frozenset(values),
        content=_digest(found.image, depth.hash),
        annotated=digest(*annotated) if depth.hash and annotated else None,
        signature=kept,
    )


def _inspect_pixels(
    image: Path | bytes | None, header: ImageHeader | None, sample: Sample, depth: CheckDepth, faults: list[Fault]
) -> bytes | None:
    """Decode an image once for all that needs its pixels; append its faults, and return its signature if requested."""
    if image is None or header is None or not depth.pixels:
        return None
    with collecting(faults, sample.name):
        pixels = read_image(image, sample.value_range)
        if depth.quality:
            faults += quality_faults(sample.name, pixels)
        if depth.near:
            return signature(thumbnail(pixels))
    return None


def _digest(image: Path | bytes | None, hash: bool) -> bytes | None:
    return digest(image) if hash and isinstance(image, bytes) else None


def inspect_annotated(depth: CheckDepth, sample: Sample) -> SampleReport:
    """Check one sample with instances; faults are returned, never raised; see `inspect_labeled`."""
    entry = sample.annotated().entry()
    found = inspect_image_entry(sample.image, entry, sample.value_range, decode=False, read=depth.hash)
    faults = [*found.image_faults, *odd_image(sample.name, found.header), *_odd_entry(entry), *found.annotation_faults]
    kept = _inspect_pixels(found.image, found.header, sample, depth, faults)
    masks: list[bytes] = []
    for one in found.annotations:
        faults += _odd_annotation(one)
        # Record sets keep no areas.
        if isinstance(sample.objects, CocoObjects) and one.shape and one.members.area is None:
            faults.append(Fault("no_area", one.name, f"has no area; its mask has {plural(one.shape.area, 'pixel')}"))
        if depth.hash and one.shape:
            masks.append(digest(bytes([one.crowd]), repr(one.label).encode(), one.shape.rle["counts"]))
    return SampleReport(
        name=sample.name,
        file_id=file_id(found.status),
        faults=tuple(faults),
        mode=found.header.mode if found.header else None,
        labels=frozenset(entry.labels.tolist()),
        content=_digest(found.image, depth.hash),
        annotated=digest(*sorted(masks)) if depth.hash and len(masks) == len(entry.annotations) else None,
        objects=len(entry.annotations),
        crowds=int(np.count_nonzero(entry.iscrowd)),
        signature=kept,
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
    if annotation.crowd and isinstance(members.segmentation, list):
        yield Fault("crowd_polygon", where, "a crowd stored as polygons; expected RLE")
    if shape and members.area is not None and not _area_fits(members.area, shape.area):
        pixels = plural(shape.area, "pixel")
        yield Fault("area_mismatch", where, f"area {members.area:g}; its mask has {pixels}")
    yield from box_mismatch(annotation)


def _area_fits(area: float, pixels: int) -> bool:
    return abs(area - pixels) <= _AREA_OFF or AGREE * pixels <= area <= pixels / AGREE
