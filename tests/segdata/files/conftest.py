"""An earlier result, which tests replace."""

from __future__ import annotations

from pathlib import Path

import pytest
from published import publish


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """An earlier result: two files, one of them in a folder."""
    publish(tmp_path / "result", {"list.txt": "a", "masks/a.png": "123"})
    return tmp_path / "result"
