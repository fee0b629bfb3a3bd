"""The three programs on object-store URLs: inputs are downloaded first, outputs are uploaded afterward.

Every path may also be a URL; nothing else differs. Each function has the parameters of the one it calls, plus those for
downloading and uploading. Local copies are kept in the working directory (`segdata.store.transfer`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segdata.arguments import FilePath, check_opened, local_path
from segdata.errors import OptionError
from segdata.files.paths import real
from segdata.images.header import READ_SUFFIXES
from segdata.parallel import Progress, silent
from segdata.records.fetch import local_set
from segdata.records.manifest import MANIFEST
from segdata.store.access import reading, writing
from segdata.store.product import RESULTS
from segdata.store.transfer import objects
from segdata.store.url import Location, Url, parse_location
from segtrain.checkpoints.reading import find_checkpoint, reading_checkpoint
from segtrain.config.config import Config
from segtrain.config.recipes import MAKERS
from segtrain.distributed.ranks import check_alone
from segtrain.inference.settings import AS_IN_TRAINING, EvalSettings
from segtrain.remote.outputs import training_directory
from segtrain.tasks import check_options, task_of
from segtrain.tasks.task import Task
from segtrain.training.events import Event, ignore

if TYPE_CHECKING:
    from segtrain.data.semantic.crops import SampleList
    from segtrain.evaluation.instance.evaluate import InstanceEvalReport
    from segtrain.evaluation.semantic.evaluate import EvalReport
    from segtrain.inference.instance.predict import InstancePredictReport
    from segtrain.inference.semantic.predict import PredictReport
    from segtrain.training.fit import FitReport


def fit(
    config: Config,
    data_file: Location,
    train_dir: Location,
    *,
    eval_data_file: Location | None = None,
    resume: bool = False,
    overwrite: bool = False,
    observe: Callable[[Event], None] = ignore,
    work_dir: FilePath | None = None,
    progress: Progress = silent,
) -> FitReport:
    """Train with `segtrain.fit`; upload the results at the end, also after a failure or an interruption.

    Args:
        config: the settings; `ckpt_pre_trained` may be a URL.
        data_file: the training set; one in a store is downloaded only once.
        train_dir: the directory for configuration, metrics and checkpoints.
        eval_data_file: a record set to evaluate on after each epoch.
        resume: continue the training run in `train_dir` where it stopped.
        overwrite: replace the training run in `train_dir`.
        observe: called with each event, such as a step or an evaluation, as it happens.
        work_dir: directory for local copies.
        progress: reports the progress of downloads and uploads, and of trials if memory is short.

    Raises:
        SegDataError: see `segtrain.fit`; also when the store cannot be reached or denies access. The results then stay
            in the working directory.
        TrainingInterrupted: see `segtrain.fit`; raised after the upload.
    """
    from segtrain.training import fit as training

    check_opened("config", config, MAKERS)
    work_dir, place = local_path(work_dir), parse_location(train_dir)
    copying: dict[str, Any] = {"work_dir": work_dir, "progress": progress}
    start = None if resume else config.ckpt_pre_trained
    with (
        training_directory(place, resume=resume, overwrite=overwrite, **copying) as directory,
        reading_checkpoint(start, **copying) if start else nullcontext() as pretrained,
    ):
        report = training.train(
            config,
            local_set(data_file, **copying),
            directory,
            eval_data_file=local_set(eval_data_file, **copying) if eval_data_file else None,
            pretrained=pretrained,
            resume=resume,
            overwrite=overwrite,
            observe=observe,
            progress=progress,
        )
    return replace(report, path=str(place))


def evaluate(
    ckpt_path: Location,
    data: Location | SampleList,
    settings: EvalSettings = AS_IN_TRAINING,
    *,
    work_dir: FilePath | None = None,
    progress: Progress = silent,
    **options: Any,
) -> EvalReport | InstanceEvalReport:
    """Evaluate a checkpoint according to its task; see the two `segtrain.evaluation.*.evaluate.evaluate` functions.

    Raises:
        InvalidInputError: see those functions.
        OptionError: when an option is for networks of the other task.
        SegDataError: when the store cannot be reached or denies access.
    """
    work_dir, ckpt_path = local_path(work_dir), find_checkpoint(ckpt_path)
    if isinstance(data, str | os.PathLike):
        data = parse_location(data)
    with reading_checkpoint(ckpt_path, work_dir=work_dir, progress=progress) as checkpoint:
        task = _task(checkpoint, "evaluate", options)
        here = local_set(data, work_dir=work_dir, progress=progress) if isinstance(data, Path | Url) else data
        report: EvalReport | InstanceEvalReport = task.evaluate(
            checkpoint, here, settings, progress=progress, **options
        )
    return replace(report, path=str(ckpt_path), data=report.data if here is data else str(data))


def predict(
    images: Location,
    ckpt_path: Location,
    out: Location,
    settings: EvalSettings = AS_IN_TRAINING,
    *,
    overwrite: bool = False,
    work_dir: FilePath | None = None,
    progress: Progress = silent,
    **options: Any,
) -> PredictReport | InstancePredictReport:
    """Segment images according to the checkpoint's task; see the two `segtrain.inference.*.predict.predict` functions.

    A store has no rename: while results are uploaded, readers find only some of them below the URL of `out`.

    Raises:
        InvalidInputError, TargetExistsError: see those functions.
        OptionError: when it was started in several processes, or `recursive` would find results of `out` later.
        SegDataError: when the store cannot be reached or denies access. The results then stay in the working directory.
    """
    work_dir = local_path(work_dir)
    check_alone("predict")
    place, images = parse_location(out), parse_location(images)
    if options.get("recursive"):
        _check_outside(place, images)
    copying: dict[str, Any] = {"work_dir": work_dir, "progress": progress}
    with (
        writing(place, RESULTS, overwrite=overwrite, **copying) as target,
        reading_checkpoint(ckpt_path, **copying) as checkpoint,
        _reading_images(images, recursive=bool(options.get("recursive")), **copying) as path,
    ):
        task = _task(checkpoint, "predict", options)
        # What a failed upload left in the working directory is replaced.
        report: PredictReport | InstancePredictReport = task.predict(
            path, checkpoint, target, settings, overwrite=overwrite or target != place, progress=progress, **options
        )
    return replace(report, path=str(place))


def _task(checkpoint: Path, function: str, options: Iterable[str]) -> Task:
    from segtrain.checkpoints.info import read_info

    config = read_info(checkpoint).config
    task = task_of(config)
    check_options(config, getattr(task, function), options)
    return task


@contextmanager
def _reading_images(location: Location, *, recursive: bool, **copying: Any) -> Iterator[Path]:
    """Yield a local path of images; those in a store are copied for the block, a record set is kept for later ones."""
    place = parse_location(location)
    if isinstance(place, Url) and _names_set(place):
        yield local_set(place, **copying)
        return
    with reading(place, partial(_is_image, recursive=recursive), **copying) as path:
        yield path


def _check_outside(out: Path | Url, images: Path | Url) -> None:
    """Refuse results in a folder whose subfolders are searched: the next run would take them for images."""
    if isinstance(out, Path) and isinstance(images, Path):
        inside = real(out).is_relative_to(real(images))
    else:
        inside = str(out).startswith(f"{images}/")
    if inside:
        raise OptionError(
            f"{out}: is in {images}, where --recursive would find its results as images in the next run; expected a "
            "directory outside. Choose another --out."
        )


def _names_set(url: Url) -> bool:
    """Return whether `url` names a record set, as `segtrain.data.images.image_paths` decides for a path."""
    if url.name == MANIFEST or ".mindrecord" in url.name:
        return True
    return any(".mindrecord" in name for name, _ in objects(url) if "/" not in name)


def _is_image(name: str, *, recursive: bool) -> bool:
    hidden = any(part.startswith(".") for part in name.split("/"))
    return (recursive or "/" not in name) and not hidden and name.lower().endswith(READ_SUFFIXES)
