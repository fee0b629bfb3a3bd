"""Semantic record sets: training batches with random crops, and whole samples for evaluation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.files import resolve
from segdata.labels.masks import decode_index_png
from segdata.lists import read_list
from segdata.parallel import default_workers
from segdata.records.manifest import Manifest, RecordSet
from segdata.records.schema import SEMANTIC, as_bytes
from segtrain.config import Config, ignore_label_of
from segtrain.data.transforms import augment, check_label, decode_image

#: Batches (and rows a worker) that wait ready; MindSpore's own 16 are 1.6 GB of published batches.
PREFETCH = 4


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


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Return the number of whole batches in `rows`.

    Raises:
        InvalidInputError: when there is none.
    """
    if rows < batch_size:
        raise InvalidInputError(f"{rows} rows do not fill one batch of {batch_size}; use a smaller batch_size")
    return rows // batch_size


def training_batches(records: RecordSet, config: Config, *, epoch: int, first_step: int = 0) -> Iterator[Any]:
    """Yield the batches of one epoch (from 0), from its step `first_step` (from 0) on.

    Order, scale, window and mirroring of a row depend on seed, epoch and row only: not on the number of workers, and
    not on whether the epoch is read from its beginning. Rows that do not fill a batch are left out, other ones in
    each epoch.

    Yields:
        float32 ``(N, 3, crop, crop)`` and int32 ``(N, crop, crop)``, as MindSpore tensors.

    Raises:
        InvalidInputError: naming the first row that cannot be used.
    """
    import mindspore.dataset as ds

    ds.config.set_prefetch_size(PREFETCH)
    rows = records.manifest.rows
    order = np.random.default_rng([config.seed, epoch]).permutation(rows)
    order = order[first_step * config.batch_size : rows - rows % config.batch_size]
    crops = _RandomCrops(config, records.manifest, epoch)
    columns = _open_rows(records, worker_count(config), ds.SubsetSampler(order.tolist()))
    numbered = ds.zip((columns, ds.NumpySlicesDataset({"row": order}, shuffle=False)))
    batches = (
        numbered.map(crops, [*SEMANTIC, "row"], ["image", "label"], num_parallel_workers=worker_count(config))
        .project(["image", "label"])
        .batch(config.batch_size)
    )
    try:
        yield from batches.create_tuple_iterator(num_epochs=1)
    except RuntimeError as error:
        # MindSpore turns what a worker raised into a page of text; the sentence itself was kept.
        raise (crops.faults[0] if crops.faults else error) from None


def record_samples(records: RecordSet) -> Iterator[Sample]:
    """Yield every row of a record set once, in its order."""
    import mindspore.dataset as ds

    rows = _open_rows(records, 1, ds.SequentialSampler())
    for row in rows.create_dict_iterator(num_epochs=1, output_numpy=True):
        yield Sample(str(row["file_name"]), as_bytes(row["data"]), as_bytes(row["label"]))


def list_samples(data_root: Path, data_lst: Path) -> Iterator[Sample]:
    """Yield every sample of a list file; its paths lie below `data_root`."""
    for pair in read_list(data_lst):
        image, label = resolve(data_root, pair.image), resolve(data_root, pair.label)
        yield Sample(pair.image, image.read_bytes(), label.read_bytes())


def _open_rows(records: RecordSet, workers: int, sampler: Any) -> Any:
    import mindspore.dataset as ds

    shards = [str(path) for path in records.shard_paths]
    return ds.MindDataset(shards, columns_list=list(SEMANTIC), sampler=sampler, num_parallel_workers=workers)


class _RandomCrops:
    """What each row goes through on a worker thread."""

    def __init__(self, config: Config, manifest: Manifest, epoch: int) -> None:
        self.config = config
        self.num_classes = manifest.num_classes
        self.ignore_label = ignore_label_of(manifest)
        self.epoch = epoch
        self.faults: list[InvalidInputError] = []

    def __call__(
        self, file_name: npt.NDArray[Any], data: npt.NDArray[Any], label: npt.NDArray[Any], row: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        config = self.config
        try:
            image, labels = decode_sample(
                Sample(str(file_name), as_bytes(data), as_bytes(label)),
                num_classes=self.num_classes,
                ignore_label=self.ignore_label,
            )
        except InvalidInputError as error:
            self.faults.append(error)
            raise
        return augment(
            image,
            labels,
            np.random.default_rng([config.seed, self.epoch, int(row)]),
            crop_size=config.crop_size,
            min_scale=config.min_scale,
            max_scale=config.max_scale,
            mean=config.image_mean,
            std=config.image_std,
            ignore_label=self.ignore_label,
        )
