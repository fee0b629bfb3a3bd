"""Paths stay below their root."""

from __future__ import annotations

from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.files.paths import names_by_stem, resolve


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "a/..", "a\0b"])
def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInputError, match="is outside the data root"):
        resolve(tmp_path, path)


def test_names_with_dots_stay_below_the_root(tmp_path: Path) -> None:
    assert resolve(tmp_path, "a/..b/c.d") == tmp_path / "a" / "..b" / "c.d"


def test_files_are_found_by_stem_whatever_the_case_of_their_suffix(tmp_path: Path) -> None:
    for name in ("a.JPG", "a.png", "b.jpeg", ".hidden.jpg", "c.txt"):
        (tmp_path / name).touch()
    assert names_by_stem(tmp_path, (".jpg", ".jpeg", ".png")) == {"a": ["a.JPG", "a.png"], "b": ["b.jpeg"]}
