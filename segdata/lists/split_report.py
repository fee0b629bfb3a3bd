"""The report of a split, of a list or of a COCO JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ClassShare:
    """The images that contain a class.

    Attributes:
        id: id of the class.
        name: its name; None for lists.
        images: number of images that contain it.
        shares: their share of each split, 0 to 1.
    """

    id: int
    name: str | None
    images: int
    shares: dict[str, float]


@dataclass(frozen=True)
class SplitReport:
    """Report of `split_list` and `split_coco`; the splits are ``"train"``, ``"val"`` and, of three, ``"test"``.

    Attributes:
        path: folder of the lists or COCO JSONs.
        files: path of the list or COCO JSON of each split.
        ratio: requested share of each split, 0 to 1.
        samples: number of images in each split.
        reached: share of the images in each split, 0 to 1.
        groups: number of groups in each split; without a group expression, every image is a group.
        annotations: number of annotations in each split; None for lists.
        classes: shares of each class, by id; empty unless the split is stratified.
        written: false after a dry run.
    """

    path: str
    files: dict[str, str]
    ratio: dict[str, float]
    samples: dict[str, int]
    reached: dict[str, float]
    groups: dict[str, int]
    annotations: dict[str, int] | None
    classes: tuple[ClassShare, ...]
    written: bool


def split_report(
    files: Mapping[str, Path],
    shares: Mapping[str, float],
    sides: Sequence[str],
    groups: Sequence[str],
    classes: Sequence[frozenset[int]] | None,
    *,
    written: bool,
    names: Mapping[int, str] | None = None,
    annotations: Mapping[str, int] | None = None,
) -> SplitReport:
    """Return the report of a split, given the split, the group and, if they were read, the classes of each image."""
    counts = Counter(sides)
    samples = {side: counts[side] for side in files}
    group_sides = Counter(dict(zip(groups, sides, strict=True)).values())
    return SplitReport(
        path=str(next(iter(files.values())).parent),
        files={side: str(path) for side, path in files.items()},
        ratio=dict(shares),
        samples=samples,
        reached={side: count / len(sides) for side, count in samples.items()},
        groups={side: group_sides[side] for side in files},
        annotations=dict(annotations) if annotations else None,
        classes=_class_shares(sides, classes, samples, names or {}) if classes else (),
        written=written,
    )


def _class_shares(
    sides: Sequence[str], classes: Sequence[frozenset[int]], samples: Mapping[str, int], names: Mapping[int, str]
) -> tuple[ClassShare, ...]:
    images = Counter((id_, side) for side, found in zip(sides, classes, strict=True) for id_ in found)
    return tuple(
        ClassShare(
            id=id_,
            name=names.get(id_),
            images=sum(images[id_, side] for side in samples),
            shares={side: images[id_, side] / count for side, count in samples.items()},
        )
        for id_ in sorted({id_ for id_, _ in images})
    )
