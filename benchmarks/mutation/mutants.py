"""Mutants of the current directory, as mutmut keeps them.

mutmut reads its settings from the current directory when it is imported, so this module is imported there.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

from mutmut.__main__ import create_mutants
from mutmut.configuration import reset_config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir


def generate(workers: int) -> None:
    """Write the mutants without running them."""
    reset_config()
    # mutmut prints the name of every file.
    with redirect_stdout(sys.stderr):
        copy_src_dir()
        copy_also_copy_files()
        create_mutants(workers)


def verdicts(sources: str) -> dict[str, tuple[str, Path]]:
    """Return what came of each mutant, and the file that it changes."""
    found = {}
    for path in sorted(Path().glob(sources)):
        data = SourceFileMutationData(path=path)
        data.load()
        found |= {name: (status_by_exit_code[code], path) for name, code in data.exit_code_by_key.items()}
    return found


def change(name: str, path: Path) -> str:
    """Return the lines that a mutant removes and adds, without indentation."""
    lines = get_diff_for_mutant(name, path=path).splitlines()[2:]
    return "".join(f"{line[0]} {line[1:].strip()}\n" for line in lines if line[0] in "+-")


def function(name: str) -> str:
    """Return the dotted name of the function that a mutant changes."""
    where, _, mangled = name.rpartition("__mutmut_")[0].rpartition(".")
    # mutmut: `x_name` is a function, `xǁClassǁname` a method.
    return where + "." + (mangled[2:] if mangled.startswith("x_") else mangled[2:].replace("ǁ", "."))
