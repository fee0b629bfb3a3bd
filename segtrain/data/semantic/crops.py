"""Semantic record sets: training batches of random crops, and full samples for evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from segdata.arguments import FilePath, local_path
from segdata.errors import InvalidInputError
from segdata.files.paths import resolve
from segdata.images.reading import read_image
from segdata.images.values import ValueRange
from segdata.labels.masks import decode_index_png
from segdata.lists import read_list
from segdata.parallel import ordered_map
from segdata.records.manifest import Manifest
from segdata.records.reader import RecordSet, read_rows
from segdata.regular import read_regular
from segtrain.config.config import Config
from segtrain.config.networks import DeepLab
from segtrain.data.arrays import Ids, Label, Pixels, RgbImage, augment, check_label
from segtrain.data.rows import epoch_rows, worker_count
from segtrain.distributed.ranks import ALONE, Ranks


@dataclass(frozen=True)
class EncodedSample:
    """An encoded image with its encoded label; errors refer to it by `name`, and `value_range` says how to read it."""

    name: str
    image: bytes
    label: bytes
    value_range: ValueRange | None = None


@dataclass(frozen=True, init=False)
class SampleList:
    """A list file and the directory that its paths are relative to."""

    data_root: Path
    data_lst: Path

    def __init__(self, data_root: FilePath, data_lst: FilePath) -> None:
        """Store both as `pathlib.Path`."""
        object.__setattr__(self, "data_root", local_path(data_root))
        object.__setattr__(self, "data_lst", local_path(data_lst))


def decode_sample(sample: EncodedSample, *, num_classes: int, ignore_label: int) -> tuple[RgbImage, Label]:
    """Return the RGB image ``(H, W, 3)``, see `segdata.images.reading.read_image`, and the label ``(H, W)`` uint8.

    Raises:
        InvalidInputError: when image or label cannot be decoded, their sizes differ, or the label has an invalid value.
            The message names the sample.
    """
    try:
        image, label = read_image(sample.image, sample.value_range), decode_index_png(sample.label)
        check_label(label, image.shape, num_classes=num_classes, ignore_label=ignore_label)
    except InvalidInputError as error:
        raise InvalidInputError(f"{sample.name}: {error}") from error
    return image, label


def ignore_label_of(manifest: Manifest) -> int:
    """Return the ignore label of a semantic record set.

    Raises:
        InvalidInputError: when the record set is for another task.
    """
    if manifest.task != "semantic" or manifest.ignore_label is None:
        raise InvalidInputError(
            f"record set {manifest.name}: is for instance segmentation; expected semantic segmentation. Use a "
            "recipe or checkpoint of mask_rcnn, or write a set from a list file with segdata to-mindrecord."
        )
    return manifest.ignore_label


def crop_batches(
    records: RecordSet, config: Config, settings: DeepLab, *, epoch: int, first_step: int = 0, ranks: Ranks = ALONE
) -> Iterator[Any]:
    """Yield this rank's batches of epoch `epoch`, starting at step `first_step`; both count from 0.

    The scale, window and mirroring of a row depend only on seed, epoch and row, not on the number of workers or the
    step at which reading starts. `segtrain.data.rows.epoch_rows` gives the order of the rows.

    Yields:
        float32 ``(N, 3, crop, crop)`` and int32 ``(N, crop, crop)``, as MindSpore tensors.

    Raises:
        InvalidInputError: when a row cannot be used. The message names the first such row.
    """
    from mindspore import Tensor

    rows = epoch_rows(records.manifest.rows, config, epoch=epoch, first_step=first_step, ranks=ranks)
    fill = partial(_fill, config=config, settings=settings, manifest=records.manifest, epoch=epoch)
    workers = worker_count(config)
    # The map queues four chunks per worker: two batches.
    chunk = -(-config.batch_size // (2 * workers))
    filled = ordered_map(
        fill, _places(records, rows, config.batch_size, settings.crop_size), workers=workers, chunk=chunk
    )
    for last in islice(filled, config.batch_size - 1, None, config.batch_size):
        yield Tensor.from_numpy(last.images), Tensor.from_numpy(last.labels)


def record_samples(records: RecordSet, ranks: Ranks = ALONE) -> Iterator[EncodedSample]:
    """Yield this rank's rows of a record set, in order; each row belongs to exactly one rank."""
    share = ranks.share(records.manifest.rows)
    return encoded_samples(records, share) if share else iter(())


def list_samples(
    data_root: Path, data_lst: Path, ranks: Ranks = ALONE, *, value_range: ValueRange | None = None
) -> Iterator[EncodedSample]:
    """Yield this rank's samples of a list file, as `record_samples` does; paths are relative to `data_root`."""
    for pair in read_list(data_lst)[ranks.rank :: ranks.size]:
        image, label = resolve(data_root, pair.image), resolve(data_root, pair.label)
        yield EncodedSample(pair.image, read_regular(image), read_regular(label), value_range)


def encoded_samples(records: RecordSet, rows: Sequence[int]) -> Iterator[EncodedSample]:
    """Yield the samples of `rows` (numbered from 0) in the given order; a row may appear several times."""
    for row in read_rows(records, rows=rows):
        yield EncodedSample(row["file_name"], row["data"], row["label"], records.manifest.image_range)


@dataclass(frozen=True)
class _Place:
    """A row of the record set, and the position `index` of its crop in the arrays of its batch."""

    row: int
    sample: EncodedSample
    images: Pixels
    labels: Ids
    index: int


def _places(records: RecordSet, rows: Sequence[int], size: int, side: int) -> Iterator[_Place]:
    for number, (row, sample) in enumerate(zip(rows, encoded_samples(records, rows), strict=True)):
        if number % size == 0:
            images, labels = np.empty((size, 3, side, side), np.float32), np.empty((size, side, side), np.int32)
        yield _Place(row, sample, images, labels, number % size)


def _fill(place: _Place, *, config: Config, settings: DeepLab, manifest: Manifest, epoch: int) -> _Place:
    """Write a random crop of a row to its place in the batch; runs on a worker thread."""
    ignore_label = ignore_label_of(manifest)
    image, label = decode_sample(place.sample, num_classes=manifest.num_classes, ignore_label=ignore_label)
    augment(
        image,
        label,
        np.random.default_rng([config.seed, epoch, place.row]),
        place.images[place.index],
        place.labels[place.index],
        min_scale=settings.min_scale,
        max_scale=settings.max_scale,
        mean=config.image_mean,
        std=config.image_std,
        ignore_label=ignore_label,
    )
    return place
