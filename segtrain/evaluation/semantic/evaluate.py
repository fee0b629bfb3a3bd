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
from segdata.records.reader import open_set
from segdata.text import plural
from segtrain.checkpoints.checkpoint import CheckpointInfo, check_expected
from segtrain.config.config import DeviceTarget
from segtrain.config.unet import UNet
from segtrain.data.arrays import Label, Pixels
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
from segtrain.evaluation.semantic.membranes import MeanScore, MembraneScores, SoftDice
from segtrain.inference.semantic.segmenter import Segmenter, load_segmenter
from segtrain.inference.semantic.strips import class_map
from segtrain.inference.settings import AS_IN_TRAINING, EvalSettings


@dataclass(frozen=True, kw_only=True)
class EvalReport:
    """Result of `evaluate_semantic`.

    Attributes:
        checkpoint: the checkpoint, after `epoch` epochs and `step` steps.
        loaded: number of parameters loaded from the checkpoint, always all of them.
        model: the network's published name.
        data: data set that it was evaluated on.
        settings: settings of the evaluation, with the defaults that applied.
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
    settings: EvalSettings = AS_IN_TRAINING,
    *,
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
        settings: input size, scales, test-time augmentation, way of fitting.
        membrane: class that separates cells, to score how well they are separated; None skips this score.
        device_target: device to run the network on.
        expected: settings that the checkpoint must have been trained with.
        progress: reports the number of finished samples.

    Raises:
        InvalidInputError: when checkpoint and data do not match, or naming the first invalid sample.
        OptionError: when a setting has no effect on this network, or is out of range for it.
    """
    segmenter, info, loaded = load_segmenter(ckpt_path, settings, device_target)
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
        model=config.model.name,
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
    dice, with_dice = MeanScore(), isinstance(segmenter.config.model, UNet)
    decode = partial(decode_sample, num_classes=len(names), ignore_label=ignore_label)
    decoded = ordered_map(decode, samples, workers=worker_count(segmenter.config))
    counted = 0
    with (progress if ranks.is_main else silent)(total=len(ranks.share(rows)), label="evaluate") as advance:
        for batch in in_batches(decoded, segmenter.together):
            found = segmenter.strips([image for image, _ in batch])
            for (_, label), strips in zip(batch, found, strict=True):
                agreement = SoftDice()
                prediction = class_map(_counted(strips, label, agreement) if with_dice else strips)
                matrix.update(label, prediction)
                if with_dice:
                    dice.update(agreement.score())
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


def _counted(strips: Iterable[Pixels], label: Label, agreement: SoftDice) -> Iterator[Pixels]:
    """Yield the strips of an image and add each to `agreement`."""
    top = 0
    for strip in strips:
        agreement.update(strip, label[top : top + strip.shape[1]])
        top += strip.shape[1]
        yield strip


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
