"""A choice, such as a network or an optimizer, with the settings that belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from segdata.errors import InvalidInputError


class Group(msgspec.Struct, frozen=True, kw_only=True, tag_field="name", forbid_unknown_fields=True):
    """Settings of one choice. In files, flags and messages, the choice is called by its `name`.

    Attributes:
        SWITCHES: settings without effect while another setting is 0 or None, by the name of the other one.
    """

    SWITCHES: ClassVar[dict[str, tuple[str, ...]]] = {}

    @property
    def name(self) -> str:
        """Published name of the choice."""
        return str(self.__struct_config__.tag)

    def __post_init__(self) -> None:
        """Check that every setting with a value of its own has an effect."""
        check_switches(self, self.SWITCHES)


def check_switches(settings: msgspec.Struct, switches: Mapping[str, tuple[str, ...]]) -> None:
    """Check that no setting differs from its default while the one that switches it is 0 or None.

    Raises:
        InvalidInputError: naming the first setting without effect.
    """
    defaults = {field.name: field.default for field in msgspec.structs.fields(settings)}
    for switch, switched in switches.items():
        off = getattr(settings, switch)
        for setting in () if off else switched:
            if (value := getattr(settings, setting)) != defaults[setting]:
                raise InvalidInputError(
                    f"{setting} = {value} has no effect while {switch} is {'null' if off is None else 0}. Set {switch} "
                    f"too, or leave {setting} out."
                )
