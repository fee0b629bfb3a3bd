"""Batches of static shape from instance record sets, for training and for the loss of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import decode_rle
from segdata.errors import InvalidInputError
from segdata.images.values import ValueRange
from segdata.parallel import ordered_map
from segdata.records.reader import RecordSet, read_rows
from segdata.records.schema import Row
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.data.arrays import Ids, Pixels
from segtrain.data.instance.rows import check_instance_set, check_targets, decode_row, row_masks
from segtrain.data.instance.transforms import crop_mask, fill_input, fit_at_random, move_boxes, place_image
from segtrain.data.rows import epoch_rows, worker_count
from segtrain.distributed.ranks import ALONE, Ranks


class Batch(NamedTuple):
    """Columns of N images with up to M instances each and S x S masks; unused rows are 0.

    Attributes:
        images: normalized, 0 beyond the content, float32 ``(N, 3, H, W)``.
        sizes: height and width of the content, which is at the top left, float32 ``(N, 2)``.
        boxes: x1, y1, x2, y2 in input pixels, x2 and y2 exclusive, float32 ``(N, M, 4)``.
        labels: 1 to K, int32 ``(N, M)``.
        crowd: 1 where the row is a crowd region, int32 ``(N, M)``.
        masks: share of each cell of its box that an instance covers, 0 to 1, float32 ``(N, M, S, S)``.
    """

    images: Pixels
    sizes: Pixels
    boxes: Pixels
    labels: Ids
    crowd: Ids
    masks: Pixels


def instance_batches(
    records: RecordSet,
    config: Config,
    settings: MaskRcnn,
    *,
    rows: Sequence[int],
    epoch: int,
    first_step: int = 0,
    ranks: Ranks = ALONE,
) -> Iterator[tuple[Any, ...]]:
    """Yield this rank's batches of epoch `epoch`, starting at step `first_step`; both count from 0.

    An epoch has each of `rows` of the record set once, in the order that `segtrain.data.rows.epoch_rows` gives;
    `segtrain.data.instance.trainable.trainable_rows` finds the rows with instances. The position and mirroring of an
    image depend only on seed, epoch and row. If an image has more than `settings.max_instances` instances, the largest
    are kept. With `settings.expand`, objects also appear smaller: see `fit_at_random`.

    Yields:
        The columns of `Batch`, as MindSpore tensors.

    Raises:
        InvalidInputError: when the record set is for another task, or a row cannot be used. The message names the
            first such row.
    """
    from mindspore import Tensor

    check_instance_set(records.manifest)
    size = config.batch_size
    places = epoch_rows(len(rows), config, epoch=epoch, first_step=first_step, ranks=ranks)
    order = [rows[place] for place in places]
    fill = _filler(records, config, settings, epoch=epoch)
    filled = ordered_map(fill, _places(records, order, size, settings), workers=worker_count(config))
    for batch in islice(filled, size - 1, None, size):
        yield tuple(map(Tensor.from_numpy, batch))


def eval_batches(
    records: RecordSet, config: Config, settings: MaskRcnn, ranks: Ranks = ALONE
) -> Iterator[tuple[int, Batch]]:
    """Yield this rank's images with an object, in order: the row, and the image alone as a batch.

    Its place in the input is that of `segtrain.data.instance.samples.eval_samples`.

    Raises:
        InvalidInputError: when the record set is for another task, or a row cannot be used. The message names the
            first such row.
    """
    check_instance_set(records.manifest)
    share = ranks.share(records.manifest.rows)
    places = (
        _Place(number, row, _empty_batch(1, settings), 0)
        for number, row in zip(share, read_rows(records, rows=share), strict=True)
        if (row["iscrowd"] != 1).any()
    )
    fill = _filler(records, config, settings, epoch=None)
    return ordered_map(lambda place: (place.number, fill(place)), places, workers=worker_count(config))


@dataclass(frozen=True)
class _Place:
    """Row `number` of the record set, and its position `index` in a batch."""

    number: int
    row: Row
    batch: Batch
    index: int


def _places(records: RecordSet, rows: Sequence[int], size: int, settings: MaskRcnn) -> Iterator[_Place]:
    for place, (number, row) in enumerate(zip(rows, read_rows(records, rows=rows), strict=True)):
        if place % size == 0:
            batch = _empty_batch(size, settings)
        yield _Place(number, row, batch, place % size)


def _empty_batch(size: int, settings: MaskRcnn) -> Batch:
    limit, side = settings.max_instances, settings.mask_crop_size
    return Batch(
        images=np.empty((size, 3, settings.image_height, settings.image_width), np.float32),
        sizes=np.zeros((size, 2), np.float32),
        boxes=np.zeros((size, limit, 4), np.float32),
        labels=np.zeros((size, limit), np.int32),
        crowd=np.zeros((size, limit), np.int32),
        masks=np.zeros((size, limit, side, side), np.float32),
    )


def _filler(records: RecordSet, config: Config, settings: MaskRcnn, *, epoch: int | None) -> Callable[[_Place], Batch]:
    classes, value_range = records.manifest.num_classes, records.manifest.image_range
    return partial(_fill, config=config, settings=settings, classes=classes, value_range=value_range, epoch=epoch)


def _fill(
    place: _Place,
    *,
    config: Config,
    settings: MaskRcnn,
    classes: int,
    value_range: ValueRange | None,
    epoch: int | None,
) -> Batch:
    """Write a row to its place in the batch, as training sees it in an epoch, or else as an evaluation does.

    Runs on a worker thread.
    """
    row, batch, index = place.row, place.batch, place.index
    image = decode_row(row, value_range)
    height, width = image.shape[:2]
    at = place_image(height, width, settings.image_height, settings.image_width)
    if epoch is not None:
        rng = np.random.default_rng([config.seed, epoch, place.number])
        at = fit_at_random(height, width, settings.image_height, settings.image_width, rng, expand=settings.expand)
    fill_input(image, at, config.image_mean, config.image_std, batch.images[index])
    batch.sizes[index] = at.content_height, at.content_width
    try:
        check_targets(row, classes)
        masks = row_masks(row)
        kept = _largest(row["boxes"], settings.max_instances)
        batch.boxes[index, : len(kept)] = move_boxes(row["boxes"][kept], height, width, at)
        batch.labels[index, : len(kept)] = row["labels"][kept]
        batch.crowd[index, : len(kept)] = row["iscrowd"][kept]
        for slot, number in zip(batch.masks[index], kept.tolist(), strict=False):
            # The cells of a box do not depend on the scale: there is no need to resize the mask with the image.
            cells = crop_mask(decode_rle(masks[number]), row["boxes"][number], settings.mask_crop_size)
            slot[:] = cells[:, ::-1] if at.mirrored else cells
    except InvalidInputError as error:
        raise InvalidInputError(f"{row['file_name']}: {error}") from error
    return batch


def _largest(boxes: npt.NDArray[np.float32], limit: int) -> npt.NDArray[np.int64]:
    """Return the indices of the `limit` boxes with the largest areas, in ascending order."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return np.sort(np.argsort(-areas, kind="stable")[:limit])
