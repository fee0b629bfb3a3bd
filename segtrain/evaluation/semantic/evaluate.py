"""Evaluation: a network against all samples of a set, in one confusion matrix."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from segdata.errors import InvalidInputError
from segdata.lists import read_list
from segdata.parallel import Progress, ordered_map, silent
from segdata.records.manifest import open_set
from segtrain.checkpoints.checkpoint import CheckpointInfo, check_expected
from segtrain.config.config import DeviceTarget
from segtrain.data.classes import check_classes, class_id
from segtrain.data.rows import in_batches, worker_count
from segtrain.data.semantic.crops import (
    EncodedSample,
    SampleList,
    decode_sample,
    ignore_label_of,
    list_samples,
    record_samples,
)
from segtrain.distributed.ranks import ALONE, Ranks, current
from segtrain.evaluation.semantic.confusion import ConfusionMatrix, SegmentationReport
from segtrain.evaluation.semantic.membranes import MeanScore, MembraneScores, soft_dice
from segtrain.inference.semantic.segmenter import EvalSettings, Segmenter, likeliest, load_segmenter


@dataclass(frozen=True, kw_only=True)
class EvalReport:
    """What `evaluate_semantic` found.

    Attributes:
        checkpoint: the checkpoint, after `epoch` epochs and `step` steps.
        loaded: parameters that the network got from it: all it has.
        model: the network's published name.
        data: what it was evaluated on.
        settings: input size, scales, flip.
        rows: evaluated samples, each once.
        images_per_s: throughput, compiling included.
        scores: IoU by class, mean IoU, pixel accuracy.
    """

    task: Literal["semantic"] = "semantic"
    checkpoint: str
    epoch: int
    step: int
    loaded: int
    model: str
    data: str
    settings: EvalSettings
    rows: int
    images_per_s: float
    scores: SegmentationReport


def evaluate_semantic(
    ckpt_path: Path,
    data: Path | SampleList,
    *,
    scales: tuple[float, ...] = (1.0,),
    flip: bool = False,
    turn: bool = False,
    crop_size: int | None = None,
    batch_size: int | None = None,
    membrane: str | None = None,
    device_target: DeviceTarget = "CPU",
    expected: dict[str, object] | None = None,
    progress: Progress = silent,
) -> EvalReport:
    """Evaluate a checkpoint on every row of a record set, or on every sample of a list file.

    Where several processes do so together, each has its share of the samples, and all return the same scores.

    Args:
        ckpt_path: the checkpoint, its side file beside it.
        data: the record set, by any of its names, or a list file.
        scales: input sizes as factors of `crop_size`.
        flip: also take the mirrored images.
        turn: also take the images turned by quarters.
        crop_size: input size at scale 1; None: the training's.
        batch_size: images in a batch; None: the training's. It does not change the result.
        membrane: the class that divides cells, to score how well they are told apart; None: it is not scored.
        device_target: where the network runs.
        expected: settings the checkpoint must have been trained with.
        progress: shows how many samples are done.

    Raises:
        InvalidInputError: when checkpoint and data do not fit together, or naming the first sample that is faulty.
    """
    segmenter, info, loaded = load_segmenter(
        ckpt_path,
        scales=scales,
        flip=flip,
        turn=turn,
        crop_size=crop_size,
        batch_size=batch_size,
        device_target=device_target,
    )
    config = info.config
    check_expected(ckpt_path, config, expected or {})
    ranks = current()
    ignore_label, rows, samples = _open(data, info, ranks)
    started = time.perf_counter()
    scores = score_samples(
        segmenter,
        samples,
        rows=rows,
        ignore_label=ignore_label,
        names=info.class_names,
        membrane=None if membrane is None else class_id(membrane, info.class_names),
        ranks=ranks,
        progress=progress,
    )
    return EvalReport(
        checkpoint=str(ckpt_path),
        epoch=info.epoch,
        step=info.step,
        loaded=len(loaded.loaded),
        model=config.model,
        data=str(data.data_lst if isinstance(data, SampleList) else data),
        settings=segmenter.settings,
        rows=rows,
        images_per_s=rows / (time.perf_counter() - started),
        scores=scores,
    )


def score_samples(
    segmenter: Segmenter,
    samples: Iterable[EncodedSample],
    *,
    rows: int,
    ignore_label: int,
    names: tuple[str, ...],
    membrane: int | None = None,
    ranks: Ranks = ALONE,
    progress: Progress = silent,
) -> SegmentationReport:
    """Return the scores of `segmenter` over all samples, `rows` in number; memory does not grow with them.

    `samples` are this rank's share of them. The ranks' counts are added up exactly; only rank 0 shows progress. U-Net
    is given the soft dice of its publications too, and where the class id of a `membrane` is given, any network what
    `segtrain.evaluation.semantic.membranes` says of the cells.

    Raises:
        InvalidInputError: naming the first sample that is faulty; or when their number is another one.
    """
    matrix = ConfusionMatrix(len(names), ignore_label)
    membranes = None if membrane is None else MembraneScores(membrane, ignore_label)
    dice = MeanScore()
    decode = partial(decode_sample, num_classes=len(names), ignore_label=ignore_label)
    decoded = ordered_map(decode, samples, workers=worker_count(segmenter.config))
    counted = 0
    with (progress if ranks.is_main else silent)(total=len(ranks.share(rows)), label="evaluate") as advance:
        for batch in in_batches(decoded, segmenter.batch_size):
            found = segmenter.probabilities([image for image, _ in batch])
            for (_, label), probabilities in zip(batch, found, strict=True):
                prediction = likeliest(probabilities)
                matrix.update(label, prediction)
                if segmenter.config.unet:
                    dice.update(soft_dice(probabilities, label))
                if membranes:
                    membranes.update(label, prediction)
            counted += len(batch)
            advance(len(batch))
    matrix.counts, counted = ranks.sum(matrix.counts), int(ranks.sum(np.array([counted]))[0])
    if counted != rows:
        raise InvalidInputError(f"{counted} samples were read, {rows} were expected; is the record set whole?")
    dice.sums = ranks.sum(dice.sums)
    if membranes:
        membranes.add_up(ranks.sum)
    return replace(matrix.report(names), soft_dice=dice.mean(), membranes=membranes.report() if membranes else None)


def _open(data: Path | SampleList, info: CheckpointInfo, ranks: Ranks) -> tuple[int, int, Iterator[EncodedSample]]:
    """Return ignore label and number of rows of the data, and this rank's samples."""
    if isinstance(data, SampleList):
        assert info.ignore_label is not None
        return info.ignore_label, len(read_list(data.data_lst)), list_samples(data.data_root, data.data_lst, ranks)
    records = open_set(data)
    check_classes(info.class_names, records.manifest)
    return ignore_label_of(records.manifest), records.manifest.rows, record_samples(records, ranks)
