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
        "a.jpg a.png\rb.jpg b.png\r",
        "\ufeffa.jpg a.png\n\n# comment\n  b.jpg   b.png  \n\n",
    ],
    ids=["space", "tab, no last newline", "CRLF", "CR", "BOM, blanks, comment"],
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


pairs_of_two = st.builds(Pair, paths, paths).filter(lambda pair: pair.image != pair.label)


@given(st.lists(pairs_of_two, min_size=1, unique_by=lambda pair: pair.image))
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


def test_lines_without_a_pair_are_all_named_with_their_numbers(tmp_path: Path) -> None:
    with pytest.raises(FaultsError) as error:
        read_list(written(tmp_path, "a.jpg a.png\nb.jpg b.png c.png\n\nd.jpg\n"))
    assert [fault.split(":")[0] for fault in tuple(map(str, error.value.faults))] == ["line 2", "line 4"]


def test_an_id_list_is_recognized(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="an id list"):
        read_list(written(tmp_path, "2007_000032\n2007_000039\n"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("image,label\na.jpg,a.png\nb.jpg,b.png\n", r"Replace the commas: tr , '\\t' < .*a\.txt > NEW\.txt\."),
        ("a,1.jpg\na,2.jpg\n", "is an id list or an image list"),
        ("<annotations>\n</annotations>\n", "is XML; "),
    ],
)
def test_other_files_are_told_what_they_are(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InvalidInputError, match=sentence):
        read_list(tmp_path / "a.txt")


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


def test_ids_with_spaces_and_folders_are_accepted_where_they_can_be_found(tmp_path: Path) -> None:
    assert read_ids(written(tmp_path, "ride 1/frame 07 \na b\nc\n"), folders=True) == ["ride 1/frame 07", "a b", "c"]


@pytest.mark.parametrize("line", ["a b", "../a", "x/y", ".."])
def test_an_id_that_is_not_a_plain_name_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(FaultsError, match="line 2"):
        read_ids(written(tmp_path, f"good\n{line}\n"))


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("a.jpg a.png\nb.jpg\n", "1 line is not a sample"),
        ("a.jpg a.png\nb.jpg\nc.jpg c.png d.png\n", "2 lines are not samples"),
        # Lines with two paths or more are not names, whatever is beside them.
        ("b.jpg\nc.jpg c.png d.png\n", "2 lines are not samples"),
    ],
)
def test_the_headline_counts_the_broken_lines_of_a_list(tmp_path: Path, text: str, headline: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(FaultsError) as error:
        read_list(path)
    assert error.value.what == f"{path}: {headline}"
    found = "expected an image path and a label path, found 1 path: 'b.jpg'"
    number = text.splitlines().index("b.jpg") + 1
    assert Fault("broken_line", f"line {number}", found) in error.value.faults


def test_a_file_that_is_image_and_label_is_not_a_sample(tmp_path: Path) -> None:
    faults: list[Fault] = []
    path = written(tmp_path, "a.png a.png\nb/c.png\t./b//c.png\nd.jpg d.png\n")
    assert read_list(path, faults=faults) == [Pair("d.jpg", "d.png")]
    said = "expected an image path and a label path, found one path twice: "
    assert faults == [
        Fault("broken_line", "line 1", f"{said}'a.png a.png'"),
        Fault("broken_line", "line 2", f"{said}'b/c.png\\t./b//c.png'"),
    ]


def test_lines_of_which_none_is_a_sample_are_named_also_where_faults_are_collected(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jpg a.png 1\nb.jpg b.png # good\n")
    with pytest.raises(FaultsError) as error:
        read_list(path, faults=[])
    assert error.value.what == f"{path}: 2 lines are not samples"
    assert len(error.value.faults) == 2


@pytest.mark.parametrize(
    ("text", "headline"),
    [("a\nb c\n", "1 line is not an id"), ("b c\na\nd/..\n.\n", "3 lines are not ids")],
)
def test_the_headline_counts_the_broken_lines_of_an_id_list(tmp_path: Path, text: str, headline: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(FaultsError) as error:
        read_ids(path)
    assert error.value.what == f"{path}: {headline}"
    number = text.splitlines().index("b c") + 1
    assert Fault("broken_line", f"line {number}", "expected one id, found 'b c'") in error.value.faults


def test_an_id_with_a_backslash_is_a_path_of_another_system(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match=r"line 1: expected one id, found 'a\\\\b'"):
        read_ids(written(tmp_path, "a\\b\n"))


def test_a_list_without_samples_or_ids_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "# nothing\n")
    for read, missing in ((read_list, "samples"), (read_ids, "ids")):
        with pytest.raises(InvalidInputError) as error:
            read(path)
        assert str(error.value) == f"{path}: contains no {missing}"


def test_broken_lines_and_images_that_appear_again_are_collected_together(tmp_path: Path) -> None:
    faults: list[Fault] = []
    path = written(tmp_path, "a.jpg a.png\nb.jpg\nc.jpg c.png\na.jpg d.png\na.jpg a.png\n")
    assert read_list(path, faults=faults) == [Pair("a.jpg", "a.png"), Pair("c.jpg", "c.png")]
    assert faults == [
        Fault("broken_line", "line 2", "expected an image path and a label path, found 1 path: 'b.jpg'"),
        Fault("duplicate_image", "a.jpg", "appears 3 times; only the first is checked"),
    ]


@pytest.mark.parametrize(
    ("names", "headline"),
    [
        (("a.jpg", "#a.png"), "1 file name cannot be used in a list file; rename the files"),
        (("a.jpg ", "a\n.png"), "2 file names cannot be used in a list file; rename the files"),
    ],
)
def test_the_headline_counts_names_that_a_list_cannot_have(names: tuple[str, str], headline: str) -> None:
    with pytest.raises(FaultsError) as error:
        format_list([Pair("b.jpg", "b.png"), Pair(*names)])
    assert error.value.what == headline
    assert error.value.faults == tuple(repr(name) for name in names if name != "a.jpg")


@pytest.mark.parametrize("name", ["a\rb.png", "caf\udce9.png"])
def test_a_name_that_a_list_cannot_spell_is_not_written(name: str) -> None:
    with pytest.raises(FaultsError, match="1 file name cannot be used in a list file"):
        format_list([Pair("a.jpg", name)])


def test_a_list_without_faults_is_read_the_same_whether_they_are_collected(tmp_path: Path) -> None:
    faults: list[Fault] = []
    path = written(tmp_path, "a.jpg a.png\nb.jpg b.png\n")
    assert read_list(path, faults=faults) == read_list(path) == [Pair("a.jpg", "a.png"), Pair("b.jpg", "b.png")]
    assert faults == []


def test_paths_are_separated_by_a_space_unless_one_has_a_space() -> None:
    assert format_list([Pair("a.jpg", "a.png"), Pair("b.jpg", "b.png")]) == "a.jpg a.png\nb.jpg b.png\n"
