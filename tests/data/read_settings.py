"""Settings that a training reads, and thus have an effect."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from segtrain.config.config import Config
from segtrain.config.group import Group

#: Names of settings by the type of their group.
Settings = Mapping[type, set[str]]


def _module(frame: FrameType) -> str:
    # What MindSpore evaluates when it compiles a network has no module.
    return str(frame.f_globals.get("__name__", "segtrain.models"))


def _is_read(frame: FrameType | None) -> bool:
    """Return whether a training reads a setting, and not the configuration, to check it, or a command, to print it."""
    while frame and _module(frame).startswith("segtrain.config."):
        if frame.f_code.co_name == "__post_init__":
            return False
        frame = frame.f_back
    return frame is not None and _module(frame).startswith("segtrain.") and "segtrain.cli" not in _module(frame)


@contextmanager
def read_settings() -> Iterator[Settings]:
    """Yield the settings that are read within the context."""
    found: dict[type, set[str]] = defaultdict(set)

    def recorded(self: Any, name: str) -> Any:
        kind = type(self)
        if name in kind.__struct_fields__ and _is_read(sys._getframe(1)):
            found[kind].add(name)
        return object.__getattribute__(self, name)

    with pytest.MonkeyPatch.context() as patch:
        for kind in (Config, Group):
            patch.setattr(kind, "__getattribute__", recorded, raising=False)
        yield found


def groups_of(config: Config) -> list[Any]:
    """Return the settings of a training, in their groups."""
    loss = [config.model.loss] if hasattr(config.model, "loss") else []
    return [config, config.model, config.schedule, config.optimizer, *loss]


def unread(found: Settings, groups: Iterable[Any]) -> set[str]:
    """Return the settings of these groups that were not read."""
    return {
        f"{type(each).__name__}.{name}"
        for each in groups
        for name in set(each.__struct_fields__) - found.get(type(each), set())
    }
