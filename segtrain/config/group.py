"""A choice, such as a network or an optimizer, with the settings that belong to it."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from segdata.errors import InvalidInputError


class Group(msgspec.Struct, frozen=True, kw_only=True, tag_field="name", forbid_unknown_fields=True):
    """Settings of one choice. In files, flags and messages, the choice is called by its `name`.

    Attributes:
        SWITCHES: settings without effect while another setting is 0, by the name of the other one.
    """

    SWITCHES: ClassVar[dict[str, tuple[str, ...]]] = {}

    @property
    def name(self) -> str:
        """Published name of the choice."""
        return str(self.__struct_config__.tag)

    def __post_init__(self) -> None:
        """Check that every setting with a value of its own has an effect."""
        defaults = {field.name: field.default for field in msgspec.structs.fields(self)}
        for switch, switched in self.SWITCHES.items():
            for setting in () if getattr(self, switch) else switched:
                if (value := getattr(self, setting)) != defaults[setting]:
                    raise InvalidInputError(
                        f"{setting} = {value} has no effect while {switch} is 0. Set {switch} too, or leave "
                        f"{setting} out."
                    )
