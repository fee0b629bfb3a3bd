"""Everything that can be wrong with a data set, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from segdata.cluster import Workers
from segdata.dataset import (
    CocoDataset,
    Dataset,
    DatasetKind,
    RecordDataset,
    Sample,
    dataset_kind,
    open_dataset,
    sample_names,
)
from segdata.errors import Fault, InvalidInputError, OptionError
from segdata.inspect.check.findings import Finding as Finding
from segdata.inspect.check.findings import Findings
from segdata.inspect.check.overlap import read_other
from segdata.inspect.check.sample import SampleReport, inspect_sample
from segdata.inspect.check.whole_set import WholeSet, annotation_faults
from segdata.labels.classes import Classes
from segdata.labels.colormap import IGNORE
from segdata.parallel import Progress, default_workers, if_worth, ordered_map, silent
from segdata.records.schema import TaskName
from segdata.records.semantic import PROCESSES_FROM
from segdata.records.verify import verify


@dataclass(frozen=True)
class CheckReport:
    """What `check` found: nothing, when the data set is clean.

    Attributes:
        path: of the list, JSON or record set.
        kind: which of these it is, by its name.
        task: semantic or instance; None when it could not be opened.
        samples: in it; 0 when it could not be opened.
        findings: errors first, then by code.
        against: the data sets it was compared with.
        hashed: whether contents were compared, too.
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
        """How many errors there are, of all kinds."""
        return sum(finding.count for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> int:
        """How many warnings there are, of all kinds."""
        return sum(finding.count for finding in self.findings if finding.severity == "warning")

    def ok(self, *, strict: bool = False) -> bool:
        """Whether there is no error and, if `strict`, no warning."""
        return not self.errors and not (strict and self.warnings)


def check(
    source: Path | Dataset,
    *,
    data_root: Path | None = None,
    images: Path | None = None,
    classes: Classes | None = None,
    against: Sequence[Dataset] = (),
    hash: bool = False,
    decode: bool = False,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> CheckReport:
    """Look for everything that can be wrong with a data set; ``docs/check.md`` lists what.

    Labels are decoded; of an image the header is read, all of it where `hash` or `decode` asks for it. The report
    does not depend on `workers`.

    Args:
        source: a list file, COCO JSON or record set, or one that is open already. Of a path, lines and objects that are
            none are findings, and so is a file that is no data set at all.
        data_root: see `open_dataset`; of a path, as the next two.
        images: see `open_dataset`.
        classes: see `open_dataset`.
        against: data sets that must not have the same images: those it will be evaluated on, as a rule.
        hash: compare the contents of images, too, with one another and with those of `against`.
        decode: decode every image, to find damage behind the header.
        workers: processes, from some thousands of samples on or with `decode`, all processors by
            default; or a cluster.
        progress: shows how far it is.

    Raises:
        OptionError: when an option does not fit the data set.
        FaultsError: when images of `against` cannot be read.
    """
    faults: list[Fault] = []
    dataset, path = (None, source) if isinstance(source, Path) else (source, source.path)
    if dataset is None:
        dataset = _open(path, faults, data_root=data_root, images=images, classes=classes)
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


def _open(
    path: Path, faults: list[Fault], *, data_root: Path | None, images: Path | None, classes: Classes | None
) -> Dataset | None:
    """Open what can be opened; `faults` get the rest."""
    try:
        return open_dataset(path, data_root=data_root, images=images, classes=classes, faults=faults)
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
    """Yield all that is wrong with an open data set, in its order."""
    if not len(dataset):
        yield Fault("not_a_dataset", str(dataset.path), "holds no image")
    if isinstance(dataset, RecordDataset):
        problems = verify(dataset.path, progress=progress).problems
        yield from (Fault("record_damaged", str(dataset.path), problem) for problem in problems)
        # MindSpore cannot be trusted with damaged files.
        if problems:
            return
    if isinstance(dataset, CocoDataset):
        yield from annotation_faults(dataset)
    names = sample_names(dataset) if against else []
    others = [read_other(other, names, hash=hash, workers=workers, progress=progress) for other in against]
    whole = WholeSet(dataset, complete=complete)
    look = partial(inspect_sample, _classes(dataset), hash, decode)
    with progress(total=len(dataset), label="check") as advance:
        for seen in _map(look, dataset, if_worth(workers, decode or len(dataset) >= PROCESSES_FROM)):
            advance(1)
            yield from seen.faults
            yield from whole.add(seen)
            for other in others:
                yield from other.shared(seen)
    yield from whole.finish()


def _classes(dataset: Dataset) -> Classes | None:
    if dataset.task == "instance":
        return None
    return Classes(tuple(dataset.labels.values()), IGNORE if dataset.ignore_label is None else dataset.ignore_label)


def _map(look: Callable[[Sample], SampleReport], dataset: Dataset, workers: Workers) -> Iterator[SampleReport]:
    # Rows of a record set come from this process; their bytes are not sent to another.
    kind: Literal["threads", "processes"] = "threads" if isinstance(dataset, RecordDataset) else "processes"
    return ordered_map(look, dataset.samples(), workers=workers, kind=kind, chunk=32)
