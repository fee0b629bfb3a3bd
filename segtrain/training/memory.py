"""Advice for a training that needs more memory than there is: which smaller batch or crop fits."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from segdata.errors import SegDataError
from segdata.parallel import Progress
from segdata.text import plural
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.networks import MIN_CROP, SemanticNetwork
from segtrain.config.recipes import override, write_config
from segtrain.config.unet import UNet, input_size, output_size

#: Messages of MindSpore's RuntimeError if memory is short: on a processor (2.10: those of C++ and, where a convolution
#: gets no memory for its code or its buffer, of oneDNN), and on a device.
_SHORT = re.compile(
    r"bad_alloc|could not create a (primitive|memory object)$|out of memory|memory isn't enough|allocate memory failed"
    "|cannot allocate",
    re.IGNORECASE | re.MULTILINE,
)


@contextmanager
def enough_memory(config: Config, what: str, cure: Callable[[Config], str]) -> Iterator[None]:
    """Name the settings that decide how much memory the block needs, if there is too little.

    Args:
        config: settings of the block.
        what: what the block does with a batch.
        cure: returns which settings need less.

    Raises:
        SegDataError: when the block runs out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _SHORT.search(str(error)):
            raise
        raise SegDataError(
            f"not enough memory for {what} with {_batch(config)}. {cure(config)} The last "
            "checkpoint, if there is one, was kept."
        ) from error


def untried(config: Config) -> str:
    """Return which settings to lower where nothing can be tried."""
    side = "smaller images (--set image_height, image_width)"
    if not isinstance(config.model, MaskRcnn):
        side = "a smaller --crop_size: half of it takes a quarter of the memory"
    if config.batch_size == 1:
        return f"Use {side}."
    return f"Use --batch_size {config.batch_size // 2}, or {side}."


def tried(config: Config, data_file: Path, progress: Progress) -> str:
    """Try steps with half of the batch, then half again, then with half of the crop, and return what fits.

    Each trial is a process of its own, under the limits of this one: it may fail in any way, and leaves nothing.
    """
    trials = list(smaller(config))
    with progress(total=len(trials), label="memory is short; trying less") as advance:
        for options, less in trials:
            fits = _fits(less, data_file)
            advance(1)
            if fits:
                return f"Steps with {options} fit: use that."
    if isinstance(config.model, MaskRcnn):
        return untried(override(config, {"batch_size": 1}))
    least = trials[-1][0] if trials else "this"
    return f"Not even a step with {least} was possible: use a smaller network, or more memory."


def smaller(config: Config) -> Iterator[tuple[str, Config]]:
    """Yield settings that need less and less memory, with the options that select them."""
    batch = config.batch_size
    while batch > 1:
        batch //= 2
        yield f"--batch_size {batch}", override(config, {"batch_size": batch})
    side = _half(config)
    while side:
        config = override(config, {"batch_size": 1, "crop_size": side})
        yield f"--batch_size 1 --crop_size {side}", config
        side = _half(config)


def _half(config: Config) -> int | None:
    """Return the side of a crop half as large that the network can take, if there is one."""
    if not isinstance(config.model, SemanticNetwork):
        return None
    side = config.model.crop_size
    half = side // 2 + side % 2
    if isinstance(config.model, UNet):
        halvings, padded = config.model.halvings, config.model.same_padding
        inner = output_size(side, halvings, same_padding=padded)
        half = input_size(inner // 2, halvings, same_padding=padded)
    return half if MIN_CROP <= half < side else None


def _fits(config: Config, data_file: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix="segtrain-") as folder:
        settings = Path(folder) / "config.yaml"
        settings.write_text(write_config(config), encoding="utf-8")
        command = [sys.executable, "-m", "segtrain.training.trial", str(settings), str(data_file)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def _batch(config: Config) -> str:
    if isinstance(config.model, MaskRcnn):
        side = f"{config.model.image_width} x {config.model.image_height}"
    else:
        side = f"{config.model_as(SemanticNetwork).crop_size} x {config.model_as(SemanticNetwork).crop_size}"
    return f"{plural(config.batch_size, 'image')} of {side} pixels"
