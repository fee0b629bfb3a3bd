"""The metrics of a training run, a line of JSON for each step and each evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from segdata.errors import InvalidInputError
from segdata.files.publishing import naming, write_file
from segdata.regular import check_regular
from segtrain.training.events import StepDone

#: Bytes of the longest line that is read: a line has some twenty numbers.
_LONGEST_LINE = 1 << 16


class _Place(msgspec.Struct):
    """Numbers that every line contains."""

    epoch: Annotated[int, msgspec.Meta(ge=0)]
    step: Annotated[int, msgspec.Meta(ge=0)]


class Metrics:
    """Reads and writes the file of metrics, which need not exist."""

    def __init__(self, path: Path) -> None:
        """Represent the file at `path`."""
        self.path = path

    def append(self, metrics: dict[str, Any]) -> None:
        """Append a line."""
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(metrics))

    def keep(self, step: int) -> None:
        """Remove the lines of all steps after `step`."""
        kept = [line for line in self.lines() if line["step"] <= step]
        write_file(self.path, "".join(map(_line, kept)).encode(), overwrite=True)

    def lines(self) -> list[dict[str, Any]]:
        """Return all lines, except a last one that was cut off when the process was killed.

        Raises:
            InvalidInputError: naming the first line that is invalid.
        """
        lines: list[dict[str, Any]] = []
        if not self.path.exists():
            return lines
        try:
            check_regular(self.path)
            with self.path.open("rb") as file:
                while (line := file.readline(_LONGEST_LINE + 1)).endswith(b"\n"):
                    lines.append(_decode(line))
                if len(line) > _LONGEST_LINE:
                    raise InvalidInputError(f"has more than {_LONGEST_LINE} bytes")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidInputError) as error:
            raise InvalidInputError(f"{self.path}: line {len(lines) + 1} is not a line of metrics: {error}") from error
        return lines

    def steps(self, epoch: int) -> list[StepDone]:
        """Return the steps of an epoch, counted from 1, that are done."""
        return [StepDone.logged(line) for line in self.lines() if line["epoch"] == epoch and "loss" in line]

    def best(self, name: str) -> float | None:
        """Return the highest score called `name` over the evaluations so far."""
        return max((line[name] for line in self.lines() if line.get(name) is not None), default=None)

    def evaluated(self, step: int, name: str) -> bool:
        """Return whether the network at `step` was already evaluated, with a score called `name`."""
        return any(name in line and line["step"] == step for line in self.lines())

    def waited(self, name: str, *, lowest: bool = False) -> int:
        """Return the number of evaluations since the one with the highest, or `lowest`, score called `name`."""
        scores = [line[name] for line in self.lines() if line.get(name) is not None]
        return len(scores) - 1 - scores.index(min(scores) if lowest else max(scores)) if scores else 0


def _line(metrics: dict[str, Any]) -> str:
    return msgspec.json.encode(metrics).decode() + "\n"


def _decode(line: bytes) -> dict[str, Any]:
    values = msgspec.json.decode(line, type=dict[str, float | int | None])
    msgspec.convert(values, _Place)
    return values
