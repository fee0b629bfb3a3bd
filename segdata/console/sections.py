"""A command with many options: its help has them in sections."""

from __future__ import annotations

from typing import Any

import click


class SectionedCommand(click.Command):
    """Command whose help has its options in sections.

    Args:
        sections: heading of each section, by the parameter that begins it; the first parameter begins the first one.
        attributes: attributes of `click.Command`.
    """

    def __init__(self, *args: Any, sections: dict[str, str], **attributes: Any) -> None:
        """Create the command."""
        super().__init__(*args, **attributes)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section."""
        found: dict[str, list[tuple[str, str]]] = {}
        section = ""
        for parameter in self.get_params(ctx):
            section = self.sections.get(parameter.name or "", section)
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record:
                found.setdefault(section, []).append(record)
        for title, records in found.items():
            with formatter.section(title):
                formatter.write_dl(records)
