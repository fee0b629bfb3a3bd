"""A conversion that is interrupted, killed or out of disk space leaves nothing at the target and can resume."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segdata.errors import SegDataError, TargetExistsError
from segdata.files.publishing import staged_directory
from segdata.images.values import ValueRange
from segdata.labels.classes import Classes
from segdata.labels.masks import decode_index_png, encode_index_png
from segdata.lists import Pair, read_list, write_list
from segdata.opening import open_dataset
from segdata.records.convert import UnfinishedError, to_mindrecord
from segdata.records.convert_report import ConvertReport
from segdata.records.resume import PlanChangedError, finished_shards
from segdata.records.verify import verify
from segdata.worker import Advance

SHARDS = 8


def convert(root: Path, target: Path, **options: Any) -> ConvertReport:
    source = open_dataset(root / "list.txt", data_root=root, classes=options.pop("classes", Classes()))
    return to_mindrecord(source, target, **({"num_shards": SHARDS, "workers": 1} | options))


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@contextmanager
def interrupting(*, total: int, label: str) -> Iterator[Advance]:
    """Progress that presses Ctrl-C once five rows are written."""
    done = 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        if label == "write" and done > 5:
            raise KeyboardInterrupt

    yield advance


@pytest.fixture
def root(devkit: Path, tmp_path: Path) -> Path:
    """A copy of the devkit that a test may change, and a list of its 13 samples."""
    shutil.copytree(devkit, tmp_path / "data")
    shutil.copy(devkit / "voc_trainval_lst.txt", tmp_path / "data" / "list.txt")
    return tmp_path / "data"


@pytest.fixture
def interrupted(root: Path, tmp_path: Path) -> Path:
    """The target of a conversion that was interrupted after some of its shards."""
    with pytest.raises(KeyboardInterrupt, match=r"2 of 8 shards finished"):
        convert(root, tmp_path / "out" / "set", progress=interrupting)
    return tmp_path / "out" / "set"


@pytest.fixture
def undisturbed(root: Path, tmp_path: Path) -> dict[str, bytes]:
    convert(root, tmp_path / "undisturbed" / "set")
    return contents(tmp_path / "undisturbed" / "set")


def test_an_interruption_leaves_only_the_staging_directory(interrupted: Path) -> None:
    assert os.listdir(interrupted.parent) == [".set.staging"]
    assert finished_shards(interrupted) == 2


@pytest.mark.parametrize("workers", [1, 4])
def test_resuming_gives_the_bytes_of_an_undisturbed_run(
    workers: int, root: Path, interrupted: Path, undisturbed: dict[str, bytes]
) -> None:
    report = convert(root, interrupted, resume=True, workers=workers)
    assert (report.shards_kept, report.rows) == (2, 13)
    assert contents(interrupted) == undisturbed
    assert os.listdir(interrupted.parent) == ["set"]


def test_without_resume_all_is_written_again(root: Path, interrupted: Path, undisturbed: dict[str, bytes]) -> None:
    assert convert(root, interrupted, resume=False, workers=2).shards_kept == 0
    assert contents(interrupted) == undisturbed


def test_resume_may_be_given_where_nothing_was_interrupted(root: Path, tmp_path: Path) -> None:
    assert convert(root, tmp_path / "out" / "set", resume=True).shards_kept == 0
    assert verify(tmp_path / "out" / "set").ok


def test_a_finished_set_is_kept_by_resume(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "set"
    first = convert(root, target)
    before = contents(target)
    again = convert(root, target, resume=True)
    assert (again.finished, again.written, again.rows, again.bytes_on_disk) == (True, False, 13, first.bytes_on_disk)
    assert contents(target) == before
    assert not first.finished
    # With overwrite, it is written again.
    assert convert(root, target, resume=True, overwrite=True).written


@pytest.mark.parametrize(
    ("options", "words"),
    [({"num_shards": 4}, "num_shards is "), ({"seed": 3}, "seed is 0"), ({"shuffle": False}, "shuffle is True")],
)
def test_a_finished_set_of_another_conversion_is_not_resumed(
    root: Path, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    convert(root, tmp_path / "set")
    before = contents(tmp_path / "set")
    with pytest.raises(TargetExistsError, match=f"already exists with other contents: {words}") as caught:
        convert(root, tmp_path / "set", resume=True, **options)
    assert caught.value.replaceable
    assert contents(tmp_path / "set") == before


def test_a_finished_set_of_fewer_samples_or_with_a_missing_file_is_not_resumed(root: Path, tmp_path: Path) -> None:
    convert(root, tmp_path / "set")
    next((tmp_path / "set").glob("*.db")).unlink()
    with pytest.raises(TargetExistsError, match=r"already exists, and is damaged: .*does not exist"):
        convert(root, tmp_path / "set", resume=True)
    lines = (root / "list.txt").read_text().splitlines(keepends=True)
    (root / "list.txt").write_text("".join(lines[1:]))
    with pytest.raises(TargetExistsError, match="already exists with other contents"):
        convert(root, tmp_path / "set", resume=True)


def _edit_image(root: Path) -> None:
    path = root / read_list(root / "list.txt")[4].image
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


def _rename_image(root: Path) -> None:
    pairs = read_list(root / "list.txt")
    renamed = pairs[4].image.replace("JPEGImages/2", "JPEGImages/9")
    (root / pairs[4].image).rename(root / renamed)
    write_list(root / "list.txt", [*pairs[:4], Pair(renamed, pairs[4].label), *pairs[5:]], overwrite=True)


@pytest.mark.parametrize("change", [_edit_image, _rename_image])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_finished_set_of_samples_that_changed_since_and_kept_their_counts_is_not_resumed(
    root: Path, tmp_path: Path, change: Callable[[Path], None], workers: int
) -> None:
    convert(root, tmp_path / "set")
    before = contents(tmp_path / "set")
    change(root)
    with pytest.raises(TargetExistsError, match="images, annotations or their names have changed since") as caught:
        convert(root, tmp_path / "set", resume=True, workers=workers)
    assert caught.value.replaceable
    assert contents(tmp_path / "set") == before
    convert(root, tmp_path / "set", resume=True, overwrite=True)
    assert convert(root, tmp_path / "set", resume=True).finished


def test_a_finished_set_whose_images_meant_other_values_is_not_resumed(root: Path, tmp_path: Path) -> None:
    def run(value_range: ValueRange | None) -> ConvertReport:
        source = open_dataset(root / "list.txt", classes=Classes(), value_range=value_range)
        return to_mindrecord(source, tmp_path / "set", num_shards=2, resume=True)

    assert run(ValueRange(0.0, 255.0)).written
    with pytest.raises(TargetExistsError, match=r"value_range is \(0.0, 255.0\) there, \(0.0, 99.0\) here"):
        run(ValueRange(0.0, 99.0))
    assert run(ValueRange(0.0, 255.0)).finished


def test_a_finished_set_of_boxes_that_moved_is_not_resumed(coco: Path, tmp_path: Path) -> None:
    annotations = tmp_path / "instances.json"
    data = json.loads((coco / "annotations" / "instances.json").read_bytes())

    def run() -> ConvertReport:
        annotations.write_text(json.dumps(data))
        return to_mindrecord(
            open_dataset(annotations, images=coco / "images"), tmp_path / "set", num_shards=1, resume=True
        )

    assert run().written and run().finished
    data["annotations"][0]["bbox"][2] -= 1
    with pytest.raises(TargetExistsError, match="images, annotations or their names have changed since"):
        run()


def test_a_finished_shard_that_was_damaged_since_is_written_again(
    root: Path, interrupted: Path, undisturbed: dict[str, bytes]
) -> None:
    shard = next(interrupted.parent.glob(".set.staging/new/plan-*/shard-0001/set.mindrecord1"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    assert convert(root, interrupted, resume=True).shards_kept == 1
    assert contents(interrupted) == undisturbed


def change_image(root: Path) -> None:
    path = root / read_list(root / "list.txt")[4].image
    path.write_bytes(path.read_bytes() + b"\0")


def touch_image(root: Path) -> None:
    os.utime(root / read_list(root / "list.txt")[4].image, (0, 0))


def change_label(root: Path) -> None:
    path = root / read_list(root / "list.txt")[4].label
    path.write_bytes(encode_index_png(np.fliplr(decode_index_png(path.read_bytes()))))


def shorten_list(root: Path) -> None:
    write_list(root / "list.txt", read_list(root / "list.txt")[:-1], overwrite=True)


def replace_sample(root: Path) -> None:
    pairs = read_list(root / "list.txt")
    old = pairs[4].image
    shutil.copy(root / old, root / "other.jpg")
    write_list(root / "list.txt", [*pairs[:4], Pair("other.jpg", pairs[4].label), *pairs[5:]], overwrite=True)


@pytest.mark.parametrize(
    ("change", "options", "difference"),
    [
        (None, {"num_shards": 4}, "num_shards was 8 and is now 4"),
        (None, {"seed": 3}, "seed was 0 and is now 3"),
        (None, {"shuffle": False}, "shuffle was True and is now False"),
        (None, {"classes": Classes(tuple(f"class_{id_}" for id_ in range(21)))}, "classes was .*'background'"),
        (shorten_list, {}, "rows was 13 and is now 12"),
        (change_image, {}, r"sample 5, \S+\.jpg, was modified or replaced"),
        (touch_image, {}, r"sample 5, \S+\.jpg, was modified or replaced"),
        (change_label, {}, r"sample 5, \S+\.jpg, was modified or replaced"),
        (replace_sample, {}, r"sample 5, \S*other\.jpg, was modified or replaced"),
    ],
)
def test_another_plan_is_refused_and_the_first_difference_named(
    change: object, options: dict[str, object], difference: str, root: Path, interrupted: Path
) -> None:
    if callable(change):
        change(root)
    with pytest.raises(PlanChangedError, match=difference):
        convert(root, interrupted, resume=True, **options)
    assert finished_shards(interrupted) == 2


@pytest.mark.parametrize(
    ("program", "difference"),
    [
        ({"segdata": "0.0.9"}, r"segdata was '0\.0\.9' and is now '.+'"),
        # As saved by versions that wrote with MindSpore.
        ({"mindspore": "2.6.0"}, r"mindspore was '2\.6\.0' and is now None"),
    ],
)
def test_another_version_is_refused(root: Path, interrupted: Path, program: dict[str, str], difference: str) -> None:
    plan = next(interrupted.parent.glob(".set.staging/new/plan-*/plan.json"))
    saved = json.loads(plan.read_bytes())
    saved["program"] |= program
    plan.write_text(json.dumps(saved))
    plan.parent.rename(plan.parent.with_name("plan-0123456789abcdef"))
    with pytest.raises(PlanChangedError, match=difference):
        convert(root, interrupted, resume=True)
    assert convert(root, interrupted, resume=False).written


def test_a_damaged_plan_is_refused(root: Path, interrupted: Path) -> None:
    plan = next(interrupted.parent.glob(".set.staging/new/plan-*/plan.json"))
    plan.write_bytes(plan.read_bytes()[:40])
    plan.parent.rename(plan.parent.with_name("plan-0123456789abcdef"))
    with pytest.raises(PlanChangedError, match="its saved plan is damaged"):
        convert(root, interrupted, resume=True)


def test_a_second_run_at_the_same_target_is_refused(root: Path, interrupted: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        with staged_directory(interrupted, overwrite=False, ours=(), keep=True):
            with pytest.raises(SegDataError, match="another run is writing"):
                convert(root, interrupted, resume=True)
            raise ZeroDivisionError
    assert convert(root, interrupted, resume=True).shards_kept == 2


def test_a_file_that_vanishes_on_the_way_ends_it_with_a_sentence(root: Path, tmp_path: Path) -> None:
    @contextmanager
    def removing(*, total: int, label: str) -> Iterator[Advance]:
        if label == "write":
            (root / read_list(root / "list.txt")[0].image).unlink()
        yield lambda _rows: None

    with pytest.raises(
        UnfinishedError, match=r"jpg: does not exist\. It changed after it was checked: .*; \d of 8 shards finished"
    ):
        convert(root, tmp_path / "out" / "set", progress=removing, workers=2)
    assert os.listdir(tmp_path / "out") == [".set.staging"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system can only be mounted by root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_read_only_disk_is_a_sentence(root: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SegDataError, match="is not a writable directory"):
        convert(root, small_disk / "set")


@pytest.fixture(scope="session")
def long_list(devkit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The devkit's 13 samples 200 times, by links: a conversion long enough to be killed in."""
    root = tmp_path_factory.mktemp("long") / "data"
    root.mkdir()
    pairs = read_list(devkit / "voc_trainval_lst.txt")
    for copy in range(200):
        (root / str(copy)).symlink_to(devkit)
    listed = [Pair(f"{copy}/{pair.image}", f"{copy}/{pair.label}") for copy in range(200) for pair in pairs]
    write_list(root / "list.txt", listed, overwrite=False)
    return root


@pytest.fixture(scope="session")
def undisturbed_long(long_list: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    target = tmp_path_factory.mktemp("undisturbed") / "set"
    convert(long_list, target, num_shards=40)
    return contents(target)


def test_a_full_disk_is_a_sentence_and_with_more_room_it_resumes(
    long_list: Path, small_disk: Path, undisturbed_long: dict[str, bytes]
) -> None:
    target = small_disk / "set"
    with pytest.raises(
        UnfinishedError, match=rf"^{small_disk}.*(disk is full|No space left).*; \d+ of 40 shards finished"
    ):
        convert(long_list, target, num_shards=40, workers=2)
    assert os.listdir(small_disk) == [".set.staging"]
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    assert convert(long_list, target, num_shards=40, resume=True).shards_kept > 0
    assert contents(target) == undisturbed_long


def start(root: Path, target: Path, *options: str) -> subprocess.Popen[str]:
    command = f"to-mindrecord --data_root {root} --data_lst {root / 'list.txt'} --dst_path {target} --num_shards 40"
    program = [sys.executable, "-c", "from segdata.cli import main; main()", *command.split(), *options]
    # A shell lets what it starts in the background ignore Ctrl-C, and so would the program.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(program, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=heed)


def wait_for_shards(target: Path, run: subprocess.Popen[str], count: int) -> None:
    while finished_shards(target) < count and run.poll() is None:
        time.sleep(0.002)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_cleanly_and_it_says_how_to_resume(
    sent: signal.Signals, status: int, long_list: Path, tmp_path: Path
) -> None:
    run = start(long_list, tmp_path / "set")
    wait_for_shards(tmp_path / "set", run, 3)
    run.send_signal(sent)
    _, errors = run.communicate()
    assert run.returncode == status
    assert f"{finished_shards(tmp_path / 'set')} of 40 shards finished. Use --resume to continue." in errors
    assert "Traceback" not in errors
    assert os.listdir(tmp_path) == [".set.staging"]


def test_killed_again_and_again_it_ends_with_the_same_bytes(
    long_list: Path, tmp_path: Path, undisturbed_long: dict[str, bytes]
) -> None:
    target = tmp_path / "set"
    kept = []
    for kill in range(4):
        run = start(long_list, target, "--resume", "--workers", "3")
        wait_for_shards(target, run, 6 * (kill + 1))
        run.kill()
        run.communicate()
        assert not target.exists()
        kept.append(finished_shards(target))
    assert kept == sorted(kept)
    assert kept[0] >= 6
    last = start(long_list, target, "--resume", "--workers", "3")
    assert last.communicate() == (None, "")
    assert contents(target) == undisturbed_long
    assert os.listdir(tmp_path) == ["set"]
