"""The public names: one table, the documentation, and what an import costs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import shlex
import subprocess
import sys
import typing
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from import_graph import module_files
from safetensors.numpy import save_file
from torch_resnet import seeded

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text()
PACKAGES = [importlib.import_module(name) for name in ("segdata", "segtrain")]
PUBLIC = {name for package in PACKAGES for name in package.__all__}


def table(package: ModuleType) -> dict[str, str]:
    """Return the module of each name in a package's table."""
    stub = ast.parse(Path(package.__file__ or "").with_suffix(".pyi").read_text())
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"{package.__name__}.{node.module}" for node in imports for alias in node.names}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_is_the_table(package: ModuleType) -> None:
    names = table(package)
    assert set(package.__all__) == {*names, "__version__"}
    for name, module in names.items():
        assert getattr(package, name) is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("module", [*module_files(ROOT, ("segdata", "segtrain"))])
def test_examples_in_docstrings_that_need_no_files_are_true(module: str) -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(verbose=False)
    for test in finder.find(importlib.import_module(module)):
        if test.examples and not re.search(r"Path\(|path\b|s3://", "".join(each.source for each in test.examples)):
            runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_an_unknown_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_function_has_an_example_in_the_documentation(package: ModuleType) -> None:
    functions = {name for name in package.__all__ if inspect.isfunction(getattr(package, name))}
    documented = set(
        re.findall(rf"`{package.__name__}\.(\w+)`", "\n".join(re.findall(r"^### .*$", PAGE, re.MULTILINE)))
    )
    assert documented == functions


def test_the_documentation_names_every_other_public_name_and_no_more() -> None:
    types, tree = PAGE.split("## Types")[1], PAGE.split("## Exceptions")[1].split("## Types")[0]
    named = set(re.findall(r"`([A-Z]\w+)`", types)) | set(re.findall(r"(?:── |seg\w+\.)([A-Z]\w+)", tree))
    assert named == {name for name in PUBLIC - {"__version__"} if not inspect.isfunction(_public(name))}


def test_the_tree_of_exceptions_is_that_of_the_classes() -> None:
    tree = re.findall(r"```\n(.*?)```", PAGE.split("## Exceptions")[1], re.DOTALL)[0]
    lines = re.findall(r"^([ │├└─]*)(?:segdata\.|segtrain\.)?(\w+)(?:  .*)?$", tree, re.MULTILINE)
    path: list[str] = []
    for prefix, name in lines:
        depth = len(prefix) // 4
        path[depth:] = [name]
        if depth:
            base = getattr(__import__("builtins"), path[depth - 1], None) or _public(path[depth - 1])
            assert base in _public(name).__bases__, name
    drawn = {name for _, name in lines}
    raised = {name for name in PUBLIC if isinstance(_public(name), type) and issubclass(_public(name), BaseException)}
    assert raised and raised <= drawn


def _public(name: str) -> Any:
    return next(getattr(package, name) for package in PACKAGES if name in package.__all__)


def _types(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _types(part)


def _annotations(thing: Any) -> dict[str, Any]:
    """Return the annotations of a function or dataclass, those for type checkers only included."""
    names: dict[str, Any] = {}
    # A class takes annotations from its bases, too, which may be in other modules.
    bases = [
        kind for kind in getattr(thing, "__mro__", [thing]) if kind.__module__.startswith(("segdata.", "segtrain."))
    ]
    for module in [sys.modules[kind.__module__] for kind in reversed(bases)]:
        names |= vars(module)
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.ImportFrom) and node.module:
                source = importlib.import_module(node.module)
                names |= {a.asname or a.name: getattr(source, a.name) for a in node.names if hasattr(source, a.name)}
    return typing.get_type_hints(thing, names)


def test_types_of_public_arguments_and_reports_are_public() -> None:
    private = {
        f"{kind.__module__}.{kind.__name__} of {thing.__name__}"
        for thing in map(_public, PUBLIC - {"__version__"})
        if inspect.isfunction(thing) or is_dataclass(thing) or hasattr(thing, "__struct_fields__")
        for annotation in _annotations(thing).values()
        for kind in _types(annotation)
        if kind.__module__.split(".")[0] in ("segdata", "segtrain") and kind.__name__ not in PUBLIC
    }
    assert private == set()


@pytest.mark.parametrize("package", ["segdata", "segtrain"])
def test_an_import_is_cheap(package: str) -> None:
    code = f"import sys; import {package}; print([name for name in sys.modules if name.startswith({package!r} + '.')])"
    code += "; print([name for name in ('numpy', 'mindspore', 'click', 'cv2') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]


@pytest.mark.parametrize("package", ["segdata", "segtrain"])
def test_a_package_runs_as_a_module(package: str) -> None:
    done = subprocess.run([sys.executable, "-m", package, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"Usage: {package} ")


def test_the_examples_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segdata.cli import main

    monkeypatch.chdir(tmp_path)
    save_file(seeded("resnet18"), "resnet18.safetensors")
    names: dict[str, Any] = {}
    for language, block in re.findall(r"```(bash|python)\n(.*?)```", PAGE, re.DOTALL):
        if language == "python":
            exec(compile(block, "docs/python.md", "exec"), names)
            continue
        for line in block.splitlines():
            result = CliRunner().invoke(main, shlex.split(line)[1:])
            assert result.exit_code == 0, result.output
