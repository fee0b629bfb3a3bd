"""A row is what was checked: a file that changes before it is written ends the conversion with its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segdata.errors import SegDataError
from segdata.lists import read_list
from segdata.opening import open_dataset
from segdata.records.convert import UnfinishedError, to_mindrecord
from segdata.records.verify import verify
from segdata.worker import Advance


@pytest.fixture
def data(devkit: Path, coco: Path, tmp_path: Path) -> dict[str, Path]:
    """The image and the label of a sample of a list, and the image of a sample of a JSON."""
    shutil.copytree(devkit, tmp_path / "voc")
    shutil.copytree(coco, tmp_path / "coco")
    pair = read_list(tmp_path / "voc" / "voc_train_lst.txt")[3]
    return {
        "list": tmp_path / "voc" / "voc_train_lst.txt",
        "image of a list": tmp_path / "voc" / pair.image,
        "label of a list": tmp_path / "voc" / pair.label,
        "json": tmp_path / "coco" / "annotations" / "instances.json",
        "image of a json": tmp_path / "coco" / "images" / "000000000003.jpg",
    }


def touch(path: Path) -> None:
    """Change one byte, but not the size."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def swap(path: Path) -> None:
    """Put another file of this name in its place."""
    path.with_name("new").write_bytes(path.read_bytes() + b" ")
    path.with_name("new").rename(path)


@pytest.mark.parametrize("change", [touch, swap, Path.unlink])
@pytest.mark.parametrize("where", ["image of a list", "label of a list", "image of a json"])
def test_a_file_that_changes_after_the_check_ends_the_conversion_with_its_name(
    data: dict[str, Path], tmp_path: Path, where: str, change: Callable[[Path], object]
) -> None:
    @contextmanager
    def changing(*, total: int, label: str) -> Iterator[Advance]:
        if label == "write":
            change(data[where])
        yield lambda _count: None

    dataset = open_dataset(data[where.split()[-1]])
    with pytest.raises(UnfinishedError, match=r"after it was checked: .* 0 of 1 shard finished") as error:
        to_mindrecord(dataset, tmp_path / "set", num_shards=1, progress=changing)
    assert data["image of a list"].name in str(error.value) or data[where].name in str(error.value)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("kind", ["list", "json"])
def test_files_that_do_not_change_are_written(data: dict[str, Path], tmp_path: Path, kind: str) -> None:
    to_mindrecord(open_dataset(data[kind]), tmp_path / "set", num_shards=1)
    assert verify(tmp_path / "set").ok


def test_a_label_that_changes_while_its_image_does_not_is_found(data: dict[str, Path], tmp_path: Path) -> None:
    status = data["label of a list"].stat()

    @contextmanager
    def changing(*, total: int, label: str) -> Iterator[Advance]:
        if label == "write":
            touch(data["label of a list"])
            os.utime(data["label of a list"], ns=(status.st_atime_ns, status.st_mtime_ns))
        yield lambda _count: None

    with pytest.raises(
        SegDataError, match=r"the image or its label was modified or replaced\. It changed after it was checked"
    ):
        to_mindrecord(open_dataset(data["list"]), tmp_path / "set", num_shards=1, progress=changing)
