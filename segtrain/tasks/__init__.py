"""Choice of the task: semantic (a class for each pixel) or instance segmentation (a mask for each object)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from segdata.errors import OptionError
from segdata.text import option_names
from segtrain.config.mask_rcnn import MaskRcnn

if TYPE_CHECKING:
    from segtrain.config.config import Config
    from segtrain.tasks.task import Task


def task_of(config: Config) -> Task:
    """Return the task of the configured network."""
    if isinstance(config.model, MaskRcnn):
        from segtrain.tasks import instance

        return instance
    from segtrain.tasks import semantic

    return semantic


def check_options(config: Config, function: Callable[..., Any], options: Iterable[str]) -> None:
    """Check that a function of the task accepts all `options`.

    Raises:
        OptionError: naming the options that only the other task accepts.
    """
    if foreign := sorted(set(options) - set(inspect.signature(function).parameters)):
        task = "instance" if isinstance(config.model, MaskRcnn) else "semantic"
        raise OptionError(
            f"{option_names(foreign)}: not available for {config.model.name}, a network for {task} segmentation. Leave "
            f"{'it' if len(foreign) == 1 else 'them'} out."
        )
