"""A checkpoint named by its directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from segdata.errors import InvalidInputError
from segtrain.checkpoints.reading import find_checkpoint, reading_checkpoint, reading_info

if TYPE_CHECKING:
    from tests.segtrain.conftest import Trained


def _make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("content")
    return folder


def test_of_a_training_the_best_checkpoint_is_taken(quick_run: Trained) -> None:
    best = quick_run.directory / "best.ckpt"
    assert find_checkpoint(quick_run.directory) == best
    with reading_checkpoint(str(quick_run.directory)) as path:
        assert path == best
    assert reading_info(quick_run.directory) == reading_info(best)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["config.yaml", "last.ckpt", "unet-1_2.ckpt"], "last.ckpt"),
        (["config.yaml", "last.ckpt", "best.ckpt", "unet-1_2.ckpt"], "best.ckpt"),
        (["resnet50.ckpt", "resnet50.json", "notes.txt"], "resnet50.ckpt"),
        (["last.ckpt", ".last.staged.ckpt"], "last.ckpt"),
    ],
)
def test_a_directory_names_the_checkpoint_in_it(tmp_path: Path, names: list[str], expected: str) -> None:
    assert find_checkpoint(_make(tmp_path, *names)) == tmp_path / expected


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.ckpt", "b.ckpt"], r"contains 2 checkpoints; expected one\. Name one of them:\n  a\.ckpt\n  b\.ckpt"),
        (["best.ckpt", "last.ckpt"], r"contains 2 checkpoints; expected one"),
        (
            ["a.pth", "notes.txt", ".hidden"],
            r"contains no checkpoint \(\.ckpt\); it contains:\n  a\.pth\n  notes\.txt$",
        ),
        ([], "contains no checkpoint"),
    ],
)
def test_any_other_directory_is_refused_with_what_it_contains(tmp_path: Path, names: list[str], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        find_checkpoint(_make(tmp_path, *names))


def test_a_file_is_returned_as_it_is_even_if_it_is_missing(tmp_path: Path) -> None:
    assert find_checkpoint(tmp_path / "a.ckpt") == tmp_path / "a.ckpt"
    with pytest.raises(InvalidInputError, match=r"a\.ckpt: no such checkpoint"):
        reading_info(tmp_path / "a.ckpt")
