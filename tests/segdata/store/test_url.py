"""URLs of object stores, and the place in the working directory that belongs to each."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from segdata.errors import InvalidInputError
from segdata.store.url import Location, Url, local_place, parse_location


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("s3://bucket/a/b", Url("s3", "bucket", "a/b")),
        ("s3://bucket/a/b/", Url("s3", "bucket", "a/b")),
        ("obs://bucket", Url("obs", "bucket", "")),
        ("records/train", Path("records/train")),
        ("/records/a:b@c", Path("/records/a:b@c")),
    ],
)
def test_a_location_is_a_url_or_a_path(text: str, location: Location) -> None:
    assert parse_location(text) == location


@pytest.mark.parametrize("text", ["http://host/a", "s3:///a", "s3://", "s3://b/a//c", "s3://b/../c", "s3://b/a/./c"])
def test_a_url_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="expected"):
        parse_location(text)


@pytest.mark.parametrize(
    "text",
    [
        "s3://key:the-secret@bucket/a",
        "s3://key:the/secret@bucket/a",
        "obs://the-secret@bucket",
        "https://host/a?signature=the-secret",
    ],
)
def test_a_url_that_may_have_a_secret_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidInputError, match="expected ") as caught:
        parse_location(text)
    assert "secret" not in str(caught.value)


keys = st.lists(st.text("ab.-_ é", min_size=1).filter(lambda part: part not in (".", "..")), max_size=3).map("/".join)


@given(keys)
def test_a_url_is_read_as_it_is_written(key: str) -> None:
    url = Url("s3", "bucket", key)
    assert parse_location(str(url)) == url


@given(keys, keys)
def test_working_folders_are_distinct_and_not_nested(first: str, second: str) -> None:
    one, two = (local_place(Url("s3", "bucket", key), Path("/work")) for key in (first, second))
    assert (one == two) == (first == second)
    assert not one.is_relative_to(two) or one == two


@pytest.mark.parametrize("text", ["s3:/bucket/set", "obs:bucket", "S3:/bucket"])
def test_a_url_with_too_few_slashes_is_not_a_folder(text: str) -> None:
    with pytest.raises(
        InvalidInputError, match=r"expected (s3|obs|S3)://BUCKET/… for a URL\. For a local path, put \./"
    ):
        parse_location(text)
    assert parse_location(f"./{text}") == Path(text)
