"""Encoded images and labels are read, or refused with a code, wherever they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from segdata.encoded import File, Stored, file_id
from segdata.errors import InvalidInputError


def test_a_file_and_bytes_in_memory_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.png").write_bytes(b"12345")
    file, stored = File(tmp_path, "a/b.png"), Stored("a/b.png", b"12345")
    assert (file.name, file.read()) == (stored.name, stored.read())
    assert (file.find(), stored.find()) == (tmp_path / "a" / "b.png", b"12345")
    assert file_id(file.status()) is not None
    assert file_id(file.status()) == file_id(File(tmp_path / "a", "b.png").status())
    assert file_id(stored.status()) is None


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("gone.png", "missing_label", "does not exist"),
        ("a\\b.png", "missing_label", r"contains a backslash"),
        ("../b.png", "outside_root", "is outside the data root"),
        ("folder", "unreadable", "is a directory; expected a regular file"),
        ("fifo", "unreadable", "is a FIFO; expected a regular file"),
    ],
)
def test_what_cannot_be_read_has_a_code(tmp_path: Path, name: str, code: str, sentence: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    file = File(tmp_path, name, "missing_label")
    with pytest.raises(InvalidInputError, match=sentence) as error:
        file.read()
    assert error.value.code == code
    assert (file.status() is None) == (code != "unreadable")
