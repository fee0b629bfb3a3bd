"""Evaluation of a semantic network on all samples of a data set, in one confusion matrix."""

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
from segdata.text import plural
from segtrain.checkpoints.checkpoint import CheckpointInfo, check_expected
from segtrain.config.config import DeviceTarget
from segtrain.data.classes import check_classes, check_value_range, class_id
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
    """Result of `evaluate_semantic`.

    Attributes:
        checkpoint: the checkpoint, after `epoch` epochs and `step` steps.
        loaded: number of parameters loaded from the checkpoint, always all of them.
        model: the network's published name.
        data: data set that it was evaluated on.
        settings: input size, scales, flip, turn.
        rows: number of evaluated samples.
        images_per_s: throughput, including compilation.
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

    When several processes evaluate together, each handles its share of the samples, and all return the same scores.

    Args:
        ckpt_path: checkpoint, with its side file next to it.
        data: list file, or record set, given as its directory, its manifest or one of its shards.
        scales: input sizes as factors of `crop_size`.
        flip: test-time augmentation with mirrored images.
        turn: test-time augmentation with images rotated by 90, 180 and 270 degrees.
        crop_size: input size at scale 1; None keeps that used in training.
        batch_size: images per batch; None keeps that used in training. It does not affect the result.
        membrane: class that separates cells, to score how well they are separated; None skips this score.
        device_target: device to run the network on.
        expected: settings that the checkpoint must have been trained with.
        progress: reports the number of finished samples.

    Raises:
        InvalidInputError: when checkpoint and data do not match, or naming the first invalid sample.
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
    """Return the scores of `segmenter` over all `rows` samples; memory use does not grow with their number.

    `samples` are this rank's share of them. The counts of all ranks are added exactly; only rank 0 reports progress.
    The scores of a U-Net include the soft dice of its publications. If the class id of a `membrane` is given, those of
    any network include the cell scores of `segtrain.evaluation.semantic.membranes`.

    Raises:
        InvalidInputError: naming the first invalid sample, or when the number of samples is not `rows`.
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
        raise InvalidInputError(
            f"read {plural(counted, 'sample')}; expected {rows}. Check the record set with segdata verify."
        )
    dice.sums = ranks.sum(dice.sums)
    if membranes:
        membranes.add_up(ranks.sum)
    return replace(matrix.report(names), soft_dice=dice.mean(), membranes=membranes.report() if membranes else None)


def _open(data: Path | SampleList, info: CheckpointInfo, ranks: Ranks) -> tuple[int, int, Iterator[EncodedSample]]:
    """Return the ignore label, the number of rows and this rank's samples."""
    if isinstance(data, SampleList):
        assert info.ignore_label is not None
        return (
            info.ignore_label,
            len(read_list(data.data_lst)),
            list_samples(data.data_root, data.data_lst, ranks, value_range=info.image_range),
        )
    records = open_set(data)
    check_classes(info.class_names, records.manifest)
    check_value_range(info.value_range, records.manifest)
    return ignore_label_of(records.manifest), records.manifest.rows, record_samples(records, ranks)
