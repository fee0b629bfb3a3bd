"""Find images that two data sets share, by name (fast) or by content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from segdata.cluster import Workers
from segdata.dataset import CocoDataset, Dataset
from segdata.errors import Fault, FaultsError, InvalidInputError, OptionError
from segdata.inspect.check.same_file import FileNames, file_names
from segdata.inspect.check.sample import SampleReport, digest
from segdata.opening import dataset_kind, open_dataset
from segdata.parallel import Progress, WorkerKind, map_faults
from segdata.samples import Sample
from segdata.text import plain_path, plural

_R = TypeVar("_R")


@dataclass(frozen=True)
class OverlapIndex:
    """Index of a data set that another data set is compared with.

    Attributes:
        path: path of the data set.
        names: names of its samples, in their plain form.
        files: the same names by file.
        stems: sample name by stem, for stems that are unique in both data sets.
        contents: sample name by image digest; empty unless contents are compared.
    """

    path: str
    names: frozenset[str]
    files: FileNames
    stems: dict[str, str]
    contents: dict[bytes, str]

    def shared(self, look: SampleReport) -> Iterator[Fault]:
        """Yield a fault if this data set has the same image."""
        if plain_path(look.name) in self.names:
            yield Fault("overlap", look.name, f"also in {self.path}")
        elif look.content and (theirs := self.contents.get(look.content)):
            yield Fault("overlap_content", look.name, f"has the same content as {theirs} in {self.path}")
        elif same := self.files.find(look.name, look.file_id):
            yield same
        elif theirs := self.stems.get(PurePosixPath(look.name).stem):
            yield Fault("overlap_name", look.name, f"has the same file name as {theirs} in {self.path}")


def open_others(paths: Iterable[Path], folder: Path | None, **places: Any) -> list[Dataset]:
    """Open data sets to compare with; see `open_other` for `places`.

    Args:
        paths: the data sets.
        folder: data root or image folder of all of them, in place of those in `places`.

    Raises:
        OptionError: when there is a folder, but no data set.
        InvalidInputError: see `open_dataset`.
    """
    if folder:
        places |= {"data_root": folder, "images": folder}
    others = [open_other(path, **places) for path in paths]
    if folder and not others:
        raise OptionError("--against_images: has no effect without --against")
    return others


def open_other(
    path: Path, *, data_root: Path | None = None, images: Path | None = None, strip_prefix: str = ""
) -> Dataset:
    """Open a data set to compare with; ignore options that do not apply. Images need not exist.

    Raises:
        InvalidInputError: see `open_dataset`.
    """
    kind = dataset_kind(path)
    if kind == "coco":
        return CocoDataset(path, images, strip_prefix=strip_prefix)
    try:
        return open_dataset(path, data_root=data_root if kind == "list" else None)
    except InvalidInputError as error:
        text = str(error).replace("Use --data_root", "Use --against_images")
        if text == str(error):
            raise
        raise InvalidInputError(text, error.code) from error


def read_other(
    dataset: Dataset, names: Iterable[str], *, hash: bool, workers: Workers, progress: Progress
) -> OverlapIndex:
    """Index a data set for comparison with samples of these `names`.

    Args:
        dataset: the data set to index.
        names: names of the samples to compare with it.
        hash: read the images of `dataset`, to compare contents.
        workers: number of threads that read images, or a cluster.
        progress: reports progress.

    Raises:
        FaultsError: when images of `dataset` cannot be read; lists them.
    """
    theirs = [name for name, _ in dataset.files()]
    ours = _only_ones(names)
    stems = {stem: name for stem, name in _only_ones(theirs).items() if stem in ours}
    contents = _read_contents(dataset, workers, progress) if hash else {}
    return OverlapIndex(
        path=str(dataset.path),
        names=frozenset(map(plain_path, theirs)),
        files=file_names(dataset),
        stems=stems,
        contents=contents,
    )


def class_conflicts(dataset: Dataset, other: Dataset) -> Iterator[Fault]:
    """Yield a fault for each class that has another label in the other data set.

    Lists name no classes, and classes of different tasks are numbered differently, so these are not compared.
    """
    comparable = dataset.task == other.task and not (dataset.numbered or other.numbered)
    if comparable and "list" not in (dataset.kind, other.kind):
        theirs = {name: label for label, name in other.labels.items()}
        for label, name in dataset.labels.items():
            if theirs.get(name, label) != label:
                yield Fault(
                    "class_conflict", f"class {name!r}", f"has label {label}, but {theirs[name]} in {other.path}"
                )


def _only_ones(names: Iterable[str]) -> dict[str, str]:
    """Return name by stem, for unique stems only: frames of different videos often differ only in their folder."""
    by_stem: dict[str, list[str]] = {}
    for name in names:
        by_stem.setdefault(PurePosixPath(name).stem, []).append(name)
    return {stem: found[0] for stem, found in by_stem.items() if len(found) == 1}


def read_compared(
    read: Callable[[Sample], _R],
    dataset: Dataset,
    *,
    kind: WorkerKind = "threads",
    workers: Workers,
    progress: Progress,
) -> Iterator[_R]:
    """Yield what `read` returns for each sample of a data set to compare with, in its order.

    Args:
        read: reads an image; with worker processes, it is sent to them.
        dataset: the data set to compare with.
        kind: workers that suit `read`.
        workers: their number, or a cluster.
        progress: reports progress.

    Raises:
        FaultsError: after the last sample, when images cannot be read; lists them.
    """
    faults: list[Fault] = []
    yield from map_faults(
        read,
        dataset.samples(),
        faults,
        name=attrgetter("name"),
        total=len(dataset),
        label="compare",
        progress=progress,
        workers=workers,
        kind=kind,
        chunk=8,
    )
    if faults:
        images = plural(len(faults), "image")
        raise FaultsError(f"{dataset.path}: {images} to compare with cannot be read", faults)


def _read_contents(dataset: Dataset, workers: Workers, progress: Progress) -> dict[bytes, str]:
    contents: dict[bytes, str] = {}
    for name, content in read_compared(_content, dataset, workers=workers, progress=progress):
        contents.setdefault(content, name)
    return contents


def _content(sample: Sample) -> tuple[str, bytes]:
    return sample.name, digest(sample.image.read())
