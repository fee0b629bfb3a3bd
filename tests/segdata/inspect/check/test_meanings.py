"""The page explains every type of fault in the words of the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from segdata.errors import Code
from segdata.inspect.check.meanings import MEANINGS

PAGE = Path(__file__).resolve().parents[4] / "docs" / "check.md"


def test_every_kind_is_explained_as_on_its_page() -> None:
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| (.+?) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    # A page in one file has no links.
    written = {code: re.sub(r" \(\[[^]]+\]\([^)]*\)\)", "", meaning).replace("`", "") for code, meaning in rows}
    assert written == MEANINGS
    assert sorted(MEANINGS) == sorted(get_args(Code))
