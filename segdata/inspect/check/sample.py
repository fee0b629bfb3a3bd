"""Check one sample: find its faults, and collect what the checks across all samples need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from segdata.coco.annotations import Annotation, Entry, Shape, annotation_name, check_image_size, measure
from segdata.coco.file import Image
from segdata.errors import Fault, InvalidInputError
from segdata.files import resolve
from segdata.images.header import ImageHeader
from segdata.images.reading import inspect_image
from segdata.inspect.check.same_file import FileId, file_id_of
from segdata.labels.classes import Classes
from segdata.lists import Pair
from segdata.records.instance import Instances
from segdata.records.layout import blob_overhead, row_faults
from segdata.records.schema import INSTANCE, pack_masks, unpack_masks
from segdata.records.semantic import encoded_size, file_fault, inspect_pair
from segdata.regular import read_regular
from segdata.samples import File, Sample
from segdata.text import plural

#: Least agreement of an annotation with its mask: ratio of the areas, or intersection over union of the boxes.
_AGREE = 0.5

#: Tolerance for rounding in small masks, in pixels: of an area, and of an edge of a box.
_AREA_OFF, _EDGE_OFF = 10, 2


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


def inspect_sample(classes: Classes | None, hash: bool, decode: bool, sample: Sample) -> SampleReport:
    """Check one sample; faults are returned, never raised.

    Args:
        classes: classes allowed in a label; None if samples have instances.
        hash: compute digests of image and label.
        decode: decode the image instead of reading only its header.
        sample: sample of any type of data set.
    """
    if isinstance(sample.label, Entry | Instances):
        entry = sample.label if isinstance(sample.label, Entry) else _as_entry(sample.label)
        return _inspect_instances(hash, decode, sample, entry)
    if classes is None:
        raise TypeError(f"{sample.name}: has a label; expected instances")
    return _inspect_label(classes, hash, decode, sample, sample.label)


def digest(*parts: bytes) -> bytes:
    """Return a 16-byte digest of `parts`."""
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()


def _inspect_label(classes: Classes, hash: bool, decode: bool, sample: Sample, file: File | bytes) -> SampleReport:
    pair = Pair(sample.name, file.name if isinstance(file, File) else f"label of {sample.name}")
    image, label = partial(_find, sample.image, whole=hash), partial(_find, file, whole=False)
    found = inspect_pair(pair, image, label, classes, sample.value_range, decode=decode)
    values = np.flatnonzero(found.pixels).tolist()
    faults = [*found.faults, *_odd_image(sample.name, found.header)]
    if values == [classes.ignore_label]:
        faults.append(Fault("label_all_ignore", pair.label, f"every pixel has the ignore label {classes.ignore_label}"))
    annotated = None if found.label is None else (repr(found.label.shape).encode(), found.label.tobytes())
    return SampleReport(
        name=sample.name,
        file_id=file_id_of(sample.image),
        faults=tuple(faults),
        mode=found.header.mode if found.header else None,
        labels=None if any(fault.where == pair.label for fault in found.faults) else frozenset(values),
        content=digest(found.image) if hash and isinstance(found.image, bytes) else None,
        annotated=digest(*annotated) if hash and annotated else None,
    )


def _find(file: File | bytes, *, whole: bool) -> Path | bytes:
    """Return the path of a file; its bytes if they are in memory or all of them are needed."""
    if isinstance(file, bytes):
        return file
    path = resolve(file.root, file.name)
    return read_regular(path) if whole else path


def _odd_image(name: str, header: ImageHeader | None) -> Iterator[Fault]:
    if header and header.orientation != 1:
        yield Fault("rotated", name, f"EXIF orientation {header.orientation}")


def _inspect_instances(hash: bool, decode: bool, sample: Sample, entry: Entry) -> SampleReport:
    image = header = None
    faults: list[Fault] = []
    try:
        image = _find(sample.image, whole=hash)
        header = inspect_image(image, sample.value_range, decode=decode)
        check_image_size(entry.image, header.height, header.width)
    except (InvalidInputError, OSError) as error:
        faults.append(file_fault(sample.name, error, "missing_image"))
    faults += _odd_image(sample.name, header)
    faults += _odd_entry(entry)
    masks: list[bytes] = []
    counts: list[bytes] = []
    size = _size(entry.image, header)
    for row, (annotation, shape) in enumerate(measure(entry, *size) if size else ()):
        faults += _odd_annotation(annotation_name(annotation, entry.image), annotation, shape)
        if isinstance(shape, Fault):
            continue
        counts.append(shape.rle["counts"])
        if hash:
            masks.append(digest(bytes([entry.iscrowd[row]]), repr(entry.labels[row]).encode(), shape.rle["counts"]))
    if header and image is not None:
        faults += row_faults(sample.name, encoded_size(image) + _instance_bytes(counts) + blob_overhead(INSTANCE))
    return SampleReport(
        name=sample.name,
        file_id=file_id_of(sample.image),
        faults=tuple(faults),
        mode=header.mode if header else None,
        labels=frozenset(entry.labels.tolist()),
        content=digest(image) if hash and isinstance(image, bytes) else None,
        annotated=digest(*sorted(masks)) if hash and len(masks) == len(entry.annotations) else None,
    )


def _instance_bytes(counts: Sequence[bytes]) -> int:
    """Return the bytes of the masks, boxes, labels and crowd flags of a row; see `segdata.records.schema.INSTANCE`."""
    return len(pack_masks(counts)) + len(counts) * (4 + 1 + 1) * 4


def _size(image: Image, header: ImageHeader | None) -> tuple[int, int] | None:
    """Return the height and width of the masks: from the JSON if given there, else from the image file."""
    if image.height and image.width and min(image.height, image.width) > 0:
        return image.height, image.width
    return (header.height, header.width) if header else None


def _odd_entry(entry: Entry) -> Iterator[Fault]:
    name = entry.image.file_name
    if entry.image.height is None or entry.image.width is None:
        yield Fault("no_size", name, "has no height or no width in the JSON")
    if not entry.annotations:
        yield Fault("no_annotation", name, "has no annotations")


def _odd_annotation(where: str, annotation: Annotation, shape: Shape | Fault) -> Iterator[Fault]:
    if annotation.iscrowd is None:
        yield Fault("no_iscrowd", where, "has no iscrowd; 0 is assumed")
    if annotation.iscrowd and isinstance(annotation.segmentation, list):
        yield Fault("crowd_polygon", where, "a crowd stored as polygons; expected RLE")
    if isinstance(shape, Fault):
        yield shape
        return
    if annotation.area is not None and not _area_fits(annotation.area, shape.area):
        pixels = plural(shape.area, "pixel")
        yield Fault("area_mismatch", where, f"area {annotation.area:g}; its mask has {pixels}")
    if annotation.bbox and not _box_fits(shape.box, tight := _tight_box(shape)):
        text = " to ".join(f"({x:g}, {y:g})" for x, y in (tight[:2], tight[2:]))
        yield Fault("box_mismatch", where, f"box {annotation.bbox}; its mask spans {text}")


def _area_fits(area: float, pixels: int) -> bool:
    return abs(area - pixels) <= _AREA_OFF or _AGREE * pixels <= area <= pixels / _AGREE


def _tight_box(shape: Shape) -> tuple[float, float, float, float]:
    from pycocotools import mask

    x, y, width, height = mask.toBbox(shape.rle).tolist()
    return x, y, x + width, y + height


def _box_fits(box: Sequence[float], tight: Sequence[float]) -> bool:
    if max(abs(a - b) for a, b in zip(box, tight, strict=True)) <= _EDGE_OFF:
        return True
    shared = _area((*map(max, box[:2], tight[:2]), *map(min, box[2:], tight[2:])))
    return shared >= _AGREE * (_area(box) + _area(tight) - shared)


def _area(box: Sequence[float]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _as_entry(row: Instances) -> Entry:
    """Convert a row of a record set back to its image and annotations, numbered from 1."""
    size = [row.height, row.width]
    annotations = [
        {
            "id": number,
            "segmentation": {"size": size, "counts": counts.decode("latin-1")},
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
