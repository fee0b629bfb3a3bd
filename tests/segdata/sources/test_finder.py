"""Files below a folder: links included, each folder once, nothing hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.sources.finder import files_below


def test_files_below_a_folder(tmp_path: Path) -> None:
    for name in ("set/b.PNG", "set/sub/a.png", "set/.hidden/c.png", "set/.d.png", "set/e.txt", "other/f.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "set" / "sub" / "circle").symlink_to(tmp_path / "set")
    found = [path.relative_to(tmp_path / "set").as_posix() for path in files_below(tmp_path / "set", (".png",))]
    assert found == ["b.PNG", "linked/f.png", "sub/a.png"]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="gone: cannot be read: No such file or directory"):
        files_below(tmp_path / "gone", (".png",))
