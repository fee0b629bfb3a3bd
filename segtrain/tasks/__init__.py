"""The choice of a task: semantic (a class for each pixel) or instance segmentation (a mask for each object)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from segdata.errors import OptionError

if TYPE_CHECKING:
    from segtrain.config.config import Config
    from segtrain.tasks.task import Task


def task_of(config: Config) -> Task:
    """Return the task that the configured network is for."""
    if config.model == "mask_rcnn":
        from segtrain.tasks import instance

        return instance
    from segtrain.tasks import semantic

    return semantic


def check_options(config: Config, function: Callable[..., Any], options: Iterable[str]) -> None:
    """Check that a function of the task knows all `options`.

    Raises:
        OptionError: naming those that are for networks of the other task.
    """
    if foreign := sorted(set(options) - set(inspect.signature(function).parameters)):
        raise OptionError(f"{', '.join(foreign)}: not for {config.model}, which is for another task")
