"""List files: what is accepted, what is rejected, and lossless round trips."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.lists import Pair, format_list, read_ids, read_list, write_list
from segdata.text import plain_path


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "list.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg a.png\nb.jpg b.png\n",
        "a.jpg\ta.png\nb.jpg\tb.png",
        "a.jpg a.png\r\nb.jpg b.png\r\n",
        "\ufeffa.jpg a.png\n\n# comment\n  b.jpg   b.png  \n\n",
    ],
    ids=["space", "tab, no last newline", "CRLF", "BOM, blanks, comment"],
)
def test_every_spelling_of_a_list_reads_the_same(tmp_path: Path, text: str) -> None:
    assert read_list(written(tmp_path, text)) == [Pair("a.jpg", "a.png"), Pair("b.jpg", "b.png")]


def test_a_path_with_a_space_is_separated_by_tabs_in_every_line(tmp_path: Path) -> None:
    pairs = [Pair("my images/a.jpg", "a.png"), Pair("b.jpg", "b.png")]
    assert format_list(pairs) == "my images/a.jpg\ta.png\nb.jpg\tb.png\n"
    write_list(tmp_path / "l", pairs, overwrite=False)
    assert read_list(tmp_path / "l") == pairs


def test_every_spelling_of_a_path_is_the_same_image(tmp_path: Path) -> None:
    spelled = ["./v/a.jpg v//a.png", "v/./b.jpg ././v/b.png", ".//v//./c.jpg\tv/c.png"]
    assert read_list(written(tmp_path, "\n".join(spelled))) == [Pair(f"v/{n}.jpg", f"v/{n}.png") for n in "abc"]


@pytest.mark.parametrize("name", ["../a.jpg", "v/../a.jpg", "/data/a.jpg", r"v\a.jpg", "v.d/.a.jpg", "a..jpg"])
def test_a_path_that_no_other_spelling_names_stays_as_it_is(tmp_path: Path, name: str) -> None:
    assert read_list(written(tmp_path, f"{name} a.png")) == [Pair(name, "a.png")]


def test_an_image_in_two_spellings_is_there_twice(tmp_path: Path) -> None:
    path = written(tmp_path, "v/a.jpg a.png\nv/b.jpg b.png\n./v//a.jpg a.png\n")
    with pytest.raises(FaultsError, match=r"duplicate images:\n  v/a\.jpg \(2 times\)"):
        read_list(path)
    faults: list[Fault] = []
    assert read_list(path, faults=faults) == [Pair("v/a.jpg", "a.png"), Pair("v/b.jpg", "b.png")]
    assert faults == [Fault("duplicate_image", "v/a.jpg", "appears 2 times; only the first is checked")]


paths = (
    st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1).map(
        lambda text: "/".join(text.split(" "))
    )
    | st.from_regex(r"[a-zäß0-9._-]+( [a-z]+)?/[a-z]+\.png", fullmatch=True)
).map(plain_path)


@given(st.lists(st.builds(Pair, paths, paths), min_size=1, unique_by=lambda pair: pair.image))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, pairs: list[Pair]) -> None:
    path = tmp_path_factory.mktemp("lists") / "l"
    if any(name.startswith("#") for pair in pairs for name in (pair.image, pair.label)):
        with pytest.raises(FaultsError, match="cannot be used in a list"):
            write_list(path, pairs, overwrite=False)
    else:
        write_list(path, pairs, overwrite=False)
        assert read_list(path) == pairs


@pytest.mark.parametrize("name", ["a\tb.png", "a\nb.png", " a.png", "a.png ", "#a.png"])
def test_a_name_that_would_be_read_as_something_else_is_not_written(name: str) -> None:
    with pytest.raises(FaultsError, match="cannot be used in a list"):
        format_list([Pair("a.jpg", name)])


def test_lines_that_are_no_pair_are_all_named_with_their_numbers(tmp_path: Path) -> None:
    with pytest.raises(FaultsError) as error:
        read_list(written(tmp_path, "a.jpg a.png\nb.jpg b.png c.png\n\nd.jpg\n"))
    assert [fault.split(":")[0] for fault in tuple(map(str, error.value.faults))] == ["line 2", "line 4"]


def test_an_id_list_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="an id list"):
        read_list(written(tmp_path, "2007_000032\n2007_000039\n"))


def test_an_image_given_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=r"a\.jpg \(2 times\)"):
        read_list(written(tmp_path, "a.jpg a.png\na.jpg b.png\n"))


@pytest.mark.parametrize("content", [b"", b"\n# nothing\n", b"\xff\xfe\x00"])
def test_a_list_without_samples_or_text_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read_list(written(tmp_path, content))
    with pytest.raises(InvalidInputError):
        read_ids(written(tmp_path, content))


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"nowhere\.txt: cannot be read"):
        read_list(tmp_path / "nowhere.txt")


def test_ids_are_stripped_of_everything_around_them(tmp_path: Path) -> None:
    assert read_ids(written(tmp_path, "2007_000032\r\n  2007_000039 \n\n2007_000063")) == [
        "2007_000032",
        "2007_000039",
        "2007_000063",
    ]


@pytest.mark.parametrize("line", ["a b", "../a", "x/y", ".."])
def test_an_id_that_is_no_plain_name_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(FaultsError, match="line 2"):
        read_ids(written(tmp_path, f"good\n{line}\n"))
