"""Every type of fault has a question, and the documentation has every cure and question."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from segdata.errors import Code
from segdata.inspect.fix.texts import CURES, QUESTIONS

PAGE = Path(__file__).resolve().parents[4] / "docs" / "check.md"


def test_every_kind_has_a_question() -> None:
    assert sorted(QUESTIONS) == sorted(get_args(Code))


def test_the_page_lists_every_cure_and_question() -> None:
    section = PAGE.read_text().split("## What `segdata fix` cures")[1]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [(code, CURES.get(code, "—"), QUESTIONS[code]) for code in get_args(Code)]
