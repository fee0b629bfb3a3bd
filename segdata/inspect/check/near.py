"""Find images that are almost the same: recompressed, resized, cropped slightly, mirrored or rotated.

Signatures of a few bytes propose pairs; both images of a pair are then read again, and their thumbnails compared.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from segdata.cluster import Workers
from segdata.dataset import Dataset
from segdata.errors import Code, Fault, InvalidInputError
from segdata.images.reading import read_image_header
from segdata.images.values import ValueRange
from segdata.inspect.check.near_hash import SIGNATURE_BYTES, alike, gray, orient, signature, thumbnail
from segdata.inspect.check.near_index import PROPOSED, propose
from segdata.inspect.check.overlap import read_compared
from segdata.parallel import Progress, default_workers, progress_map
from segdata.samples import Sample

#: What `ORIENTATIONS` are called, the same from both images.
_CALLED = (
    *("", "mirrored", "mirrored", "rotated by 180°"),
    *("rotated and mirrored", "rotated by 90°", "rotated by 90°", "rotated and mirrored"),
)

#: Faults that say that two images have the same content, or are the same file.
_SAME: frozenset[Code] = frozenset(
    ("duplicate_image", "duplicate_content", "label_conflict", "overlap", "overlap_content")
)


@dataclass(frozen=True, slots=True)
class NearFault(Fault):
    """An image that is similar to another one.

    Attributes:
        other: name of the other image.
        change: how one is changed from the other, such as "mirrored"; empty if neither mirrored nor rotated.
    """

    other: str
    change: str


class Signatures:
    """Signatures of the images of a data set, in its order; those that cannot be read are left out."""

    def __init__(self, dataset: Dataset, value_range: ValueRange | None = None) -> None:
        """Start without signatures; `value_range` is that of deep images, unless the data set says its own."""
        self.dataset = dataset
        self.value_range = value_range
        self._bytes = bytearray()
        self._rows = array("q")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: int, found: bytes) -> None:
        """Add the signature of the sample in a row."""
        self._bytes += found
        self._rows.append(row)

    @property
    def values(self) -> npt.NDArray[np.uint8]:
        """All signatures, ``(N, 89)`` uint8."""
        return np.array(self._bytes, np.uint8).reshape(-1, SIGNATURE_BYTES)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Rows of their samples, ``(N,)`` int64."""
        return np.array(self._rows, np.int64)


@dataclass(frozen=True)
class _Question:
    """A sample and those that may be like it, the likeliest first: the orientation, and which of both is the part."""

    sample: Sample
    others: tuple[tuple[Sample, int, bool], ...]


class NearCopies:
    """Collects signatures while a data set is checked, and finds its similar images when all are there."""

    def __init__(self, dataset: Dataset, against: Sequence[Dataset], *, workers: Workers, progress: Progress) -> None:
        """Read the images of the data sets `against`.

        Raises:
            FaultsError: when some of these images cannot be read; lists them.
        """
        self._workers, self._progress = workers, progress
        self._ours = Signatures(dataset)
        read = partial(_read_signatures, value_range=dataset.value_range, workers=workers, progress=progress)
        self._theirs = [read(other) for other in against]
        self._known: list[set[int]] = [set() for _ in against]
        self._row = 0

    def add(self, found: bytes | None, repeated: Sequence[Fault], shared: Sequence[Sequence[Fault]]) -> None:
        """Add the signature of the next sample, None if it has none.

        Args:
            found: its signature.
            repeated: faults that name it a copy of an earlier one; such a copy is not searched for.
            shared: for each of the other data sets, faults that name it a copy of one there.
        """
        if found and not _same(repeated):
            for known, faults in zip(self._known, shared, strict=True):
                if _same(faults):
                    known.add(len(self._ours))
            self._ours.add(self._row, found)
        self._row += 1

    def finish(self) -> Iterator[Fault]:
        """Yield a fault for each image that is like an earlier one, or like one of another data set."""
        yield from _near_duplicates(self._ours, workers=self._workers, progress=self._progress)
        for theirs, known in zip(self._theirs, self._known, strict=True):
            yield from _near_overlap(self._ours, theirs, known, workers=self._workers, progress=self._progress)


def _same(faults: Sequence[Fault]) -> bool:
    return any(fault.code in _SAME for fault in faults)


def _read_signatures(
    dataset: Dataset, *, value_range: ValueRange | None, workers: Workers, progress: Progress
) -> Signatures:
    """Return the signatures of all images of a data set.

    Raises:
        FaultsError: when images cannot be read; lists them.
    """
    found = Signatures(dataset, value_range)
    sign = partial(_signature, value_range)
    read = read_compared(sign, dataset, kind=dataset.worker_kind, workers=workers, progress=progress)
    for row, each in enumerate(read):
        found.add(row, each)
    return found


def _signature(value_range: ValueRange | None, sample: Sample) -> bytes:
    return signature(_thumbnail(sample, value_range))


def _thumbnail(sample: Sample, value_range: ValueRange | None) -> npt.NDArray[np.uint8]:
    """Return a thumbnail; `value_range` is for a deep image whose data set has none."""
    if value_range and not sample.value_range and read_image_header(sample.image.find()).deep:
        sample = replace(sample, value_range=value_range)
    return thumbnail(sample.read_image())


def _near_duplicates(found: Signatures, *, workers: Workers, progress: Progress) -> Iterator[Fault]:
    """Yield a fault for each image that is like an earlier one of its data set."""
    values = found.values
    pairs = propose(values, values, same=True, workers=_threads(workers), progress=progress)
    # The image that asks is the part; the later of both images is reported.
    later, earlier = pairs[:, :2].max(axis=1), pairs[:, :2].min(axis=1)
    rows = np.stack([later, earlier, pairs[:, 2], pairs[:, 0] == later, pairs[:, 4]], axis=1)
    yield from _compare("near_duplicate", rows, found, found, "", workers, progress)


def _near_overlap(
    ours: Signatures, theirs: Signatures, known: set[int], *, workers: Workers, progress: Progress
) -> Iterator[Fault]:
    """Yield a fault for each image that is like one of another data set, but for those `known` to be there."""
    threads = _threads(workers)
    values, others = ours.values, theirs.values
    own = propose(others, values, same=False, workers=threads, progress=progress)
    other = propose(values, others, same=False, workers=threads, progress=progress)
    asked = np.stack([own[:, 0], own[:, 1], own[:, 2], np.ones(len(own), np.int64), own[:, 4]], axis=1)
    answered = np.stack([other[:, 1], other[:, 0], other[:, 2], np.zeros(len(other), np.int64), other[:, 4]], axis=1)
    place = f" in {theirs.dataset.path}"
    rows = np.concatenate([asked, answered])
    rows = rows[~np.isin(rows[:, 0], list(known))]
    yield from _compare("overlap_near", rows, ours, theirs, place, workers, progress)


def _threads(workers: Workers) -> int:
    return workers if isinstance(workers, int) else default_workers()


def _compare(
    code: Code,
    rows: npt.NDArray[np.int64],
    ours: Signatures,
    theirs: Signatures,
    place: str,
    workers: Workers,
    progress: Progress,
) -> Iterator[Fault]:
    """Read the proposed pairs again, and yield a fault for each image that is like another.

    Args:
        code: kind of fault.
        rows: ``(pairs, 5)`` int64: signature of the image, of the other, orientation, whether the first is the part of
            the second, and distance.
        ours: signatures of the images.
        theirs: signatures of the others.
        place: where the others are, for the message.
        workers: number of workers that read images, or a cluster.
        progress: reports progress.
    """
    rows = rows[np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 4], rows[:, 0]))]
    if not len(rows):
        return
    groups = [list(group)[:PROPOSED] for _, group in groupby(rows.tolist(), key=itemgetter(0))]
    for fault in progress_map(
        partial(_likeness, code, place, theirs.value_range),
        _questions(groups, ours, theirs),
        total=len(groups),
        label="near",
        progress=progress,
        workers=workers,
        kind="threads",
    ):
        if fault:
            yield fault


def _questions(groups: Sequence[list[list[int]]], ours: Signatures, theirs: Signatures) -> Iterator[_Question]:
    samples = ours.dataset.samples(ours.rows[[group[0][0] for group in groups]].tolist())
    others = theirs.dataset.samples(theirs.rows[[row[1] for group in groups for row in group]].tolist())
    for sample, group in zip(samples, groups, strict=True):
        orientations = [(row[2], bool(row[3])) for row in group]
        found = islice(others, len(group))
        yield _Question(sample, tuple((other, *how) for other, how in zip(found, orientations, strict=True)))


def _likeness(code: Code, place: str, value_range: ValueRange | None, question: _Question) -> Fault | None:
    """Return a fault if one of the others is like the sample."""
    try:
        mine = gray(thumbnail(question.sample.read_image()))
        for other, orientation, part in question.others:
            theirs = gray(_thumbnail(other, value_range))
            copy, original = (mine, theirs) if part else (theirs, mine)
            if alike(orient(copy, orientation), original):
                change = _CALLED[orientation]
                what = f"is similar to {other.name}{place}{', ' if change else ''}{change}"
                return NearFault(code, question.sample.name, what, other.name, change)
    except InvalidInputError as error:
        return Fault("invalid", question.sample.name, f"was modified while it was compared: {error}")
    return None
