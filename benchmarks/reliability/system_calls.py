"""Let each system call with which a command publishes fail once, and judge what is there and what the next run does.

    python benchmarks/reliability/system_calls.py [--each 6 --command NAME …]

strace injects the error EIO (strace(1), "inject"). It counts the calls of every thread on its own, so the numbers of
the calls come from an undisturbed run under strace. Of each call that a thread makes on files of the result, `--each`
are chosen, the first and the last included. The exit status is 1 if anything was refused, leaked or lost, or if a run
reported success without its result.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
from commands import COMMANDS, left_over, make_data, run, state
from kill import COUNTS, Case

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from timing import print_table

CALLS = ("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "rmdir", "write", "fsync")

#: Outcomes in the table: those of the kills, and runs that claimed success.
COLUMNS = ("faults", "succeeded", *COUNTS[1:], "false success")

_CALL = re.compile(r"^(?:\[pid +)?(\d+)\]? +(\w+)\(")


def traced(case: Case, inject: str | None, folder: Path, log: Path) -> int:
    """Run the command under strace, and return its exit status."""
    what = ["-e", f"inject={inject}"] if inject else []
    strace = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={','.join(CALLS)}", *what]
    return run([*strace, *case.command.line(*case.command.new, "--overwrite")], folder).returncode


def calls(case: Case, each: int) -> list[tuple[str, int]]:
    """Return names and numbers of calls that touch what the command writes."""
    folder, log = case.base / "run", case.base / "log"
    shutil.copytree(case.base / "old", folder, symlinks=True)
    traced(case, None, folder, log)
    shutil.rmtree(folder)
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[str, set[int]] = defaultdict(set)
    for line in log.read_text(errors="replace").splitlines():
        if match := _CALL.match(line):
            thread, name = match.groups()
            seen[thread, name] += 1
            # Python's own caches and the pipes to this process are not what is published.
            if str(folder) in line or re.search(r'"(\.|out|voc|sbd)', line):
                found[name].add(seen[thread, name])
    chosen = []
    for name, numbers in sorted(found.items()):
        ordered = sorted(numbers)
        picks = np.unique(np.linspace(0, len(ordered) - 1, min(each, len(ordered))).round().astype(int))
        chosen += [(name, ordered[pick]) for pick in picks]
    return chosen


def fail(case: Case, name: str, number: int) -> None:
    """Run the command with one failing call."""
    folder = case.base / "run"
    shutil.copytree(case.base / "old", folder, symlinks=True)
    status = traced(case, f"{name}:error=EIO:when={number}", folder, case.base / "log")
    case.counts["faults"] += 1
    case.judge(folder)
    if status == 0:
        case.counts["succeeded"] += 1
        complete = state(case.command, folder) == case.new or case.command.name == "fit"
        if not complete:
            case.counts["false success"] += 1
            print(f"{case.command.name}: {name} {number}: success without the result", flush=True)
    elif left := left_over(folder):
        print(f"{case.command.name}: {name} {number}: left {left} until the next run", flush=True)
    before = case.counts["next run failed"] + case.counts["refused"]
    case.run_again(folder)
    if case.counts["next run failed"] + case.counts["refused"] > before:
        print(f"{case.command.name}: after {name} {number}", flush=True)
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=6)
    parser.add_argument("--command", action="append", choices=[command.name for command in COMMANDS])
    options = parser.parse_args()
    if not shutil.which("strace"):
        raise SystemExit("strace is missing; expected it on PATH")
    with tempfile.TemporaryDirectory() as base:
        data = Path(base, "data")
        data.mkdir()
        make_data(data)
        wanted = [command for command in COMMANDS if not options.command or command.name in options.command]
        cases = [Case(command, Path(base), data) for command in wanted]
        # Ctrl-C ends the measurement early; the table counts what was done.
        with suppress(KeyboardInterrupt):
            for case in cases:
                for name, number in calls(case, options.each):
                    fail(case, name, number)
    rows = [(case.command.name, *(str(case.counts[name]) for name in COLUMNS)) for case in cases]
    total = sum((case.counts for case in cases), Counter())
    print_table([("command", *COLUMNS), *rows, ("all", *(str(total[name]) for name in COLUMNS))])
    raise SystemExit(any(total[name] for name in (*COUNTS[4:], "false success")))


if __name__ == "__main__":
    main()
