"""Objects of a real S3 server: listed, copied and removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from s3_server import names, put

import segdata
from segdata.errors import InvalidInputError, SegDataError
from segdata.records.convert import RECORD_SET
from segdata.store import transfer
from segdata.store.publishing import publish
from segdata.store.transfer import fetched, objects, upload
from segdata.store.url import Url


def test_a_listing_goes_over_many_pages_and_leaves_folder_marks_out(url: Url, tmp_path: Path) -> None:
    import s3fs

    wanted = [f"{index:04}" for index in range(1001)]
    for name in wanted:
        (tmp_path / name).touch()
    upload(tmp_path, wanted, url)
    s3fs.S3FileSystem().call_s3("put_object", Bucket=url.bucket, Key=f"{url.key}/folder/", Body=b"")
    assert names(url) == wanted


def test_what_does_not_fit_on_the_disk_is_refused_before_anything_is_copied(url: Url, tmp_path: Path) -> None:
    with pytest.raises(SegDataError, match=r"1000000000000\.0 MB do not fit; .* Choose another working directory"):
        transfer.fetch(url, {"huge": 10**18}, tmp_path / "work" / "deep")
    assert not (tmp_path / "work").exists()


def test_large_files_go_in_parts_and_come_back_the_same(url: Url, tmp_path: Path) -> None:
    data = os.urandom((20 << 20) + 1)
    put(url, "large", data)
    with fetched(url, {"large": len(data)}) as copy:
        assert (copy / "large").read_bytes() == data


def test_names_of_any_characters_come_back_the_same(url: Url, tmp_path: Path) -> None:
    wanted = sorted(["a b+c%20.txt", "ä&?#=.txt", "folder/日本.txt", "[x]*{y}.txt"])
    for name in wanted:
        put(url, name, name.encode())
    assert names(url) == wanted
    assert [transfer.object_size(url / name) for name in wanted] == [len(name.encode()) for name in wanted]
    with fetched(url, dict(objects(url))) as copy:
        assert {name: (copy / name).read_text() for name in wanted} == {name: name for name in wanted}
    transfer.remove(url, wanted)
    assert names(url) == []


def test_a_name_that_leaves_the_directory_is_refused(url: Url, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="is outside the data root"):
        transfer.fetch(url, {"../../evil": 1}, tmp_path)


def test_obs_is_reached_by_what_modelarts_sets(
    url: Url, local: Path, reconnect: Callable[..., None], tmp_path: Path
) -> None:
    key, secret, endpoint = (
        os.environ[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "ENDPOINT_URL")
    )
    reconnect(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_ENDPOINT_URL=None)
    reconnect(ACCESS_KEY_ID=key, SECRET_ACCESS_KEY=secret, S3_ENDPOINT=endpoint)
    there = Url("obs", url.bucket, url.key)
    publish(local, there, RECORD_SET)
    assert segdata.verify(there, work_dir=tmp_path / "work").ok
