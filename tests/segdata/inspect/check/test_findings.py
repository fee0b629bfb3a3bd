"""Every type of fault has one severity, advice and a line in the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from segdata.errors import Code, Fault
from segdata.inspect.check.findings import ERRORS, WARNINGS, Findings

PAGE = Path(__file__).resolve().parents[4] / "docs" / "check.md"


def test_every_kind_is_an_error_or_a_warning() -> None:
    assert sorted([*ERRORS, *WARNINGS]) == sorted(get_args(Code))


def test_the_page_lists_every_kind_with_its_severity_and_what_to_do() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    expected = [(code, "error", advice) for code, advice in ERRORS.items()]
    expected += [(code, "warning", advice) for code, advice in WARNINGS.items()]
    assert sorted((code, severity, advice) for code, severity, _, advice in rows) == sorted(expected)


def test_faults_are_counted_and_the_first_ten_of_each_code_named() -> None:
    findings = Findings()
    findings.add(Fault("rotated", f"{number}.jpg", "turned") for number in range(12))
    findings.add([Fault("missing_label", "x.png", "does not exist")])
    first, second = findings.result()
    assert (first.code, first.severity, first.count, first.examples) == (
        *("missing_label", "error"),
        *(1, (Fault("missing_label", "x.png", "does not exist"),)),
    )
    assert (second.code, second.severity, second.count) == ("rotated", "warning", 12)
    assert second.examples == tuple(Fault("rotated", f"{number}.jpg", "turned") for number in range(10))
