"""Lists, id lists, label maps and class names made of anything: read correctly, or a short error message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from segdata.errors import InvalidInputError
from segdata.labels.classes import read_class_names
from segdata.labels.colormap import IGNORE, IGNORE_NAMES
from segdata.labels.map_file import read_map
from segdata.lists import read_ids, read_list
from segdata.text import text_lines

#: Words and separators with a meaning for readers of lines, and similar ones without.
_WORDS = ["a.jpg", "b.png", "road", "void", "2007_000032", "0", "128", "255", "256", "-1", "1.5", "٣", "²", "../x", "#"]
_BETWEEN = [" ", "  ", "\t", "\n", "\n", "\r\n", "\r", ":", ",", "::", "\ufeff", "\0", "\u2028", "\x85", "\xa0", "\x1f"]
_CLASSES = st.builds("{} {} {} {}\n".format, st.text(max_size=8), *[st.integers(-1, 300)] * 3)

texts = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=80).map(lambda text: text.encode("utf-16" if len(text) % 7 == 0 else "utf-8", "surrogatepass")),
    st.lists(st.sampled_from(_WORDS + _BETWEEN), max_size=40).map(lambda parts: "".join(parts).encode()),
    st.lists(_CLASSES, max_size=5).map(lambda lines: "".join(lines).encode("utf-8", "surrogatepass")),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("text") / "lines.txt"


def read(reader: Callable[[Path], Any], path: Path, data: bytes) -> Any:
    """Return the result of `reader`; None for an error message. Every other exception is a failure."""
    path.write_bytes(data)
    try:
        return reader(path)
    except InvalidInputError as error:
        assert str(path) in str(error)
        assert len(str(error)) < 4000
        return None


@settings(max_examples=4 * settings.default.max_examples)
@given(data=texts)
@example(data=b"x" * 100_000)
@example(data=b"a b c " * 100_000)
def test_every_line_of_a_list_becomes_a_sample_of_two_names(path: Path, data: bytes) -> None:
    pairs = read(read_list, path, data)
    if pairs is None:
        return
    assert len(pairs) == len(text_lines(path)) > 0
    for pair in pairs:
        for name in (pair.image, pair.label):
            assert name == name.strip() != ""
            assert not {"\n", "\r", "\t"} & {*name}
    assert len({pair.image for pair in pairs}) == len(pairs)


@settings(max_examples=4 * settings.default.max_examples)
@given(data=texts)
@example(data=b"x y " * 100_000)
def test_every_line_of_an_id_list_becomes_one_plain_name(path: Path, data: bytes) -> None:
    ids = read(read_ids, path, data)
    if ids is None:
        return
    assert len(ids) == len(text_lines(path)) > 0
    assert all(PurePosixPath("folder", id_).parent == PurePosixPath("folder") for id_ in ids)


@settings(max_examples=4 * settings.default.max_examples)
@given(data=texts)
@example(data=b"road 1 2 " + b"3" * 5000)
@example(data=b"road:1,2," + b"3" * 5000)
@example(data=b"road" + b" " * 100_000 + b"x")
@example(data=b"road" + b" 1" * 100_000 + b"x")
def test_a_label_map_has_names_and_colors_that_are_all_different(path: Path, data: bytes) -> None:
    colormap = read(read_map, path, data)
    if colormap is None:
        return
    assert 1 <= len(colormap.names) <= 255
    ids = {*colormap.colors.values(), *(span.id for span in colormap.spans), colormap.other} - {None, IGNORE}
    assert ids == {*range(len(colormap.names))}
    assert len({*colormap.names}) == len(colormap.names)
    assert not {*IGNORE_NAMES} & {name.lower() for name in colormap.names}
    assert len(colormap.colors) + len(colormap.spans) + (colormap.other is not None) <= len(text_lines(path))
    assert all(0 <= value <= 255 for color in colormap.colors for value in color)
    if colormap.colors:
        assert read_class_names(path) == colormap.names


@settings(max_examples=2 * settings.default.max_examples)
@given(data=texts)
@example(data=b"".join(b"%d\n" % number for number in range(256)))
@example(data=b"long " * 100_000 + b"\n" + b"long " * 100_000)
def test_class_names_are_all_different(path: Path, data: bytes) -> None:
    names = read(read_class_names, path, data)
    assert names is None or 1 <= len(names) == len({*names}) <= 255
