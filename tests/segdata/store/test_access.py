"""A path here or a URL there: what is read is the same, and what is written replaces only what this program wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from s3_server import READER, kill_upload, names, put

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.files.ownership import RESULT_MARKER
from segdata.files.publishing import staged_directory
from segdata.store.access import reading, writing
from segdata.store.product import RESULTS, Product
from segdata.store.publishing import UPLOAD, find_published, publish
from segdata.store.transfer import fetched, objects
from segdata.store.url import Url, local_place


def write_results(location: Url | Path, work: Path, contents: dict[str, str], *, overwrite: bool = False) -> None:
    """Write files as the programs write their results."""
    with writing(location, RESULTS, overwrite=overwrite, work_dir=work) as directory:
        with staged_directory(directory, overwrite=overwrite or directory != location) as staging:
            for name, text in contents.items():
                (staging / name).parent.mkdir(exist_ok=True)
                (staging / name).write_text(text)


def texts(url: Url) -> dict[str, str]:
    with fetched(url, dict(objects(url))) as copy:
        return {name: (copy / name).read_text() for name in names(url) if name != RESULT_MARKER}


# Reading


def test_a_path_is_read_in_place(tmp_path: Path) -> None:
    with reading(tmp_path) as path:
        assert path is tmp_path
    with reading(str(tmp_path)) as path:
        assert path == tmp_path


def test_an_object_is_read_with_those_named_beside_it(url: Url, tmp_path: Path) -> None:
    put(url, "best.ckpt", b"weights")
    put(url, "best.json", b"{}")
    put(url, "other.json")
    with reading(f"{url}/best.ckpt", beside=["best.json", "none.json"], work_dir=tmp_path / "work") as path:
        assert (path.name, path.read_bytes()) == ("best.ckpt", b"weights")
        assert sorted(each.name for each in path.parent.iterdir()) == ["best.ckpt", "best.json"]
    assert not path.exists()


def test_a_prefix_is_read_as_a_directory_of_the_wanted_objects(url: Url, tmp_path: Path) -> None:
    for name in ("a.png", "b.txt", "deep/c.png"):
        put(url, name)
    with reading(url, lambda name: name.endswith(".png"), work_dir=tmp_path / "work") as path:
        assert path.name == url.name
        assert sorted(each.relative_to(path).as_posix() for each in path.rglob("*.*")) == ["a.png", "deep/c.png"]


def test_what_is_not_there_is_an_error(url: Url, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=f"{url}: no such object; expected an object, or a prefix"):
        with reading(url, work_dir=tmp_path / "work"):
            pass


def test_an_error_names_the_file_by_its_url(url: Url, tmp_path: Path) -> None:
    put(url, "a.txt")
    with pytest.raises(SegDataError, match=rf"^{url}/a\.txt: is empty$"), reading(url, work_dir=tmp_path) as path:
        raise SegDataError(f"{path / 'a.txt'}: is empty")


# Writing


def test_a_path_is_written_in_place(tmp_path: Path) -> None:
    write_results(tmp_path / "out", tmp_path / "work", {"a.txt": "one"})
    assert (tmp_path / "out" / "a.txt").read_text() == "one"
    assert not (tmp_path / "work").exists()


def test_results_are_replaced_only_when_asked_for(url: Url, tmp_path: Path) -> None:
    work = tmp_path / "work"
    write_results(url, work, {"index/a.txt": "one", "b.txt": "two"})
    assert texts(url) == {"index/a.txt": "one", "b.txt": "two"}
    assert not local_place(url, work).exists()
    with pytest.raises(TargetExistsError, match=f"{url}: already exists") as caught:
        write_results(url, work, {"c.txt": "three"})
    assert caught.value.replaceable
    write_results(url, work, {"c.txt": "three"}, overwrite=True)
    assert texts(url) == {"c.txt": "three"}


@pytest.mark.parametrize(
    ("foreign", "content"), [("notes.txt", b"mine"), ("a.txt", b"changed"), ("upload.txt", b""), (RESULT_MARKER, b"{}")]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_objects_of_something_else_are_never_lost(
    url: Url, tmp_path: Path, foreign: str, content: bytes, overwrite: bool
) -> None:
    work = tmp_path / "work"
    write_results(url, work, {"a.txt": "one"})
    put(url, foreign, content)
    with pytest.raises(TargetExistsError) as caught:
        write_results(url, work, {"b.txt": "two"}, overwrite=overwrite)
    assert not caught.value.replaceable
    assert str(url) in str(caught.value)
    with reading(url / foreign, work_dir=work) as path:
        assert path.read_bytes() == content
    assert "a.txt" in names(url)


def test_a_product_needs_a_folder_in_a_bucket(url: Url, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"names only a bucket; expected a prefix in it, such as s3://bucket/"):
        write_results(Url("s3", "bucket", ""), tmp_path / "work", {})


def test_a_dry_run_uploads_nothing_not_even_what_is_left(url: Url, tmp_path: Path) -> None:
    left = local_place(url, tmp_path / "work")
    write_results(left, tmp_path / "work", {"a.txt": "one"})
    with writing(url, RESULTS, dry_run=True, work_dir=tmp_path / "work"):
        pass
    assert (names(url), (left / "a.txt").read_text()) == ([], "one")


def test_results_that_may_not_be_uploaded_are_kept_and_named(
    url: Url, tmp_path: Path, reconnect: Callable[..., None]
) -> None:
    reconnect(AWS_ACCESS_KEY_ID=READER[0], AWS_SECRET_ACCESS_KEY=READER[1])
    with pytest.raises(
        SegDataError, match=r"access denied .*\nThe complete result is in .* Run the same command again"
    ):
        write_results(url, tmp_path / "work", {"a.txt": "one"})
    assert (local_place(url, tmp_path / "work") / "a.txt").read_text() == "one"


@pytest.mark.parametrize("replaced", [False, True], ids=["new", "replacing other results"])
def test_a_killed_upload_is_completed_by_running_again(url: Url, tmp_path: Path, replaced: bool) -> None:
    contents = {f"{number:02}.txt": "old" for number in range(12)}
    if replaced:
        write_results(url, tmp_path / "work", {**contents, "other.txt": "old"})
    # Files of the same names and sizes, so only their content tells the two results apart.
    contents = dict.fromkeys(contents, "new")
    write_results(tmp_path / "out", tmp_path / "work", contents)
    status = kill_upload(tmp_path / "out", url, "segdata.store.product:RESULTS")
    assert status == -9
    assert UPLOAD in names(url)
    assert RESULT_MARKER not in names(url)
    write_results(url, tmp_path / "work", contents)
    assert texts(url) == contents


# Products


def test_files_are_uploaded_in_the_order_that_readers_need() -> None:
    product = Product("run", "config.yaml", lambda _directory, sizes: list(sizes), late=".ckpt")
    files = ["b.ckpt", "config.yaml", "a.ckpt", *(f"{number}.json" for number in range(9))]
    assert product.upload_groups(files) == [
        [f"{number}.json" for number in range(8)],
        ["8.json"],
        ["a.ckpt", "b.ckpt"],
    ]


def test_objects_that_a_product_cannot_take_are_left_alone(url: Url, tmp_path: Path) -> None:
    product = Product(
        "run", "config.yaml", lambda _directory, sizes: list(sizes), takes=lambda name: name.endswith(".yaml")
    )
    put(url, "notes.txt", b"mine")
    (tmp_path / "config.yaml").touch()
    publish(tmp_path, url, product)
    assert names(url) == ["config.yaml", "notes.txt"]
    assert find_published(url, product).sizes == {"config.yaml": 0}
    put(url, "old.yaml")
    publish(tmp_path, url, product, overwrite=True)
    assert names(url) == ["config.yaml", "notes.txt"]
