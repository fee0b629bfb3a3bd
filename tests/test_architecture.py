"""The rules of docs/architecture.md that no linter checks: circles, names, and what a library never does."""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_graph import circles, folder_graphs, import_graph, module_files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("segdata", "segtrain")
FILES = module_files(ROOT, PACKAGES)
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}

#: Modules with one interface: the tasks that `segtrain.tasks.task.Task` describes, and the two command lines.
INTERFACES = ("segtrain.tasks.", "segdata.cli", "segtrain.cli")


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module defines at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def test_no_module_imports_another_in_a_circle() -> None:
    assert circles(import_graph(FILES)) == []


def test_no_folder_imports_another_in_a_circle() -> None:
    found = {package: circles(graph) for package, graph in folder_graphs(import_graph(FILES)).items()}
    assert {package: each for package, each in found.items() if each} == {}


def test_a_lazy_or_type_only_circle_is_found(tmp_path: Path) -> None:
    package = tmp_path / "planted"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "a": "def f():\n    from planted.b import g\n",
        "b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from planted import a\n",
        "c": "import planted.a\n",
    }.items():
        (package / f"{name}.py").write_text(text)
    graph = import_graph(module_files(tmp_path, ["planted"]))
    assert circles(graph) == [["planted.a", "planted.b"]]
    assert circles(folder_graphs(graph)["planted"]) == [["a", "b"]]


def test_a_public_name_is_defined_in_one_module() -> None:
    places = defaultdict(list)
    for module, tree in TREES.items():
        for name in set(defined_names(tree)):
            if not name.startswith("_") and not module.startswith(INTERFACES):
                places[name].append(module)
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


@pytest.mark.parametrize("module", FILES)
def test_no_module_takes_a_private_name_of_another(module: str) -> None:
    private = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES
        for alias in node.names
        if any(part.startswith("_") and not part.endswith("__") for part in (*node.module.split("."), alias.name))
    ]
    assert private == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_room_is_called_as_a_public_function(package: str) -> None:
    children = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert children & set(importlib.import_module(package).__all__) == set()


def test_the_library_does_not_print() -> None:
    printing = [
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_modules_are_small_enough_to_read() -> None:
    long = {name: lines for name, path in FILES.items() if (lines := len(path.read_text().splitlines())) > 400}
    assert long == {}
