"""Check a data set for all known faults in one pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from segdata.arguments import FilePath, check_opened, local_path
from segdata.cluster import Workers
from segdata.coco.file import CrowdMeaning
from segdata.dataset import Dataset
from segdata.errors import Fault, InvalidInputError, OptionError
from segdata.images.values import Percentiles, ValueRange
from segdata.inspect.check.findings import Finding, Findings
from segdata.inspect.check.mask_map_advice import mask_map_advice
from segdata.inspect.check.near import NearCopies
from segdata.inspect.check.overlap import class_conflicts, read_other
from segdata.inspect.check.sample import CheckDepth, SampleReport, inspect_annotated, inspect_labeled
from segdata.inspect.check.whole_set import WholeSet
from segdata.labels.classes import Classes
from segdata.opening import REMOTE_SET, dataset_kind, open_dataset
from segdata.parallel import PROCESSES_FROM, Progress, chosen_workers, if_worth, progress_map, silent
from segdata.records.schema import TaskName
from segdata.samples import DatasetKind, Sample


@dataclass(frozen=True)
class CheckReport:
    """Report of `check`; without findings, the data set is clean.

    Attributes:
        path: path of the list, JSON or record set.
        kind: type of the data set, from its name.
        task: semantic or instance; None when the data set could not be opened.
        samples: number of samples; 0 when the data set could not be opened.
        findings: all findings, errors first, then by code.
        against: paths of the data sets it was compared with.
        hashed: whether image contents were compared too.
        decoded: whether images were decoded.
        near: whether similar images were searched for.
        quality: whether the quality of images was judged.
        unknown: what the data set does not say, such as the names of its classes.
        faults: all faults, in the order of the data set, if `check` was asked for `every` one; findings have ten of
            each type.
    """

    path: str
    kind: DatasetKind
    task: TaskName | None
    samples: int
    findings: tuple[Finding, ...]
    against: tuple[str, ...]
    hashed: bool
    decoded: bool
    near: bool = False
    quality: bool = False
    unknown: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def errors(self) -> int:
        """Total number of errors."""
        return sum(finding.count for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> int:
        """Total number of warnings."""
        return sum(finding.count for finding in self.findings if finding.severity == "warning")

    def ok(self, *, strict: bool = False) -> bool:
        """Return whether there are no errors and, if `strict`, no warnings."""
        return not self.errors and not (strict and self.warnings)


def check(
    source: FilePath | Dataset,
    *,
    data_root: FilePath | None = None,
    images: FilePath | None = None,
    classes: Classes | None = None,
    value_range: ValueRange | Percentiles | None = None,
    crowd: CrowdMeaning = "crowd",
    strip_prefix: str = "",
    image_field: str | None = None,
    label_field: str | None = None,
    against: Sequence[Dataset] = (),
    hash: bool = False,
    decode: bool = False,
    near: bool = False,
    quality: bool = False,
    every: list[Fault] | None = None,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> CheckReport:
    """Check a data set for all known faults; ``docs/check.md`` lists them.

    Labels are decoded. Of each image only the header is read, unless `hash` or `decode` is set. The report does not
    depend on `workers`.

    Args:
        source: path of a list file, COCO JSON or record set, or an open data set. For a path, invalid lines, invalid
            objects and a file that is not a data set are reported as findings.
        data_root: see `open_dataset`; this and the next seven are only for a path.
        images: see `open_dataset`.
        classes: see `open_dataset`.
        value_range: see `open_dataset`.
        crowd: see `open_dataset`.
        strip_prefix: see `open_dataset`.
        image_field: see `open_dataset`.
        label_field: see `open_dataset`.
        against: data sets that must not contain the same images, usually those used for evaluation.
        hash: also compare image contents, within the data set and with `against`.
        decode: decode every image, to find damage after the header.
        near: also find similar images, within the data set and in `against`: compressed again, resized, cropped by up
            to about a tenth, mirrored or rotated. Implies `decode`.
        quality: also judge the quality of images: dark, bright, low contrast, blurry, odd aspect. Implies `decode`.
        every: if given, all faults are appended to this list, in the order of the data set; findings keep only the
            first ten of each type.
        workers: number of processes, by default one per CPU core, or a cluster. Processes are used for thousands of
            samples or with `decode`.
        progress: reports progress.

    Raises:
        OptionError: when an option does not apply to the data set, or to one that is open.
        FaultsError: when images in `against` cannot be read.
    """
    data_root, images = local_path(data_root), local_path(images)
    for other in against:
        check_opened("against", other)
    workers = chosen_workers(workers)
    faults: list[Fault] = []
    given: dict[str, Any] = {"data_root": data_root, "images": images, "classes": classes, "value_range": value_range}
    given |= {"crowd": crowd, "strip_prefix": strip_prefix, "image_field": image_field, "label_field": label_field}
    dataset: Dataset | None
    if isinstance(source, str | os.PathLike):
        path = local_path(source, REMOTE_SET)
        dataset = _open(path, faults, workers=workers, progress=progress, **given)
    elif useless := [name for name, value in given.items() if value and value != "crowd"]:
        raise OptionError(f"{source.path} is open already; give {', '.join(useless)} to open_dataset")
    else:
        dataset, path = source, source.path
    findings = Findings(every)
    findings.add(faults)
    if dataset is not None:
        depth = CheckDepth(hash=hash, decode=decode, near=near, quality=quality)
        look = partial(_look, depth=depth, workers=workers, progress=progress)
        findings.add(look(dataset, against, complete=not faults))
    return CheckReport(
        path=str(path),
        kind=dataset_kind(path),
        task=None if dataset is None else dataset.task,
        samples=0 if dataset is None else len(dataset),
        findings=findings.result({} if dataset is None else mask_map_advice(dataset, findings)),
        against=tuple(str(other.path) for other in against),
        hashed=hash,
        decoded=decode or near or quality,
        near=near,
        quality=quality,
        unknown=() if dataset is None else dataset.unknown,
        faults=tuple(every or ()),
    )


def _open(path: Path, faults: list[Fault], **options: Any) -> Dataset | None:
    """Open a data set, or return None; add the problems to `faults`."""
    try:
        return open_dataset(path, faults=faults, **options)
    except OptionError:
        raise
    except InvalidInputError as error:
        faults.append(Fault("not_a_dataset", str(path), str(error).removeprefix(f"{path}: ")))
        return None


def _look(
    dataset: Dataset,
    against: Sequence[Dataset],
    *,
    complete: bool,
    depth: CheckDepth,
    workers: Workers,
    progress: Progress,
) -> Iterator[Fault]:
    """Yield all faults of an open data set, in its order."""
    if not len(dataset):
        yield Fault("not_a_dataset", str(dataset.path), "contains no images")
    problems = list(dataset.verify(progress))
    yield from problems
    # Reading damaged files with MindSpore is not safe.
    if any(problem.code == "record_damaged" for problem in problems):
        return
    names = [name for name, _ in dataset.files()] if against else []
    others = [read_other(other, names, hash=depth.hash, workers=workers, progress=progress) for other in against]
    whole = WholeSet(dataset, complete=complete)
    copies = NearCopies(dataset, against, workers=workers, progress=progress) if depth.near else None
    for seen in progress_map(
        _inspection(dataset, depth),
        dataset.samples(),
        total=len(dataset),
        label="check",
        progress=progress,
        workers=if_worth(workers, depth.pixels or len(dataset) >= PROCESSES_FROM),
        kind=dataset.worker_kind,
        chunk=32,
    ):
        yield from seen.faults
        repeated = tuple(whole.add(seen))
        shared = [tuple(other.shared(seen)) for other in others]
        yield from chain(repeated, *shared)
        if copies:
            copies.add(seen.signature, repeated, shared)
    yield from whole.finish()
    for other in against:
        yield from class_conflicts(dataset, other)
    if copies:
        yield from copies.finish()


def _inspection(dataset: Dataset, depth: CheckDepth) -> Callable[[Sample], SampleReport]:
    """Return the function that checks one sample of a data set."""
    if dataset.classes:
        return partial(inspect_labeled, dataset.classes, depth)
    return partial(inspect_annotated, depth)
