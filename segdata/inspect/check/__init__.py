"""Check a data set for all known faults in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from segdata.cluster import Workers
from segdata.dataset import Dataset, DatasetKind, dataset_kind, open_dataset
from segdata.errors import Fault, InvalidInputError, OptionError
from segdata.images.values import Percentiles, ValueRange
from segdata.inspect.check.findings import Finding, Findings
from segdata.inspect.check.overlap import read_other
from segdata.inspect.check.sample import SampleReport, inspect_annotated, inspect_labeled
from segdata.inspect.check.whole_set import WholeSet
from segdata.labels.classes import Classes
from segdata.parallel import Progress, default_workers, if_worth, progress_map, silent
from segdata.records.schema import TaskName
from segdata.records.semantic import PROCESSES_FROM
from segdata.samples import Sample


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
    """

    path: str
    kind: DatasetKind
    task: TaskName | None
    samples: int
    findings: tuple[Finding, ...]
    against: tuple[str, ...]
    hashed: bool
    decoded: bool

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
    source: Path | Dataset,
    *,
    data_root: Path | None = None,
    images: Path | None = None,
    classes: Classes | None = None,
    value_range: ValueRange | Percentiles | None = None,
    against: Sequence[Dataset] = (),
    hash: bool = False,
    decode: bool = False,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> CheckReport:
    """Check a data set for all known faults; ``docs/check.md`` lists them.

    Labels are decoded. Of each image only the header is read, unless `hash` or `decode` is set. The report does not
    depend on `workers`.

    Args:
        source: path of a list file, COCO JSON or record set, or an open data set. For a path, invalid lines, invalid
            objects and a file that is not a data set are reported as findings.
        data_root: see `open_dataset`; this and the next three apply only to a path.
        images: see `open_dataset`.
        classes: see `open_dataset`.
        value_range: see `open_dataset`.
        against: data sets that must not contain the same images, usually those used for evaluation.
        hash: also compare image contents, within the data set and with `against`.
        decode: decode every image, to find damage after the header.
        workers: number of processes, by default one per processor, or a cluster. Processes are used for thousands of
            samples or with `decode`.
        progress: reports progress.

    Raises:
        OptionError: when an option does not apply to the data set.
        FaultsError: when images in `against` cannot be read.
    """
    faults: list[Fault] = []
    dataset, path = (None, source) if isinstance(source, Path) else (source, source.path)
    if dataset is None:
        workers = workers or default_workers()
        places = {"data_root": data_root, "images": images, "classes": classes, "value_range": value_range}
        dataset = _open(path, faults, workers=workers, progress=progress, **places)
    findings = Findings()
    findings.add(faults)
    if dataset is not None:
        look = partial(_look, hash=hash, decode=decode, workers=workers or default_workers(), progress=progress)
        findings.add(look(dataset, against, complete=not faults))
    return CheckReport(
        path=str(path),
        kind=dataset_kind(path),
        task=None if dataset is None else dataset.task,
        samples=0 if dataset is None else len(dataset),
        findings=findings.result(),
        against=tuple(str(other.path) for other in against),
        hashed=hash,
        decoded=decode,
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
    hash: bool,
    decode: bool,
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
    others = [read_other(other, names, hash=hash, workers=workers, progress=progress) for other in against]
    whole = WholeSet(dataset, complete=complete)
    for seen in progress_map(
        _inspection(dataset, hash, decode),
        dataset.samples(),
        total=len(dataset),
        label="check",
        progress=progress,
        workers=if_worth(workers, decode or len(dataset) >= PROCESSES_FROM),
        kind=dataset.worker_kind,
        chunk=32,
    ):
        yield from seen.faults
        yield from whole.add(seen)
        for other in others:
            yield from other.shared(seen)
    yield from whole.finish()


def _inspection(dataset: Dataset, hash: bool, decode: bool) -> Callable[[Sample], SampleReport]:
    """Return the function that checks one sample of a data set."""
    if dataset.classes:
        return partial(inspect_labeled, dataset.classes, hash, decode)
    return partial(inspect_annotated, hash, decode)
