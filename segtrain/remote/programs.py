"""The three programs on object-store URLs: inputs are downloaded first, outputs are uploaded afterward.

Every path may also be a URL; nothing else differs. Each function has the parameters of the one it calls, plus those for
downloading and uploading. Local copies are kept in the working directory (`segdata.store.transfer`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segdata.errors import InvalidInputError, name_first
from segdata.images.header import IMAGE_SUFFIXES
from segdata.parallel import Progress, silent
from segdata.records.fetch import local_set
from segdata.store.transfer import called_by_url, fetched, object_size, objects
from segdata.store.url import Location, Url, default_work_dir, local_place, parse_location
from segtrain.config.config import Config
from segtrain.remote.outputs import results_directory, training_directory
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
    work_dir: Path | None = None,
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
        progress: reports the progress of downloads and uploads.

    Raises:
        SegDataError: see `segtrain.fit`; also when the store cannot be reached or denies access. The results then stay
            in the working directory.
        TrainingInterrupted: see `segtrain.fit`; raised after the upload.
    """
    from segtrain.training import fit as training

    bring_in = partial(local_set, work_dir=work_dir, progress=progress)
    with training_directory(
        train_dir, resume=resume, overwrite=overwrite, work_dir=work_dir, progress=progress
    ) as directory:
        if config.ckpt_pre_trained:
            start = local_checkpoint(parse_location(config.ckpt_pre_trained), work_dir=work_dir, progress=progress)
            config = replace(config, ckpt_pre_trained=str(start))
        report = training.train(
            config,
            bring_in(data_file),
            directory,
            eval_data_file=bring_in(eval_data_file) if eval_data_file else None,
            resume=resume,
            overwrite=overwrite,
            observe=observe,
        )
    return replace(report, train_dir=str(train_dir))


def evaluate(
    ckpt_path: Location,
    data: Location | SampleList,
    *,
    work_dir: Path | None = None,
    progress: Progress = silent,
    **options: Any,
) -> EvalReport | InstanceEvalReport:
    """Evaluate a checkpoint according to its task; see the two `segtrain.evaluation.*.evaluate.evaluate` functions.

    Raises:
        InvalidInputError: see those functions.
        OptionError: when an option is for networks of the other task.
        SegDataError: when the store cannot be reached or denies access.
    """
    checkpoint = local_checkpoint(ckpt_path, work_dir=work_dir, progress=progress)
    task = _task(checkpoint, "evaluate", options)
    here = local_set(data, work_dir=work_dir, progress=progress) if isinstance(data, (Path, Url)) else data
    report: EvalReport | InstanceEvalReport = task.evaluate(checkpoint, here, progress=progress, **options)
    return replace(report, checkpoint=str(ckpt_path), data=report.data if here is data else str(data))


def predict(
    images: Location,
    ckpt_path: Location,
    out: Location,
    *,
    overwrite: bool = False,
    work_dir: Path | None = None,
    progress: Progress = silent,
    **options: Any,
) -> PredictReport | InstancePredictReport:
    """Segment images according to the checkpoint's task; see the two `segtrain.inference.*.predict.predict` functions.

    A store has no rename: while results are uploaded, readers find only some of them below the URL of `out`.

    Raises:
        InvalidInputError, TargetExistsError: see those functions.
        SegDataError: when the store cannot be reached or denies access. The results then stay in the working directory.
    """
    with results_directory(out, overwrite=overwrite, work_dir=work_dir, progress=progress) as target:
        checkpoint = local_checkpoint(ckpt_path, work_dir=work_dir, progress=progress)
        task = _task(checkpoint, "predict", options)
        with _local_images(images, work_dir, progress) as path:
            report: PredictReport | InstancePredictReport = task.predict(
                path, checkpoint, target, overwrite=overwrite or target != out, progress=progress, **options
            )
    faults = tuple(fault.replace(str(path), str(images)) for fault in report.faults)
    return replace(report, directory=str(out), faults=faults)


def _task(checkpoint: Path, function: str, options: Iterable[str]) -> Task:
    from segtrain.checkpoints.checkpoint import read_info

    config = read_info(checkpoint).config
    task = task_of(config)
    check_options(config, getattr(task, function), options)
    return task


def local_checkpoint(location: Location, *, work_dir: Path | None = None, progress: Progress = silent) -> Path:
    """Return the path of a checkpoint; one in a store is downloaded, with its side file if it has one.

    As in the labs, a URL may also be the prefix of a single checkpoint.

    Raises:
        InvalidInputError: when there is no checkpoint, or there are several.
        SegDataError: when the store cannot be reached or denies access.
    """
    if isinstance(location, Path):
        return location
    url = location if object_size(location) is not None else _only_checkpoint(location)
    target = local_place(url, work_dir)
    side = target.with_suffix(".json").name
    sizes = {name: size for name in (side, url.name) if (size := object_size(url.parent / name)) is not None}
    with fetched(url.parent, sizes, work_dir or default_work_dir(), progress=progress) as copies:
        target.parent.mkdir(parents=True, exist_ok=True)
        if side not in sizes:
            target.with_name(side).unlink(missing_ok=True)
        for name in sizes:
            (copies / name).replace(target.with_name(name))
    return target


def _only_checkpoint(url: Url) -> Url:
    found = sorted(name for name, _ in objects(url) if name.endswith(".ckpt") and "/" not in name)
    if not found:
        raise InvalidInputError(f"{url}: no such checkpoint")
    if len(found) > 1:
        raise InvalidInputError(
            f"{url}: contains {len(found)} checkpoints; expected one. Name one of them:\n{name_first(found)}"
        )
    return url / found[0]


@contextmanager
def _local_images(images: Location, work_dir: Path | None, progress: Progress) -> Iterator[Path]:
    """Yield the path of an image or a directory of images; downloaded copies are removed after the block."""
    if isinstance(images, Path):
        yield images
        return
    size = object_size(images)
    base = images if size is None else images.parent
    sizes = _image_sizes(images) if size is None else {images.name: size}
    with fetched(base, sizes, work_dir or default_work_dir(), progress=progress) as copy, called_by_url(base, copy):
        yield copy if size is None else copy / images.name


def _image_sizes(url: Url) -> dict[str, int]:
    found = {name: size for name, size in objects(url) if "/" not in name and not name.startswith(".")}
    sizes = {name: size for name, size in found.items() if name.lower().endswith(IMAGE_SUFFIXES)}
    if not sizes:
        raise InvalidInputError(f"{url}: contains no images; expected {', '.join(IMAGE_SUFFIXES)}")
    return sizes
