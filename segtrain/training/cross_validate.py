"""Cross-validation: a training and an evaluation for each fold of a list, and what they have in the mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

from segdata.errors import InvalidInputError
from segdata.lists import read_list, write_list
from segdata.lists.folds import Fold, Order
from segdata.parallel import Progress, silent
from segdata.records.convert import to_mindrecord
from segdata.records.semantic import ListSource
from segtrain.config.config import Config
from segtrain.data.semantic.crops import SampleList
from segtrain.evaluation.semantic.evaluate import EvalReport, evaluate_semantic
from segtrain.training.events import Event, ignore
from segtrain.training.fit import train


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (of a sample, n - 1) of a score over folds; of one fold there is no deviation."""

    mean: float
    deviation: float | None


@dataclass(frozen=True, kw_only=True)
class CrossValidationReport:
    """What `cross_validate` found.

    Attributes:
        train_dir: holds a directory for each fold.
        split: how the samples were divided.
        folds: the evaluation of each fold that was run, by its number.
        scores: what they have in common, by name.
    """

    train_dir: str
    split: str
    folds: dict[int, EvalReport]
    scores: dict[str, Spread]


def cross_validate(
    config: Config,
    source: ListSource,
    train_dir: Path,
    *,
    folds: int = 5,
    order: Order = "blocks",
    only: Sequence[int] = (),
    scales: tuple[float, ...] = (1.0,),
    flip: bool = False,
    turn: bool = False,
    membrane: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    observe: Callable[[Event], None] = ignore,
    progress: Progress = silent,
) -> CrossValidationReport:
    """Train on all folds but one, evaluate on that one, for each in turn; nothing is chosen by what is evaluated.

    Each fold has a directory ``fold_K`` with its lists, its record set and its training.

    Args:
        config: the settings, the same for each.
        source: the samples and their classes.
        train_dir: the directory for all folds.
        folds: how many.
        order: see `segdata.lists.folds.Fold`.
        only: the folds to be run; all by default.
        scales: of the images in evaluation; see `segtrain.inference.semantic.segmenter.EvalSettings`.
        flip: also take the mirrored images in evaluation.
        turn: also take them turned by quarters.
        membrane: the class that divides cells; see `evaluate_semantic`.
        resume: go on where an earlier run stopped.
        overwrite: replace an earlier run.
        observe: is told of each step as it happens.
        progress: shows the other work.

    Raises:
        InvalidInputError: when there are fewer samples than folds, a fold is named that there is not, or the network is
            for instances.
        SegDataError: as of `segdata.to_mindrecord`, `segtrain.training.fit` and `segtrain.evaluate`.
    """
    if config.mask_rcnn:
        raise InvalidInputError(
            f"{config.model} is for instances, and a list file has none: no folds can be made of it"
        )
    wanted = sorted(set(only)) or list(range(folds))
    if beyond := [fold for fold in wanted if not 0 <= fold < folds]:
        raise InvalidInputError(f"fold {beyond[0]}: expected 0 to {folds - 1}")
    pairs = read_list(source.data_lst)
    reports = {}
    for number in wanted:
        directory = train_dir / f"fold_{number}"
        directory.mkdir(parents=True, exist_ok=True)
        fold = Fold(folds, number, order)
        for name, rows in zip(("train", "val"), fold.split(len(pairs)), strict=True):
            write_list(directory / f"{name}_lst.txt", [pairs[row] for row in rows], overwrite=True)
        records = directory / "records" / "train"
        training_list = ListSource(source.data_root, directory / "train_lst.txt", source.classes)
        to_mindrecord(training_list, records, num_shards=1, overwrite=True, progress=progress)
        going_on = resume and (directory / "last.ckpt").exists()
        train(config, records, directory, resume=going_on, overwrite=overwrite, observe=observe)
        val = SampleList(source.data_root, directory / "val_lst.txt")
        reports[number] = evaluate_semantic(
            directory / "last.ckpt",
            val,
            scales=scales,
            flip=flip,
            turn=turn,
            membrane=membrane,
            device_target=config.device_target,
            progress=progress,
        )
    return CrossValidationReport(
        train_dir=str(train_dir), split=f"{folds} folds, {order}", folds=reports, scores=_spreads([*reports.values()])
    )


def _spreads(reports: Sequence[EvalReport]) -> dict[str, Spread]:
    found = [_numbers(report) for report in reports]
    return {
        name: Spread(mean(values), stdev(values) if len(values) > 1 else None)
        for name in found[0]
        if (values := [numbers[name] for numbers in found if name in numbers])
    }


def _numbers(report: EvalReport) -> dict[str, float]:
    membranes = asdict(report.scores.membranes) if report.scores.membranes else {}
    named = {f"membrane_{name}": value for name, value in membranes.items() if value is not None}
    return {**report.scores.metrics, **named}
