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


def test_a_url_with_credentials_is_refused_without_repeating_them() -> None:
    with pytest.raises(InvalidInputError, match="URLs must not contain credentials") as caught:
        parse_location("s3://key:the-secret@bucket/a")
    assert "the-secret" not in str(caught.value)


keys = st.lists(st.text("ab.-_ é", min_size=1).filter(lambda part: part not in (".", "..")), max_size=3).map("/".join)


@given(keys)
def test_a_url_is_read_as_it_is_written(key: str) -> None:
    url = Url("s3", "bucket", key)
    assert parse_location(str(url)) == url


@given(keys, keys)
def test_no_working_place_is_another_ones_or_lies_in_it(first: str, second: str) -> None:
    one, two = (local_place(Url("s3", "bucket", key), Path("/work")) for key in (first, second))
    assert (one == two) == (first == second)
    assert not one.is_relative_to(two) or one == two
