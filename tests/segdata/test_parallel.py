"""The map keeps the order, passes errors on and does not read ahead without bound."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import NoReturn

import pytest
from worker_functions import (
    CountSent,
    count_to,
    die_at_three,
    die_while_sending,
    double_if_even,
    fail_at_three,
    fail_or_work_until_stopped,
    square_slowly_first,
    squares_by_processes,
    which_process,
)

from segdata.errors import Fault, SegDataError
from segdata.parallel import WorkerKind, map_faults, ordered_map
from segdata.processes import WorkerProcesses
from segdata.worker import Advance


@pytest.mark.parametrize(("workers", "kind"), [(1, "threads"), (4, "threads"), (2, "processes")])
def test_results_come_in_input_order(workers: int, kind: WorkerKind) -> None:
    for chunk in (1, 7):
        squares = ordered_map(square_slowly_first, range(30), workers=workers, kind=kind, chunk=chunk)
        assert list(squares) == [i * i for i in range(30)]


@pytest.mark.parametrize(("workers", "kind"), [(1, "threads"), (4, "threads"), (2, "processes")])
def test_an_error_of_a_worker_reaches_the_caller(workers: int, kind: WorkerKind) -> None:
    with pytest.raises(ValueError, match="three"):
        list(ordered_map(fail_at_three, range(10), workers=workers, kind=kind))


def test_each_worker_process_gets_the_function_once() -> None:
    CountSent.sent = 0
    assert list(ordered_map(CountSent(), range(100), workers=2, kind="processes")) == [*range(100)]
    assert 1 <= CountSent.sent <= 2


def test_a_function_that_cannot_be_sent_ends_with_its_reason_and_not_with_a_hang() -> None:
    def local(item: int) -> int:
        return item

    with pytest.raises((AttributeError, pickle.PicklingError), match="local"):
        list(ordered_map(local, range(10), workers=2, kind="processes"))


def test_a_worker_process_that_dies_is_a_sentence_not_a_hang() -> None:
    with pytest.raises(SegDataError, match="worker process was killed"):
        list(ordered_map(die_at_three, range(10), workers=2, kind="processes"))


def test_a_worker_process_that_dies_while_it_sends_its_result_is_a_sentence_not_a_hang() -> None:
    with pytest.raises(SegDataError, match="worker process was killed"):
        list(ordered_map(die_while_sending, range(10), workers=2, kind="processes"))


def test_the_caller_works_while_worker_processes_start() -> None:
    assert list(ordered_map(which_process, [0], workers=2, kind="processes", chunk=10)) == [os.getpid()]
    # On a busy machine, the processes may start late: there is work until both have some.
    results = ordered_map(which_process, range(10**6), workers=2, kind="processes", chunk=10)
    seen = [next(results)]
    assert seen == [os.getpid()]
    while len(set(seen)) < 3:
        seen.append(next(results))
    del results


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_in_the_worker_of_a_pool_threads_do_the_work_of_processes(method: str) -> None:
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.map(squares_by_processes, [7]) == [[0, 1, 4, 9, 16, 25, 36]]


def test_in_a_program_from_standard_input_threads_do_the_work_of_processes() -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "data")}
    program = "import worker_functions; print(worker_functions.squares_by_processes(4))"
    done = subprocess.run([sys.executable], input=program, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[0, 1, 4, 9]\n", "")


def test_a_script_that_its_workers_run_again_is_told_the_line_that_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import worker_functions; print(worker_functions.squares_by_processes(4))")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "data")}
    done = subprocess.run([sys.executable, tmp_path / "script.py"], env=environment, capture_output=True, text=True)
    assert 'expected its work under `if __name__ == "__main__":`. Add that line, or use 1 worker.' in done.stderr


def test_without_shared_memory_threads_do_the_work_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> NoReturn:
        raise OSError(30, "Read-only file system", "/dev/shm/pym")

    monkeypatch.setattr(ForkServerContext, "Value", refuse)
    assert squares_by_processes(5) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_a_worker_that_cannot_be_started_is_a_sentence(monkeypatch: pytest.MonkeyPatch, kind: WorkerKind) -> None:
    def refuse(*_arguments: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    if kind == "threads":
        monkeypatch.setattr(threading.Thread, "start", refuse)
    else:
        monkeypatch.setattr(WorkerProcesses, "_connection", refuse)
    with pytest.raises(SegDataError, match=r"no further worker can be started \(can't start new thread\)"):
        list(ordered_map(square_slowly_first, range(5), workers=2, kind=kind))


def test_the_traceback_of_a_worker_process_is_kept() -> None:
    with pytest.raises(ValueError, match="three") as caught:
        list(ordered_map(fail_at_three, range(10), workers=2, kind="processes"))
    assert "in fail_at_three" in str(caught.value.__cause__)


def test_worker_processes_end_when_their_parent_is_killed() -> None:
    program = "import worker_functions; worker_functions.keep_two_workers_busy()"
    folder = Path(__file__).parents[1] / "data"
    environment = os.environ | {"PYTHONPATH": str(folder)}
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment, text=True)
    assert parent.stdout is not None
    workers = {int(parent.stdout.readline()) for _ in range(2)}
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < deadline, f"still running: {workers}"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(("workers", "kind"), [(1, "threads"), (4, "threads"), (2, "processes")])
def test_long_items_report_their_parts(workers: int, kind: WorkerKind) -> None:
    done: list[int] = []
    results = ordered_map(count_to, [5, 0, 3, 9], workers=workers, kind=kind, advance=done.append)
    assert list(results) == [5, 0, 3, 9]
    assert sum(done) == 17
    # Nobody is told outside the map.
    count_to(2)
    assert sum(done) == 17


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_long_items_end_when_the_caller_needs_no_more(tmp_path: Path, kind: WorkerKind) -> None:
    tasks = [("fail", tmp_path / "state"), ("work", tmp_path / "state")]
    with pytest.raises(ValueError, match="a fault"):
        list(ordered_map(fail_or_work_until_stopped, tasks, workers=2, kind=kind))
    assert (tmp_path / "state").read_text() == "stopped"


def test_a_long_input_is_read_only_as_far_as_results_are_taken() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(1000):
            taken += 1
            yield item

    results = ordered_map(str, items(), workers=2)
    assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    assert taken < 20
    results.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("workers", "kind"), [(1, "threads"), (4, "threads"), (2, "processes")])
def test_items_that_are_refused_are_collected_and_the_others_done(workers: int, kind: WorkerKind) -> None:
    done: list[tuple[str, int]] = []

    @contextmanager
    def counting(*, total: int, label: str) -> Iterator[Advance]:
        yield lambda count: done.append((f"{label} {total}", count))

    faults: list[Fault] = []
    doubled = map_faults(
        double_if_even,
        range(7),
        faults,
        name=str,
        total=7,
        label="items",
        progress=counting,
        workers=workers,
        kind=kind,
        chunk=2,
    )
    assert list(doubled) == [0, 4, 8, 12]
    assert faults == [Fault("label_mode", str(odd), f"{odd} is odd") for odd in (1, 3, 5)]
    assert done == [("items 7", 1)] * 7
