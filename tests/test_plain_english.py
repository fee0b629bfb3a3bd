"""Words that were replaced by plain English stay replaced; `conftest.py` checks every message that a test raises."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from import_graph import module_files
from plain_english import foreign, sentences

ROOT = Path(__file__).resolve().parents[1]
FILES = module_files(ROOT, ("segdata", "segtrain"))
# Without the two that quote the replaced words.
OTHERS = [
    path
    for folder in ("tests", "benchmarks", "scripts")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "plain_english" not in path.name
]
_QUESTIONS = ("What ", "How ", "Which ", "Whose ", "Where ", "When ", "Why ", "Who ")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
PAGES = [
    path
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "segtrain/config/recipes/*.yaml", "segdata/**/*.html")
    for path in sorted(ROOT.glob(pattern))
]


@pytest.mark.parametrize("file", [*FILES.values(), *OTHERS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_strings_and_comments_are_plain(file: Path) -> None:
    found = {line: words for line, text in sentences(file.read_text()) if (words := foreign(text))}
    assert found == {}


@pytest.mark.parametrize("file", OTHERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_of_functions_are_plain(file: Path) -> None:
    names = [node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
    assert {name: words for name in names if (words := foreign(name.replace("_", " ")))} == {}


@pytest.mark.parametrize("file", [*FILES.values(), *OTHERS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_docstring_starts_with_a_verb_or_a_noun(file: Path) -> None:
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, DOCUMENTED)]
    assert [doc for node in nodes if (doc := ast.get_docstring(node) or "").startswith(_QUESTIONS)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_are_plain(page: Path) -> None:
    assert foreign(page.read_text()) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("images that stand there twice", "stand"),
        ("the label lies beside it", "lies"),
        ("a.png is no PNG", "is no "),
        ("the set is whole", "whole"),
        ("all is written anew", "anew"),
        ("the training goes on from there", "goes on"),
        ("objects that cannot be told apart", "told apart"),
        ("its centre", "centre"),
    ],
)
def test_a_replaced_word_is_found(text: str, word: str) -> None:
    assert [found.split("'")[1] for found in foreign(text)] == [word]


def test_plain_sentences_pass() -> None:
    assert foreign("There is no image of 3 whole numbers; 255 stands for ignore, and the file is no longer read.") == []
