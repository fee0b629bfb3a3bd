"""Change the code in small ways (mutants) and count the changes that no test notices; mutmut makes and runs them.

    python benchmarks/mutation/run.py --module labels [--module lists] [--sample 300 --seed 0] [--workers 2]

The tree is copied first, so that mutants never touch it. Each mutant is tested by the tests of its module that reach
the changed function. `equivalent.yaml` names the mutants that no test can notice, each with the reason. The exit
status is 1 if others survive; each is printed in the form of that file.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from timing import print_table

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.yaml")
COPIED = ("segdata", "segtrain", "tests", "docs", "scripts", "README.md", "pyproject.toml")
KILLED = ("killed", "timeout", "segfault")


@dataclass(frozen=True)
class Module:
    """Files to change, the tests that must notice, tests to leave out because they take long, and files to leave out.

    What needs an object store has its tests beside those of other commands on stores (``tests/segdata/store``).
    """

    sources: str
    tests: str
    without: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


MODULES = {
    "labels": Module("segdata/labels/*", "tests/segdata/labels"),
    "lists": Module(
        "segdata/lists/*",
        "tests/segdata/lists",
        ("test_no_sample_changes_sides_when_others_come_or_go", "test_a_group_is_never_divided"),
    ),
    "records": Module(
        "segdata/records/*",
        "tests/segdata/records",
        ("test_killed_again_and_again", "test_a_signal_ends_it_cleanly", "test_a_full_disk", "several_processes"),
        ("segdata/records/fetch.py",),
    ),
    "mindrecord": Module(
        "segdata/mindrecord/*", "tests/segdata/mindrecord", ("several_processes", "test_memory_does_not_grow")
    ),
    "confusion": Module(
        "segtrain/evaluation/semantic/confusion.py", "tests/segtrain/evaluation/semantic/test_confusion.py"
    ),
    "membranes": Module(
        "segtrain/evaluation/semantic/membranes.py", "tests/segtrain/evaluation/semantic/test_membranes.py"
    ),
    "coco": Module("segtrain/evaluation/instance/coco.py", "tests/segtrain/evaluation/instance/test_coco.py"),
}

SETTINGS = """
[tool.mutmut]
source_paths = ["segdata", "segtrain"]
only_mutate = ["{sources}"]
do_not_mutate = {unchanged}
also_copy = ["docs", "scripts", "README.md"]
pytest_add_cli_args_test_selection = ["{tests}"{without}]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib"]
use_git_change_detection = false
timeout_multiplier = 3.0
timeout_constant = 10.0
"""


def copy(module: Module, work: Path) -> None:
    """Copy the tree to `work` with mutmut's settings for the module."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, work / name)
    without = f', "-k", "not ({" or ".join(module.without)})"' if module.without else ""
    settings = SETTINGS.format(
        sources=module.sources, unchanged=list(module.unchanged), tests=module.tests, without=without
    )
    with (work / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(settings)


def run(module: Module, workers: int, sample: int | None, seed: int) -> tuple[int, dict[str, tuple[str, Path]]]:
    """Test the mutants in the current directory; return how many there are, and the verdict about those tested."""
    import mutants

    # Before Python first searches it for modules.
    Path("mutants").mkdir()
    mutants.generate(workers)
    names = sorted(mutants.verdicts(module.sources))
    chosen = sorted(random.Random(seed).sample(names, sample)) if sample and sample < len(names) else []
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(workers), *chosen]
    # Programs that tests start import the mutants, too.
    environment = os.environ | {"PYTHONPATH": str(Path("mutants").resolve())}
    if subprocess.run(command, env=environment, stdout=sys.stderr).returncode:
        sys.exit("mutmut could not run the mutants; its message is above")
    verdicts = mutants.verdicts(module.sources)
    return len(names), {name: verdicts[name] for name in chosen or names}


class Equivalent:
    """Mutants that no test can notice, as `equivalent.yaml` names them."""

    def __init__(self) -> None:
        content = yaml.safe_load(EQUIVALENT.read_text("utf-8"))
        self.changes = {(entry["function"], text) for entry in content["mutants"] for text in entry["changes"]}
        self.everywhere = [re.compile(entry["pattern"]) for entry in content["everywhere"]]

    def __contains__(self, mutant: tuple[str, str]) -> bool:
        """Return whether a change of a function is named, or consists of a pattern that changes nothing anywhere."""
        lines = mutant[1].splitlines(keepends=True)
        old, new = ("".join(line[2:] for line in lines if line[0] == sign) for sign in "-+")
        return mutant in self.changes or any(
            pattern.sub("", old) == pattern.sub("", new) for pattern in self.everywhere
        )


def judge(name: str, work: Path, args: argparse.Namespace) -> tuple[tuple[str, ...], int]:
    """Test the mutants of one module; return its row of the table and how many survived without a reason."""
    module = MODULES[name]
    copy(module, work)
    os.chdir(work)
    import mutants

    total, verdicts = run(module, args.workers, args.sample, args.seed)
    counts = Counter(status for status, _ in verdicts.values())
    known, equivalent, others = Equivalent(), 0, 0
    for mutant, (status, path) in verdicts.items():
        if status in KILLED:
            continue
        key = (mutants.function(mutant), mutants.change(mutant, path))
        if key in known:
            equivalent += 1
        else:
            others += 1
            print(f"# {status}\n- function: {key[0]}\n  why:\n  changes:\n    - |\n{indent(key[1], ' ' * 6)}")
    killed = sum(counts[status] for status in KILLED)
    row = (name, str(total), str(len(verdicts)), str(killed), str(equivalent), str(others))
    return row, others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", action="append", choices=MODULES, required=True)
    parser.add_argument("--sample", type=int, help="test only so many mutants of each module, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    rows: list[tuple[str, ...]] = [("module", "mutants", "tested", "killed", "equivalent", "survived")]
    survived = 0
    for name in args.module:
        with tempfile.TemporaryDirectory() as work:
            row, others = judge(name, Path(work), args)
            rows.append(row)
            survived += others
    print_table(rows)
    sys.exit(bool(survived))


if __name__ == "__main__":
    main()
