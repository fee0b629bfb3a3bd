"""Kill every writing command at random moments and judge what is there, and whether the next run succeeds.

    python benchmarks/reliability/kill.py [--kills 200 --seed 0 --command NAME …]

Half of the kills come at a uniformly random moment of the run, the others within 50 ms after the first hidden file
appears: that is when something is written. The exit status is 1 if anything was refused, leaked or lost.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

from commands import COMMANDS, Command, leaks, left_over, make_data, make_old, others, readable, run, state

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from timing import print_table

#: What is counted for each command; all but the first four must be 0.
COUNTS = ("kills", "old", "new", "missing", "refused", "leaks", "lost", "next run failed", "left over")


class Case:
    """A command, its old and its new result, and what happened to it."""

    def __init__(self, command: Command, base: Path, data: Path) -> None:
        self.command = command
        self.base = base / command.name
        self.base.mkdir()
        make_old(command, data, self.base / "old")
        self.old = state(command, self.base / "old")
        shutil.copytree(self.base / "old", self.base / "new", symlinks=True)
        started = time.perf_counter()
        done = run(command.line(*command.new, "--overwrite"), self.base / "new")
        assert not done.returncode, done.stderr
        self.seconds = time.perf_counter() - started
        self.new = state(command, self.base / "new")
        self.others = others(command, self.base / "old")
        self.counts = Counter(dict.fromkeys(COUNTS, 0))

    def kill(self, draw: random.Random) -> None:
        """Kill one run, judge what it left, and run it again."""
        folder = self.base / "run"
        shutil.copytree(self.base / "old", folder, symlinks=True)
        process = subprocess.Popen(
            self.command.line(*self.command.new, "--overwrite"),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if draw.random() < 0.5:
            self._wait(process, draw.uniform(0, self.seconds))
        else:
            while process.poll() is None and not left_over(folder):
                time.sleep(0.001)
            self._wait(process, draw.uniform(0, 0.05))
        process.kill()
        process.wait()
        self.counts["kills"] += 1
        self.judge(folder)
        self.run_again(folder)
        shutil.rmtree(folder)

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def judge(self, folder: Path) -> None:
        """Count what is under the final names, and what was lost."""
        found = state(self.command, folder)
        if self.command.name == "fit":
            outcome = "old" if found == self.old else "new" if readable(self.command, folder) else "refused"
        elif found == self.old:
            outcome = "old"
        elif found == self.new:
            outcome = "new"
        else:
            outcome = "missing" if self._is_part(folder, found) else "refused"
        self.counts[outcome] += 1
        self.counts["leaks"] += leaks(self.command, folder)
        now = others(self.command, folder)
        self.counts["lost"] += sum(now.get(name) != digest for name, digest in self.others.items())
        if outcome == "refused":
            print(f"{self.command.name}: {sorted(found)}", flush=True)

    def _is_part(self, folder: Path, found: dict[str, str]) -> bool:
        """Return whether each result is complete and old, complete and new, or missing."""
        for result in self.command.results:
            parts = [
                {name: digest for name, digest in each.items() if name == result or name.startswith(f"{result}/")}
                for each in (found, self.old, self.new)
            ]
            if parts[0] and parts[0] not in parts[1:]:
                return False
        return True

    def run_again(self, folder: Path) -> None:
        """Run the command to its end, and count what is wrong then."""
        more = self.command.again
        if self.command.name == "fit" and (folder / self.command.results[0] / "last.ckpt").exists():
            # A training that was replaced is continued, or it has not begun and is replaced.
            settings = (folder / self.command.results[0] / "config.yaml").read_text()
            more = ("--resume",) if "seed: 2" in settings else more
        done = run(self.command.line(*self.command.new, *more), folder)
        same = state(self.command, folder) == self.new or (self.command.name == "fit" and not done.returncode)
        if done.returncode or not same:
            self.counts["next run failed"] += 1
            print(f"{self.command.name}: {done.returncode} {done.stdout[-500:]}{done.stderr[-500:]}", flush=True)
        if left := left_over(folder):
            self.counts["left over"] += 1
            print(f"{self.command.name}: left {left}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", action="append", choices=[command.name for command in COMMANDS])
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as base:
        data = Path(base, "data")
        data.mkdir()
        make_data(data)
        wanted = [command for command in COMMANDS if not options.command or command.name in options.command]
        cases = [Case(command, Path(base), data) for command in wanted]
        # Ctrl-C ends the measurement early; the table counts what was done.
        with suppress(KeyboardInterrupt):
            for case in islice(cycle(cases), options.kills):
                case.kill(draw)
    rows = [(case.command.name, *(str(case.counts[name]) for name in COUNTS)) for case in cases]
    total = sum((case.counts for case in cases), Counter())
    print_table([("command", *COUNTS), *rows, ("all", *(str(total[name]) for name in COUNTS))])
    raise SystemExit(any(total[name] for name in COUNTS[4:]))


if __name__ == "__main__":
    main()
