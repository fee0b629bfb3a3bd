"""segtrain where MindSpore is missing. Where it is not, its import is blocked in the process that is started."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

INSTALL = 'pip install "segdata[train]"'
BLOCK = "sys.modules['mindspore'] = None" if find_spec("mindspore") else ""


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program without MindSpore."""
    return subprocess.run([sys.executable, "-c", f"import sys; {BLOCK}\n{code}"], capture_output=True, text=True)


def segtrain(*args: object) -> subprocess.CompletedProcess[str]:
    """Run ``python -m segtrain``."""
    words = ["segtrain", *map(str, args)]
    return python(f"import runpy; sys.argv = {words!r}; runpy.run_module('segtrain', run_name='__main__')")


@pytest.mark.parametrize("command", [(), ("fit",), ("eval",), ("predict",), ("cross-validate",), ("export",)])
def test_help_needs_no_mindspore(command: tuple[str, ...]) -> None:
    done = segtrain(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: segtrain")


def test_what_needs_no_mindspore_works(tmp_path: Path) -> None:
    done = segtrain("recipes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "deeplabv3plus_cpu" in done.stdout
    assert python("import segtrain; print(segtrain.recipe('deeplabv3plus_cpu').batch_size)").returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ("fit", "--data_file", "{here}", "--train_dir", "{here}/run", "--recipe", "deeplabv3plus_cpu"),
        ("eval", "--data_file", "{here}", "--ckpt_path", "{here}/a.ckpt"),
        ("predict", "--images", "{here}", "--ckpt_path", "{here}/a.ckpt", "--out", "{here}/out"),
        ("export", "--ckpt_path", "{here}/a.ckpt", "--out", "{here}/a.mindir"),
    ],
    ids=lambda command: command[0],
)
def test_a_command_names_the_extra(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").touch()
    done = segtrain(*(word.format(here=tmp_path) for word in command))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "Error: segtrain: mindspore is not installed; expected the packages of segdata[train]."
    )
    assert done.stderr.endswith(f"{INSTALL}\n")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_function_names_the_extra() -> None:
    code = "import segdata, segtrain\ntry:\n    segtrain.fit\nexcept segdata.SegDataError as error:\n    print(error)"
    done = python(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"{INSTALL}\n")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="MindSpore has wheels for this Python")
def test_a_python_without_wheels_is_named() -> None:
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    done = python("import segtrain; segtrain.fit")
    assert f"MindSpore has wheels for Python 3.10 to 3.12, and this is {found}." in done.stderr


def test_another_missing_package_stays_what_it_is() -> None:
    done = python("import segtrain; sys.modules['msgspec'] = None; segtrain.Config")
    assert done.returncode == 1
    assert "ModuleNotFoundError: import of msgspec halted" in done.stderr
