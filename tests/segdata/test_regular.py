"""Only regular files are opened: everything else is named at once, and never waited for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.regular import check_regular, read_regular, read_start


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
    for read in (check_regular, read_regular, lambda path: read_start(path, 4)):
        with pytest.raises(InvalidInputError, match=rf"^is {kind}; expected a regular file$") as caught:
            read(path)
        assert caught.value.code == "unreadable"


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    for read in (read_regular, lambda path: read_start(path, 4)):
        with pytest.raises(FileNotFoundError) as caught:
            read(tmp_path / "nowhere")
        assert str(caught.value.filename) == str(tmp_path / "nowhere")


def test_the_start_of_a_file_ends_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert [read_start(tmp_path / "a", size) for size in (4, 7, 8)] == [b"cont", b"content", b"content"]


def test_a_limit_is_a_limit_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert read_regular(tmp_path / "a", at_most=7) == b"content"
    with pytest.raises(InvalidInputError, match="has 7 bytes; expected at most 6"):
        read_regular(tmp_path / "a", at_most=6)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only Linux has files without a known size")
def test_a_file_that_is_longer_than_its_size_says_is_read_up_to_its_end() -> None:
    path = Path("/proc/self/cmdline")
    assert path.stat().st_size == 0
    assert read_regular(path) == read_regular(path, at_most=1 << 20) == path.read_bytes() != b""
    with pytest.raises(InvalidInputError, match="expected at most 3"):
        read_regular(path, at_most=3)
