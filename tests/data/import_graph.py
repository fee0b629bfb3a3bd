"""Imports of a tree of packages, read from its syntax trees: lazy and type-only imports count."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

Graph = dict[str, set[str]]


def module_files(root: Path, packages: Iterable[str]) -> dict[str, Path]:
    """Return the files of all modules below `root`, by dotted name; a package is called as its folder."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }


def import_graph(files: Mapping[str, Path]) -> Graph:
    """Return which of the modules each module imports, wherever the import is written."""
    return {name: _imports(path, set(files)) - {name} for name, path in files.items()}


def folder_graphs(modules: Graph) -> dict[str, Graph]:
    """Return for each package which of its direct children, modules and folders, import which others of them."""
    graphs: dict[str, Graph] = defaultdict(lambda: defaultdict(set))
    for source, targets in modules.items():
        for target in targets:
            one, other = source.split("."), target.split(".")
            depth = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
            if depth:
                graphs[".".join(one[:depth])][one[depth]].add(other[depth])
    return graphs


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the sets of nodes that import each other in a circle, each sorted (Tarjan 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in order:
                visit(target)
            if target in stack:
                lowest[node] = min(lowest[node], lowest[target])
        if lowest[node] == order[node]:
            at = stack.index(node)
            members = stack[at:]
            del stack[at:]
            if len(members) > 1:
                found.append(sorted(members))

    for node in graph:
        if node not in order:
            visit(node)
    return found


def _imports(path: Path, known: set[str]) -> set[str]:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= names & known
            if not names <= known:
                imported.add(node.module)
    return imported & known
