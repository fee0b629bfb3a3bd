"""Advice for a training that needs more memory than there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from segdata.errors import SegDataError
from segdata.text import plural
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.networks import SemanticNetwork

#: Messages of MindSpore's RuntimeError if memory is short: on a processor (2.10: C++'s own), and on a device.
_SHORT = re.compile(
    r"bad_alloc|out of memory|memory isn't enough|allocate memory failed|cannot allocate", re.IGNORECASE
)


@contextmanager
def enough_memory(config: Config) -> Iterator[None]:
    """Name the settings that decide how much memory the block needs, if there is too little.

    Raises:
        SegDataError: when the block runs out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _SHORT.search(str(error)):
            raise
        raise SegDataError(
            f"there is not enough memory for a step with {_batch(config)}. {_cure(config)} The last checkpoint, if "
            "there is one, was kept."
        ) from error


def _batch(config: Config) -> str:
    if isinstance(config.model, MaskRcnn):
        side = f"{config.model.image_width} x {config.model.image_height}"
    else:
        side = f"{config.model_as(SemanticNetwork).crop_size} x {config.model_as(SemanticNetwork).crop_size}"
    return f"{plural(config.batch_size, 'image')} of {side} pixels"


def _cure(config: Config) -> str:
    side = "smaller images (--set image_height, image_width)"
    if not isinstance(config.model, MaskRcnn):
        side = "a smaller --crop_size: half of it takes a quarter of the memory"
    if config.batch_size == 1:
        return f"Use {side}."
    return f"Use --batch_size {config.batch_size // 2}, or {side}."
