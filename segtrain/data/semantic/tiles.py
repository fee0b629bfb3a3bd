"""Semantic record sets for U-Net: training batches of augmented tiles."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.parallel import ordered_map
from segdata.records.reader import RecordSet
from segtrain.config.config import Config
from segtrain.config.unet import UNet, output_size
from segtrain.data.rows import epoch_draws, in_batches, worker_count
from segtrain.data.semantic.border_weights import border_weights
from segtrain.data.semantic.crops import EncodedSample, decode_sample, encoded_samples
from segtrain.data.semantic.tile_transforms import augment_tile, with_channels
from segtrain.distributed.ranks import ALONE, Ranks

#: A row of the record set, and the seed of its randomness.
_Task = tuple[EncodedSample, tuple[int, ...]]


def tile_batches(
    records: RecordSet,
    config: Config,
    settings: UNet,
    *,
    epoch: int,
    first_step: int = 0,
    ranks: Ranks = ALONE,
) -> Iterator[tuple[Any, ...]]:
    """Yield this rank's batches of epoch `epoch`, starting at step `first_step`; both count from 0.

    A tile depends only on seed, epoch, row and, if an epoch repeats rows, the number of the repetition. Memory holds
    the tiles of a few batches, regardless of the size of the record set and the number of repetitions.

    Yields:
        images float32 ``(N, channels, input, input)`` and labels int32 ``(N, output, output)``, as MindSpore tensors;
        with a border weight also the weights of the pixels, float32 in the shape of the labels.

    Raises:
        InvalidInputError: when a row cannot be used. The message names the first such row.
    """
    from mindspore import Tensor

    rows, size = records.manifest.rows, config.batch_size
    draws = epoch_draws(rows, config, epoch=epoch, first_step=first_step, ranks=ranks)
    seeds = [(config.seed, epoch * settings.repeat + draw // rows, draw % rows) for draw in draws]
    samples = encoded_samples(records, [draw % rows for draw in draws])
    classes = records.manifest.num_classes
    make = partial(_tile, config=config, settings=settings, classes=classes)
    workers = worker_count(config)
    tiles = ordered_map(make, zip(samples, seeds, strict=True), workers=workers, chunk=-(-size // (2 * workers)))
    for batch in in_batches(tiles, size):
        yield tuple(Tensor.from_numpy(np.stack(column)) for column in zip(*batch, strict=True))


def _tile(task: _Task, *, config: Config, settings: UNet, classes: int) -> tuple[npt.NDArray[Any], ...]:
    sample, seed = task
    assert settings.ignore_label is not None
    image, label = decode_sample(sample, num_classes=classes, ignore_label=settings.ignore_label)
    pixels, labels = augment_tile(
        with_channels(image, settings.channels),
        label,
        np.random.default_rng(seed),
        input_size=settings.crop_size,
        output_size=output_size(settings.crop_size, settings.halvings, same_padding=settings.same_padding),
        settings=settings,
        mean=config.image_mean[: settings.channels],
        std=config.image_std[: settings.channels],
        ignore_label=settings.ignore_label,
    )
    if not settings.border_weight:
        return pixels, labels
    # Unlabeled pixels do not belong to a cell.
    background = (labels == settings.background) | (labels == settings.ignore_label)
    return pixels, labels, border_weights(background, w0=settings.border_weight, sigma=settings.border_sigma)
