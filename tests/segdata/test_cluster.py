"""Work on a Dask cluster: a real scheduler and two real worker processes on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import Result
from worker_functions import CountSent, die_once, fail_at_three, square_slowly_first, which_process

from segdata.cluster import Cluster, check_shared, cluster_map
from segdata.errors import InvalidInputError, SegDataError
from segdata.lists import Pair, read_list, write_list
from segdata.miniature.coco import write_coco
from segdata.miniature.sbd import write_release
from segdata.miniature.tif import write_stacks
from segdata.miniature.voc import write_devkit
from segdata.opening import open_dataset
from segdata.parallel import ordered_map
from segdata.records.convert import to_mindrecord
from segdata.records.resume import finished_shards
from segdata.records.verify import verify
from segdata.worker import Advance

pytest.importorskip("distributed")

HERE = Path(__file__).resolve().parents[1]


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@contextmanager
def running(*command: str, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program of Dask's, which can import what the tests hand it, in a folder of its own."""
    environment = os.environ | {"PYTHONPATH": str(HERE / "data")}
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + command[0], *command[1:]],
        cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    port = free_port()
    with running("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", cwd=folder):
        yield f"tcp://127.0.0.1:{port}"


def wait_until_listening(address: str) -> None:
    """Wait until a scheduler has started, however long that takes on a busy machine."""
    port, deadline = int(address.rpartition(":")[2]), time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{address}: no scheduler after 120 s")


@contextmanager
def worker(address: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
    with running("dask_worker", address, *options, "--local-directory", str(folder), cwd=folder) as process:
        yield process


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, in a folder that is not the caller's."""
    folder = tmp_path_factory.mktemp("cluster")
    with scheduler(folder) as address, worker(address, folder), worker(address, folder):
        yield Cluster(address)


def test_results_come_in_input_order(cluster: Cluster) -> None:
    results = ordered_map(square_slowly_first, range(100), workers=cluster, chunk=3)
    assert list(results) == [item * item for item in range(100)]


def test_each_worker_gets_the_function_once(cluster: Cluster) -> None:
    CountSent.sent = 0
    assert list(ordered_map(CountSent(), range(100), workers=cluster, chunk=5)) == [*range(100)]
    assert 1 <= CountSent.sent <= 2


def test_all_workers_have_a_part_of_the_work(cluster: Cluster) -> None:
    assert len(set(ordered_map(which_process, range(400), workers=cluster, chunk=5))) == 2


def test_a_list_of_any_length_streams_through(cluster: Cluster) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(10_000):
            taken += 1
            yield item

    results = ordered_map(square_slowly_first, items(), workers=cluster)
    assert next(results) == 0
    assert taken < 50
    results.close()


def test_an_error_of_a_worker_reaches_the_caller(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="three"):
        list(ordered_map(fail_at_three, range(5), workers=cluster))


def test_errors_of_ours_keep_what_they_say_on_their_way(cluster: Cluster) -> None:
    from worker_functions import fail_with_a_code

    with pytest.raises(InvalidInputError, match="not a mask") as error:
        list(ordered_map(fail_with_a_code, [1], workers=cluster))
    assert error.value.code == "label_mode"


def test_a_record_set_is_the_same_byte_for_byte(cluster: Cluster, devkit: Path, tmp_path: Path) -> None:
    source = open_dataset(devkit / "voc_trainval_lst.txt", data_root=devkit)
    to_mindrecord(source, tmp_path / "here" / "set", num_shards=4)
    report = to_mindrecord(source, tmp_path / "there" / "set", num_shards=4, workers=cluster)
    assert report.rows == 13
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_an_instance_set_is_the_same_byte_for_byte(cluster: Cluster, tmp_path: Path) -> None:
    write_coco(tmp_path / "coco")
    source = open_dataset(tmp_path / "coco" / "annotations" / "instances.json", images=tmp_path / "coco" / "images")
    to_mindrecord(source, tmp_path / "here" / "set", num_shards=3)
    to_mindrecord(source, tmp_path / "there" / "set", num_shards=3, workers=cluster)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_a_conversion_that_was_interrupted_here_resumes_there(cluster: Cluster, devkit: Path, tmp_path: Path) -> None:
    @contextmanager
    def interrupting(*, total: int, label: str) -> Iterator[Advance]:
        def advance(_rows: int) -> None:
            if label == "write" and finished_shards(tmp_path / "set") == 2:
                raise KeyboardInterrupt

        yield advance

    source = open_dataset(devkit / "voc_trainval_lst.txt", data_root=devkit)
    with pytest.raises(KeyboardInterrupt):
        to_mindrecord(source, tmp_path / "set", num_shards=5, workers=1, progress=interrupting)
    assert to_mindrecord(source, tmp_path / "set", num_shards=5, workers=cluster, resume=True).shards_kept == 2
    assert verify(tmp_path / "set").ok


def test_commands_write_the_same_files_there_as_here(
    cluster: Cluster, segdata: Callable[..., Result], tmp_path: Path
) -> None:
    for place, options in (("here", ()), ("there", ("--scheduler", cluster.address))):
        root = tmp_path / place
        write_devkit(root, train=6, val=2)
        write_release(root, voc_train=6, voc_val=2)
        write_stacks(root / "stacks", pages=5)
        for command in (
            ("voc-decolor", "--data_root", root),
            ("sbd-merge", "--data_root", root),
            (
                *(
                    "tif-slice",
                    "--images",
                    root / "stacks" / "train-volume.tif",
                    "--labels",
                    root / "stacks" / "train-labels.tif",
                ),
                *("--map", "0:0,255:1", "--dst_path", root / "sliced"),
            ),
        ):
            result = segdata(*command, *options)
            assert result.exit_code == 0, result.stderr
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_relative_paths_are_the_callers(
    cluster: Cluster, devkit: Path, segdata: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(devkit, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    command = "to-mindrecord --data_root data --data_lst data/voc_train_lst.txt --dst_path set --num_shards 2"
    result = segdata(*command.split(), "--scheduler", cluster.address)
    assert result.exit_code == 0, result.stderr
    assert verify(tmp_path / "set").ok


def test_what_was_under_way_on_a_worker_that_is_killed_is_done_again(devkit: Path, tmp_path: Path) -> None:
    pairs = read_list(devkit / "voc_trainval_lst.txt")
    for copy in range(60):
        (tmp_path / "data" / str(copy)).parent.mkdir(exist_ok=True)
        (tmp_path / "data" / str(copy)).symlink_to(devkit)
    listed = [Pair(f"{copy}/{pair.image}", f"{copy}/{pair.label}") for copy in range(60) for pair in pairs]
    write_list(tmp_path / "list.txt", listed, overwrite=False)
    source = open_dataset(tmp_path / "list.txt", data_root=tmp_path / "data")
    to_mindrecord(source, tmp_path / "here" / "set", num_shards=30)

    with ExitStack() as stack:
        address = stack.enter_context(scheduler(tmp_path))
        victim, _ = (stack.enter_context(worker(address, tmp_path)) for _ in range(2))
        killed = False

        @contextmanager
        def killing(*, total: int, label: str) -> Iterator[Advance]:
            def advance(_rows: int) -> None:
                nonlocal killed
                if label == "write" and not killed:
                    victim.send_signal(signal.SIGKILL)
                    killed = True

            yield advance

        to_mindrecord(source, tmp_path / "there" / "set", num_shards=30, workers=Cluster(address), progress=killing)
        assert killed
        assert victim.wait() == -signal.SIGKILL
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert os.listdir(tmp_path / "there") == ["set"]


def test_work_that_kills_its_worker_is_done_by_another(tmp_path: Path) -> None:
    with scheduler(tmp_path) as address, worker(address, tmp_path), worker(address, tmp_path):
        results = cluster_map(die_once, [(tmp_path / "died", item) for item in range(20)], Cluster(address))
        assert list(results) == list(range(20))
    assert (tmp_path / "died").exists()


def test_a_scheduler_that_does_not_answer_is_a_sentence(
    segdata: Callable[..., Result], devkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segdata.cluster.PATIENCE", 1)
    address = f"tcp://127.0.0.1:{free_port()}"
    result = segdata("voc-decolor", "--data_root", devkit, "--dry-run", "--overwrite", "--scheduler", address)
    assert result.exit_code == 1
    assert f"{address}: no Dask scheduler answers at this address" in result.stderr


def test_a_scheduler_without_workers_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scheduler(tmp_path) as address:
        wait_until_listening(address)
        # Enough for the scheduler's answer on a busy machine, since the test waits for all of it.
        monkeypatch.setattr("segdata.cluster.PATIENCE", 5)
        with pytest.raises(SegDataError, match="the scheduler has no workers"):
            list(cluster_map(square_slowly_first, [1], Cluster(address)))


def test_a_folder_that_a_worker_does_not_see_is_named(cluster: Cluster, tmp_path: Path) -> None:
    check_shared(cluster, tmp_path)
    with pytest.raises(SegDataError, match="not visible to workers tcp://"):
        check_shared(cluster, tmp_path / "elsewhere")


@pytest.mark.parametrize("address", ["", "x", "tcp://", "tcp://h:x", "tcp://h:99999", "http://h:1", "inproc://x"])
def test_an_address_of_another_form_is_a_sentence(address: str) -> None:
    with pytest.raises(SegDataError, match="not the address of a Dask scheduler; expected tcp://HOST:PORT"):
        list(cluster_map(square_slowly_first, [1], Cluster(address)))


def run_until_ended(address: str, *, patience: int) -> subprocess.CompletedProcess[str]:
    """Start work in a process of its own, which must also end: Dask's threads may keep it."""
    program = (
        "import segdata.cluster as c; from worker_functions import square_slowly_first as f; "
        f"c.PATIENCE = {patience}; print(sum(c.cluster_map(f, [0] * 10_000, c.Cluster({address!r}))))"
    )
    environment = os.environ | {"PYTHONPATH": str(HERE / "data")}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)


def test_another_program_at_the_address_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        ended = run_until_ended(address, patience=1)
    assert ended.stderr.splitlines()[-1].endswith(
        f"{address}: no Dask scheduler answers at this address: nothing within 1 s"
    )
    assert "Exception ignored" not in ended.stderr


def test_tls_without_certificates_is_a_sentence() -> None:
    with pytest.raises(SegDataError, match=r"Set distributed\.comm\.tls"):
        list(cluster_map(square_slowly_first, [1], Cluster("tls://127.0.0.1:1")))


def test_a_scheduler_that_goes_away_is_a_sentence(tmp_path: Path) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(scheduler(tmp_path))
        stack.enter_context(worker(address, tmp_path))
        results = cluster_map(square_slowly_first, [0] * 10_000, Cluster(address))
        next(results)
        stack.close()
        with pytest.raises(SegDataError, match=f"{address}: the connection to the scheduler was lost"):
            list(results)


def test_workers_and_a_scheduler_exclude_each_other(segdata: Callable[..., Result], devkit: Path) -> None:
    result = segdata("voc-decolor", "--data_root", devkit, "--workers", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    assert "Give only one" in result.stderr


@pytest.mark.parametrize("command", ["check", "stats"])
def test_reports_are_the_same_there_as_here(
    command: str, cluster: Cluster, devkit: Path, segdata: Callable[..., Result]
) -> None:
    options = (
        command,
        devkit / "voc_trainval_lst.txt",
        "--json",
        *(("--hash", "--decode") if command == "check" else ()),
    )
    here = segdata(*options)
    there = segdata(*options, "--scheduler", cluster.address)
    assert there.exit_code == here.exit_code == 0, there.stderr
    assert there.stdout == here.stdout
