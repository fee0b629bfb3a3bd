"""Scores of a semantic network over samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from segdata.errors import InvalidInputError
from segdata.parallel import Progress, ordered_map, silent
from segdata.text import plural
from segtrain.config.unet import UNet
from segtrain.data.arrays import Label, Pixels, RgbImage
from segtrain.data.rows import in_batches, worker_count
from segtrain.data.semantic.crops import EncodedSample, decode_sample
from segtrain.distributed.ranks import ALONE, Ranks
from segtrain.evaluation.semantic.confusion import ConfusionMatrix, SegmentationReport
from segtrain.evaluation.semantic.images import ImageScores
from segtrain.evaluation.semantic.log_loss import LogLoss
from segtrain.evaluation.semantic.membranes import MeanScore, MembraneScores, SoftDice
from segtrain.inference.semantic.segmenter import Segmenter
from segtrain.inference.semantic.strips import class_map


def score_samples(
    segmenter: Segmenter,
    samples: Iterable[EncodedSample],
    *,
    rows: int,
    ignore_label: int,
    names: tuple[str, ...],
    membrane: int | None = None,
    images: ImageScores | None = None,
    ranks: Ranks = ALONE,
    progress: Progress = silent,
) -> SegmentationReport:
    """Return the scores of `segmenter` over all `rows` samples; memory use does not grow with their number.

    `samples` are this rank's share of them. The counts of all ranks are added exactly; only rank 0 reports progress.
    The scores of a U-Net include the soft dice of its publications. If the class id of a `membrane` is given, those of
    any network include the cell scores of `segtrain.evaluation.semantic.membranes`. The samples are added to `images`,
    if given: a few numbers for each.

    Raises:
        InvalidInputError: naming the first invalid sample, or when the number of samples is not `rows`.
    """
    matrix = ConfusionMatrix(len(names), ignore_label)
    membranes = None if membrane is None else MembraneScores(membrane, ignore_label)
    dice, losses, with_dice = MeanScore(), MeanScore(), isinstance(segmenter.config.model, UNet)
    decode = partial(_decode, num_classes=len(names), ignore_label=ignore_label)
    decoded = ordered_map(decode, samples, workers=worker_count(segmenter.config))
    counted = 0
    with (progress if ranks.is_main else silent)(total=len(ranks.share(rows)), label="evaluate") as advance:
        for batch in in_batches(decoded, segmenter.together):
            found = segmenter.strips([image for _, image, _ in batch])
            for (name, image, label), strips in zip(batch, found, strict=True):
                agreement, loss = SoftDice(), LogLoss(ignore_label)
                prediction = class_map(_counted(strips, label, [loss, agreement] if with_dice else [loss]))
                matrix.update(label, prediction)
                if images:
                    images.add(name, image, label, prediction)
                if with_dice:
                    dice.update(agreement.score())
                if (mean := loss.mean()) is not None:
                    losses.update(mean)
                if membranes:
                    membranes.update(label, prediction)
            counted += len(batch)
            advance(len(batch))
    matrix.counts, counted = ranks.sum(matrix.counts), int(ranks.sum(np.array([counted]))[0])
    if counted != rows:
        raise InvalidInputError(
            f"read {plural(counted, 'sample')}; expected {rows}. Check the record set with segdata verify."
        )
    dice.sums, losses.sums = ranks.sum(dice.sums), ranks.sum(losses.sums)
    if membranes:
        membranes.add_up(ranks.sum)
    return replace(
        matrix.report(names),
        soft_dice=dice.mean(),
        membranes=membranes.report() if membranes else None,
        loss=losses.mean(),
    )


def _decode(sample: EncodedSample, *, num_classes: int, ignore_label: int) -> tuple[str, RgbImage, Label]:
    """Return the name of a sample, its image and its label; see `decode_sample`."""
    return sample.name, *decode_sample(sample, num_classes=num_classes, ignore_label=ignore_label)


def _counted(strips: Iterable[Pixels], label: Label, scores: Sequence[SoftDice | LogLoss]) -> Iterator[Pixels]:
    """Yield the strips of an image and add each to `scores`."""
    top = 0
    for strip in strips:
        for score in scores:
            score.update(strip, label[top : top + strip.shape[1]])
        top += strip.shape[1]
        yield strip
