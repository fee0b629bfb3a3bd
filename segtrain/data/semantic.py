"""Semantic record sets: training batches with random crops, and whole samples for evaluation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.files import resolve
from segdata.labels.masks import decode_index_png
from segdata.lists import read_list
from segdata.parallel import default_workers, ordered_map
from segdata.records.manifest import Manifest, RecordSet
from segdata.records.reader import read_rows
from segtrain.config import Config
from segtrain.data.transforms import Ids, Pixels, augment, check_label, decode_image
from segtrain.distributed import ALONE, Ranks


@dataclass(frozen=True)
class Sample:
    """One encoded image with its encoded label; `name` is what errors call it."""

    name: str
    image: bytes
    label: bytes


def decode_sample(
    sample: Sample, *, num_classes: int, ignore_label: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return image ``(H, W, 3)`` RGB and label ``(H, W)`` of a sample, both uint8.

    Raises:
        InvalidInputError: naming the sample, when one cannot be decoded, sizes differ or a label value is foreign.
    """
    try:
        image, label = decode_image(sample.image), decode_index_png(sample.label)
        check_label(label, image.shape, num_classes=num_classes, ignore_label=ignore_label)
    except InvalidInputError as error:
        raise InvalidInputError(f"{sample.name}: {error}") from error
    return image, label


def worker_count(config: Config) -> int:
    """Return the number of image workers: MindSpore refuses more than there are processors."""
    return min(config.workers or default_workers(), os.cpu_count() or 1)


def ignore_label_of(manifest: Manifest) -> int:
    """Return the ignore label of a semantic record set.

    Raises:
        InvalidInputError: when the set is for another task.
    """
    if manifest.task != "semantic" or manifest.ignore_label is None:
        raise InvalidInputError(f"record set {manifest.name} is for the {manifest.task} task; expected semantic")
    return manifest.ignore_label


def steps_per_epoch(rows: int, batch_size: int, devices: int = 1) -> int:
    """Return how often `rows` fill a whole batch on each of `devices`.

    Raises:
        InvalidInputError: when they do not once.
    """
    if rows < batch_size * devices:
        each = f" on each of {devices} devices" if devices > 1 else ""
        raise InvalidInputError(f"{rows} rows do not fill one batch of {batch_size}{each}; use a smaller batch_size")
    return rows // (batch_size * devices)


def training_batches(
    records: RecordSet, config: Config, *, epoch: int, first_step: int = 0, ranks: Ranks = ALONE
) -> Iterator[Any]:
    """Yield this rank's batches of one epoch (from 0), from its step `first_step` (from 0) on.

    Order, scale, window and mirroring of a row depend on seed, epoch and row only: not on the number of workers, and
    not on whether the epoch is read from its beginning. In each step the ranks have equal parts, in their order, of
    the batch that one process with as many times the batch size would have. Rows that do not fill such a batch are
    left out, other ones in each epoch.

    Yields:
        float32 ``(N, 3, crop, crop)`` and int32 ``(N, crop, crop)``, as MindSpore tensors.

    Raises:
        InvalidInputError: naming the first row that cannot be used.
    """
    from mindspore import Tensor

    rows = records.manifest.rows
    steps = steps_per_epoch(rows, config.batch_size, ranks.size)
    order = np.random.default_rng([config.seed, epoch]).permutation(rows)[: steps * ranks.size * config.batch_size]
    order = order.reshape(steps, ranks.size, config.batch_size)[first_step:, ranks.rank].ravel()
    fill = partial(_fill, config=config, manifest=records.manifest, epoch=epoch)
    workers = worker_count(config)
    # The map keeps four chunks a worker waiting: two batches.
    chunk = -(-config.batch_size // (2 * workers))
    filled = ordered_map(fill, _places(records, order.tolist(), config), workers=workers, chunk=chunk)
    for last in islice(filled, config.batch_size - 1, None, config.batch_size):
        yield Tensor.from_numpy(last.images), Tensor.from_numpy(last.labels)


def record_samples(records: RecordSet, ranks: Ranks = ALONE) -> Iterator[Sample]:
    """Yield this rank's rows of a record set, in their order; every row is exactly one rank's."""
    share = ranks.share(records.manifest.rows)
    return _read(records, share) if share else iter(())


def list_samples(data_root: Path, data_lst: Path, ranks: Ranks = ALONE) -> Iterator[Sample]:
    """Yield this rank's samples of a list file, as `record_samples` does; its paths lie below `data_root`."""
    for pair in read_list(data_lst)[ranks.rank :: ranks.size]:
        image, label = resolve(data_root, pair.image), resolve(data_root, pair.label)
        yield Sample(pair.image, image.read_bytes(), label.read_bytes())


def _read(records: RecordSet, rows: Sequence[int]) -> Iterator[Sample]:
    for row in read_rows(records, rows=rows):
        yield Sample(str(row["file_name"]), row["data"], row["label"])


@dataclass(frozen=True)
class _Place:
    """A row of the set, and the place of its crop in the arrays of its batch: the `index`-th."""

    row: int
    sample: Sample
    images: Pixels
    labels: Ids
    index: int


def _places(records: RecordSet, rows: Sequence[int], config: Config) -> Iterator[_Place]:
    size, side = config.batch_size, config.crop_size
    for number, (row, sample) in enumerate(zip(rows, _read(records, rows), strict=True)):
        if number % size == 0:
            images, labels = np.empty((size, 3, side, side), np.float32), np.empty((size, side, side), np.int32)
        yield _Place(row, sample, images, labels, number % size)


def _fill(place: _Place, *, config: Config, manifest: Manifest, epoch: int) -> _Place:
    """Put a random crop of a row in its place: what each row goes through on a worker thread."""
    ignore_label = ignore_label_of(manifest)
    image, label = decode_sample(place.sample, num_classes=manifest.num_classes, ignore_label=ignore_label)
    augment(
        image,
        label,
        np.random.default_rng([config.seed, epoch, place.row]),
        place.images[place.index],
        place.labels[place.index],
        min_scale=config.min_scale,
        max_scale=config.max_scale,
        mean=config.image_mean,
        std=config.image_std,
        ignore_label=ignore_label,
    )
    return place
