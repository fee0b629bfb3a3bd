"""Full images of instance record sets, for evaluation and prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from segdata.images.values import ValueRange
from segdata.parallel import ordered_map
from segdata.records.reader import RecordSet, read_rows
from segdata.records.schema import Row
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.data.arrays import Pixels, RgbImage
from segtrain.data.instance.rows import check_instance_set, decode_row
from segtrain.data.instance.transforms import fill_input, place_image
from segtrain.data.rows import worker_count
from segtrain.distributed.ranks import ALONE, Ranks


@dataclass(frozen=True)
class EvalSample:
    """An image to evaluate.

    Attributes:
        name: name of the image in errors.
        image_id: id to match results by.
        image: the decoded image, RGB, ``(H, W, 3)`` uint8.
        planes: the network's input, float32 ``(3, image_height, image_width)``.
        content: height and width of the image in the input; it is at the top left.
    """

    name: str
    image_id: int
    image: RgbImage
    planes: Pixels
    content: tuple[int, int]


def eval_samples(records: RecordSet, config: Config, settings: MaskRcnn, ranks: Ranks = ALONE) -> Iterator[EvalSample]:
    """Yield this rank's images of a record set, in order; each image belongs to exactly one rank.

    Raises:
        InvalidInputError: when the record set is for another task, or an image cannot be used. The message names the
            first such image.
    """
    check_instance_set(records.manifest)
    share = ranks.share(records.manifest.rows)
    rows = read_rows(records, rows=share)
    read = partial(_eval_sample, config=config, settings=settings, value_range=records.manifest.image_range)
    return ordered_map(read, rows, workers=worker_count(config))


def network_input(image: RgbImage, config: Config, settings: MaskRcnn) -> tuple[Pixels, tuple[int, int]]:
    """Return an image as the network's input, and the height and width of its content; see `EvalSample`."""
    place = place_image(image.shape[0], image.shape[1], settings.image_height, settings.image_width)
    planes = np.empty((3, settings.image_height, settings.image_width), np.float32)
    fill_input(image, place, config.image_mean, config.image_std, planes)
    return planes, (place.content_height, place.content_width)


def _eval_sample(row: Row, *, config: Config, settings: MaskRcnn, value_range: ValueRange | None) -> EvalSample:
    image = decode_row(row, value_range)
    return EvalSample(row["file_name"], row["image_id"], image, *network_input(image, config, settings))
