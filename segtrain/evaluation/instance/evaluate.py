"""Evaluation of instance segmentation: a network against all images of a record set, scored as COCO does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError, OptionError
from segdata.files import check_target_file
from segdata.parallel import Progress, silent
from segdata.records.manifest import RecordSet, open_set
from segtrain.checkpoints.checkpoint import check_expected
from segtrain.config.config import Config, DeviceTarget
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.data.classes import check_classes
from segtrain.data.instance.batches import EvalSample, check_instance_set, eval_samples
from segtrain.data.rows import in_batches
from segtrain.data.semantic.crops import SampleList
from segtrain.distributed.ranks import ALONE, Ranks, current
from segtrain.evaluation.instance.coco import InstanceReport, ground_truth, read_ground_truth, score_results
from segtrain.inference.instance.detections import RawDetections, Result, locate, result_entries, write_results
from segtrain.inference.instance.detector import load_detector, settings_of


@dataclass(frozen=True, kw_only=True)
class InstanceEvalReport:
    """What `evaluate_instances` found.

    Attributes:
        checkpoint: the checkpoint, after `epoch` epochs and `step` steps.
        loaded: parameters that the network got from it: all it has.
        model: the network's name.
        data: what it was evaluated on.
        image_size: height and width of the network's input in pixels.
        rows: evaluated images, each once.
        images_per_s: throughput, compiling included.
        results: the COCO result file that was written, if any.
        scores: average precision of boxes and masks.
    """

    task: Literal["instance"] = "instance"
    checkpoint: str
    epoch: int
    step: int
    loaded: int
    model: str
    data: str
    image_size: tuple[int, int]
    rows: int
    images_per_s: float
    results: str | None
    scores: InstanceReport


#: Images float32 ``(N, 3, H, W)`` and the sizes of their contents, float32 ``(N, 2)``, to what a network detects.
Detect = Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], RawDetections]


def evaluate_instances(
    ckpt_path: Path,
    data: Path | SampleList,
    *,
    batch_size: int | None = None,
    device_target: DeviceTarget = "CPU",
    annotations: Path | None = None,
    results: Path | None = None,
    overwrite: bool = False,
    expected: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> InstanceEvalReport:
    """Evaluate a checkpoint on every image of a record set; see `score_detector`.

    Args:
        ckpt_path: the checkpoint, its side file beside it.
        data: the record set, by any of its names.
        batch_size: images in a batch; None: the training's. It does not change the result.
        device_target: where the network runs.
        annotations: a COCO JSON to take the ground truth from; None: the record set's own.
        results: a COCO result file to be written, too.
        overwrite: replace an earlier `results`.
        expected: settings the checkpoint must have been trained with.
        progress: shows how many images are done.

    Raises:
        OptionError: when `data` is a list file.
        InvalidInputError: when checkpoint and data do not fit together, or naming the first image that is faulty.
        TargetExistsError: when `results` is taken.
    """
    if isinstance(data, SampleList):
        raise OptionError(f"{data.data_lst}: a list file has no instances; {ckpt_path} is evaluated on a record set")
    detector, info, loaded = load_detector(ckpt_path, device_target)
    check_expected(ckpt_path, info.config, expected or {})
    records = open_set(data)
    check_instance_set(records.manifest)
    check_classes(info.class_names, records.manifest)
    settings = settings_of(info.config)
    started = time.perf_counter()
    scores = score_detector(
        detector,
        records,
        info.config,
        settings,
        batch_size=batch_size,
        annotations=annotations,
        results=results,
        overwrite=overwrite,
        ranks=current(),
        progress=progress,
    )
    return InstanceEvalReport(
        checkpoint=str(ckpt_path),
        epoch=info.epoch,
        step=info.step,
        loaded=len(loaded.loaded),
        model=info.config.model,
        data=str(data),
        image_size=(settings.image_height, settings.image_width),
        rows=records.manifest.rows,
        images_per_s=records.manifest.rows / (time.perf_counter() - started),
        results=str(results) if results else None,
        scores=scores,
    )


def score_detector(
    detect: Detect,
    records: RecordSet,
    config: Config,
    settings: MaskRcnn,
    *,
    batch_size: int | None = None,
    annotations: Path | None = None,
    results: Path | None = None,
    overwrite: bool = False,
    ranks: Ranks = ALONE,
    progress: Progress = silent,
) -> InstanceReport:
    """Evaluate a network on every image of a record set.

    Where several processes do so together, each has its share of the images, and all return the same scores. Beside a
    batch of images, memory holds the detections of the whole set, masks as run lengths.

    Args:
        detect: the network, for batches of `batch_size` images.
        records: the record set.
        config: mean and deviation of the colors, and the number of workers.
        settings: the size of the network's input.
        batch_size: images in a batch; None: the training's. It does not change the result.
        annotations: a COCO JSON to take the ground truth from; None: the record set's own.
        results: a COCO result file to be written, too.
        overwrite: replace an earlier `results`.
        ranks: which of the processes this one is; only rank 0 shows progress and writes.
        progress: shows how many images are done.

    Raises:
        InvalidInputError: naming the first image that is faulty; when the detections are no numbers; or when
            `annotations` are not those of the set.
        TargetExistsError: when `results` is taken.
    """
    if results:
        check_target_file(results, overwrite=overwrite)
    truth = read_ground_truth(annotations, records) if annotations else ground_truth(records)
    size = batch_size or config.batch_size
    entries = detect_all(detect, records, config, settings, batch_size=size, ranks=ranks, progress=progress)
    if results and ranks.is_main:
        write_results(results, entries, overwrite=overwrite)
    return score_results(truth, entries)


def detect_all(
    detect: Detect,
    records: RecordSet,
    config: Config,
    settings: MaskRcnn,
    *,
    batch_size: int,
    ranks: Ranks = ALONE,
    progress: Progress = silent,
) -> list[Result]:
    """Return what a network detects in every image of a record set, by image, the same on each rank.

    See `score_detector`.
    """
    entries: list[Result] = []
    seen = 0
    total = len(ranks.share(records.manifest.rows))
    with (progress if ranks.is_main else silent)(total=total, label="evaluate") as advance:
        for batch in in_batches(eval_samples(records, config, settings, ranks), batch_size):
            found = locate(
                detect(*_stack(batch, batch_size)),
                [sample.content for sample in batch],
                [(sample.image.shape[0], sample.image.shape[1]) for sample in batch],
            )
            for sample, instances in zip(batch, found, strict=True):
                entries += result_entries(sample.image_id, instances, records.manifest.classes)
            seen += len(batch)
            advance(len(batch))
    seen = int(ranks.sum(np.array([seen]))[0])
    if seen != records.manifest.rows:
        raise InvalidInputError(
            f"{seen} images were read, {records.manifest.rows} were expected; is the record set whole?"
        )
    return _gather(entries, ranks)


def _stack(batch: list[EvalSample], size: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the network's input, whose shape is static: places that are left have an image of the mean color."""
    images = np.zeros((size, *batch[0].planes.shape), np.float32)
    sizes = np.tile(np.array(images.shape[2:], np.float32), (size, 1))
    for index, sample in enumerate(batch):
        images[index], sizes[index] = sample.planes, sample.content
    return images, sizes


def _gather(entries: list[Result], ranks: Ranks) -> list[Result]:
    """Return the entries of all ranks, by image, the same on each rank and whatever their number."""
    if ranks.size > 1:
        # A sum is all that ranks have: each one's bytes have a place where the others add 0.
        own = np.frombuffer(msgspec.json.encode(entries), np.uint8)
        lengths = np.zeros(ranks.size, np.int64)
        lengths[ranks.rank] = len(own)
        ends = np.cumsum(ranks.sum(lengths)).tolist()
        starts = [0, *ends[:-1]]
        joined = np.zeros(-(-ends[-1] // 8) * 8, np.uint8)
        joined[starts[ranks.rank] : ends[ranks.rank]] = own
        joined = ranks.sum(joined.view(np.int64)).view(np.uint8)
        parts = (joined[start:end].tobytes() for start, end in zip(starts, ends, strict=True))
        entries = [entry for part in parts for entry in msgspec.json.decode(part, type=list[Result])]
    return sorted(entries, key=lambda entry: entry["image_id"])
