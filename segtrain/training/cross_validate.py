"""Cross-validation: training and evaluation for each fold of a list, and the mean scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from segdata.arguments import FilePath, check_choice, check_number, check_opened, local_path
from segdata.dataset import ListDataset
from segdata.errors import FaultsError, InvalidInputError, OptionError, TargetExistsError
from segdata.lists import Pair, format_list, write_list
from segdata.lists.folds import Fold, Order
from segdata.opening import open_dataset
from segdata.parallel import Progress, silent
from segdata.records.convert import to_mindrecord
from segdata.text import plural
from segtrain.config.config import Config
from segtrain.config.networks import SemanticNetwork
from segtrain.config.recipes import MAKERS
from segtrain.data.classes import class_id
from segtrain.data.semantic.crops import SampleList
from segtrain.distributed.ranks import check_alone
from segtrain.evaluation.semantic.evaluate import EvalReport, evaluate_semantic
from segtrain.inference.settings import AS_IN_TRAINING, EvalSettings
from segtrain.training.events import Event, ignore
from segtrain.training.fit import train


@dataclass(frozen=True)
class Spread:
    """A score over folds.

    Attributes:
        mean: mean over the folds.
        deviation: sample standard deviation (n - 1); None for a single fold.
    """

    mean: float
    deviation: float | None


@dataclass(frozen=True, kw_only=True)
class CrossValidationReport:
    """Result of `cross_validate`.

    Attributes:
        path: directory with a subdirectory for each fold.
        split: how the samples were split.
        folds: evaluation of each fold that was run, by fold number.
        scores: mean and deviation over these folds, by score name.
    """

    path: str
    split: str
    folds: dict[int, EvalReport]
    scores: dict[str, Spread]


def cross_validate(
    config: Config,
    dataset: ListDataset,
    train_dir: FilePath,
    *,
    folds: int = 5,
    order: Order = "blocks",
    only: Sequence[int] = (),
    settings: EvalSettings = AS_IN_TRAINING,
    membrane: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    observe: Callable[[Event], None] = ignore,
    progress: Progress = silent,
) -> CrossValidationReport:
    """Train on all folds but one and evaluate on that one, for each fold in turn.

    The last checkpoint is evaluated, so the fold that is held out influences no choice. Each fold has a directory
    ``fold_K`` with its lists, its record set and its training run.

    Args:
        config: settings, the same for all folds.
        dataset: open list file of all samples; a value range that was found is that of all of them.
        train_dir: directory for all folds.
        folds: number of folds.
        order: see `segdata.lists.folds.Fold`.
        only: folds to run; all by default.
        settings: settings of the evaluations.
        membrane: class that separates cells; see `evaluate_semantic`.
        resume: resume an earlier run where it stopped.
        overwrite: replace an earlier run.
        observe: called with each event as it happens.
        progress: reports the progress of everything but training.

    Raises:
        InvalidInputError: when there are fewer samples than folds, a fold or the class `membrane` does not exist, the
            network is for instance segmentation, or `config` has early stopping.
        OptionError: when it was started in several processes, or `resume` and `overwrite` are both given.
        TargetExistsError: when a fold's directory has another list or training run, and `overwrite` is false.
        SegDataError: as for `segdata.to_mindrecord`, `segtrain.training.fit.train` and `evaluate_semantic`.
    """
    train_dir = local_path(train_dir)
    check_choice("order", order, Order)
    check_number("folds", folds, 2)
    check_opened("config", config, MAKERS)
    check_opened("dataset", dataset)
    check_alone("cross-validate")
    _check_options(config, resume=resume, overwrite=overwrite)
    wanted = sorted(set(only)) or list(range(folds))
    if beyond := [fold for fold in wanted if not 0 <= fold < folds]:
        raise InvalidInputError(f"fold = {beyond[0]}: does not exist; expected 0 to {folds - 1}")
    if membrane is not None:
        class_id(membrane, tuple(dataset.labels.values()))
    lists = {number: _lists(train_dir, dataset.pairs, Fold(folds, number, order)) for number in wanted}
    if not overwrite:
        _check_lists({path: pairs for of_fold in lists.values() for path, pairs in of_fold.items()})
    reports = {}
    for number in wanted:
        directory = train_dir / f"fold_{number}"
        directory.mkdir(parents=True, exist_ok=True)
        for path, pairs in lists[number].items():
            write_list(path, pairs, overwrite=True)
        records = directory / "records" / "train"
        training_list = open_dataset(
            directory / "train_lst.txt",
            data_root=dataset.root,
            classes=dataset.classes,
            value_range=dataset.value_range,
        )
        with _naming(dataset.path):
            to_mindrecord(training_list, records, num_shards=1, overwrite=True, progress=progress)
        going_on = resume and (directory / "last.ckpt").exists()
        train(config, records, directory, resume=going_on, overwrite=overwrite, observe=observe, progress=progress)
        val = SampleList(dataset.root, directory / "val_lst.txt")
        reports[number] = evaluate_semantic(
            directory / "last.ckpt",
            val,
            settings,
            membrane=membrane,
            device_target=config.device_target,
            progress=progress,
        )
    return CrossValidationReport(
        path=str(train_dir), split=f"{folds} folds, {order}", folds=reports, scores=_spreads([*reports.values()])
    )


def _check_options(config: Config, *, resume: bool, overwrite: bool) -> None:
    if not isinstance(config.model, SemanticNetwork):
        raise InvalidInputError(
            f"{config.model.name}: cannot be cross-validated, because folds are made from a list file, which has no "
            "instances; expected a semantic network"
        )
    if config.early_stopping:
        raise InvalidInputError(
            f"early_stopping = {config.early_stopping}: has no effect, because a fold is evaluated only at its end. "
            "Leave it out."
        )
    if resume and overwrite:
        raise OptionError("--resume continues an earlier run and --overwrite replaces it; expected only one of the two")


def _lists(train_dir: Path, pairs: Sequence[Pair], fold: Fold) -> dict[Path, list[Pair]]:
    """Return the samples of the two lists of a fold."""
    directory = train_dir / f"fold_{fold.fold}"
    sides = zip(("train", "val"), fold.split(len(pairs)), strict=True)
    return {directory / f"{name}_lst.txt": [pairs[row] for row in rows] for name, rows in sides}


def _check_lists(lists: Mapping[Path, Sequence[Pair]]) -> None:
    """Refuse to replace a list of somebody else, or that of an earlier run with other folds."""
    for path, pairs in lists.items():
        if path.exists() and not (path.is_file() and path.read_bytes() == format_list(pairs).encode()):
            raise TargetExistsError(
                f"{path}: already exists; expected nothing, or the list that an earlier run with the same samples, "
                "--folds and --order wrote. Choose another --train_dir.",
                replaceable=path.is_file(),
            )


@contextmanager
def _naming(data_lst: Path) -> Iterator[None]:
    """Report faults of samples with the user's list, not that of a fold, and with a cure that this command has."""
    try:
        yield
    except FaultsError as error:
        raise FaultsError(
            f"{data_lst}: found {plural(len(error.faults), 'fault')} in the samples of a fold. Correct them (segdata "
            "check says how), or check --class_names, --num_classes and --ignore_label",
            error.faults,
        ) from error


def _spreads(reports: Sequence[EvalReport]) -> dict[str, Spread]:
    found = [report.scores.numbers for report in reports]
    spreads = {}
    # A fold without cells has fewer scores than the others.
    for name in dict.fromkeys(name for numbers in found for name in numbers):
        values = [numbers[name] for numbers in found if name in numbers]
        spreads[name] = Spread(mean(values), stdev(values) if len(values) > 1 else None)
    return spreads
