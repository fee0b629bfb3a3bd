"""Only regular files are opened: everything else is named at once, and never waited for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.regular import check_regular, read_regular


def test_a_file_and_a_link_to_one_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "a") == read_regular(tmp_path / "b") == b"content"


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("kind", ["a FIFO", "a directory", "a socket", "a device"])
def test_everything_else_is_refused_by_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, linked: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("/dev/zero") if kind == "a device" else Path("x.jpg")
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a directory":
        path.mkdir()
    elif kind == "a socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    if linked:
        Path("link.jpg").symlink_to(path)
        path = Path("link.jpg")
    for read in (check_regular, read_regular):
        with pytest.raises(InvalidInputError, match=rf"^is {kind}; expected a regular file$") as caught:
            read(path)
        assert caught.value.code == "unreadable"


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "nowhere")
