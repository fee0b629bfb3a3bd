"""Two paths are exchanged in one step."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from segdata.files.exchange import exchange

pytestmark = pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="this system has no exchange")


def test_two_directories_with_files_are_exchanged(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert exchange(tmp_path / "a", tmp_path / "b")
    assert (os.listdir(tmp_path / "a"), os.listdir(tmp_path / "b")) == (["b"], ["a"])


def test_names_that_are_not_unicode_are_exchanged(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.write_text("odd")
    (tmp_path / "b").write_text("b")
    assert exchange(odd, tmp_path / "b")
    assert (odd.read_text(), (tmp_path / "b").read_text()) == ("b", "odd")


def test_a_missing_path_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(FileNotFoundError, match="missing"):
        exchange(tmp_path / "a", tmp_path / "missing")
    assert os.listdir(tmp_path) == ["a"]
