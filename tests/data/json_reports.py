"""The output of a command with --json, compared with the class that the documentation names for it."""

from __future__ import annotations

import json
import runpy
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from segdata.console.render import ErrorReport, report_name

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "json_docs.py"


@cache
def kinds(command: str) -> dict[str, type]:
    """Return the classes of the reports of a command such as ``segdata check`` by name, as in docs/json.md."""
    script = runpy.run_path(str(SCRIPT))
    found = script[f"{command.partition(' ')[0]}_reports"]()[command]
    return {report_name(kind): kind for kind in (*found, ErrorReport)}


def checked(text: str, command: str) -> Any:
    """Return the report in `text`, or a list of reports, after a check that it is one of `command`.

    It has the keys of its class and no others, in their order after ``report``, and values of their types.
    """
    found = json.loads(text)
    for report in found if isinstance(found, list) else [found]:
        members = dict(report)
        kind = kinds(command)[members.pop("report")]
        assert next(iter(report)) == "report"
        assert [*members] == [field.name for field in fields(kind)]
        scores = members.pop("scores") if report["report"] == "fit" else None
        read = msgspec.json.decode(json.dumps({**members, **_no_scores(report)}), type=kind)
        assert json.loads(msgspec.json.encode(read)) == {**members, **_no_scores(report)}
        assert scores is None or _plain(scores) == scores
    return found


def _no_scores(report: dict[str, Any]) -> dict[str, None]:
    """Return a replacement for the scores of a training, whose type is what those of both tasks have in common."""
    return {"scores": None} if report["report"] == "fit" else {}


def _plain(scores: dict[str, Any]) -> Any:
    """Return scores of a training as their class gives them back."""
    from segtrain import InstanceReport, SegmentationReport

    kind = SegmentationReport if "mean_iou" in scores else InstanceReport
    return json.loads(msgspec.json.encode(msgspec.json.decode(json.dumps(scores), type=kind)))
