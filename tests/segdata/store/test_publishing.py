"""Record sets published to a real S3 server, replaced there, read back, and damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from s3_server import READER, WRITER, Server, kill_upload, names, put

import segdata as api
from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.opening import open_dataset
from segdata.records import fetch
from segdata.records.convert import RECORD_SET, to_mindrecord
from segdata.records.reader import open_set
from segdata.store import transfer
from segdata.store.product import Product
from segdata.store.publishing import UPLOAD, check_free, publish
from segdata.store.transfer import upload
from segdata.store.url import Url, local_place
from segdata.worker import Advance

Run = Callable[..., Result]


def convert(segdata: Run, devkit: Path, target: object, *options: object) -> Result:
    source = ("--data_root", devkit, "--data_lst", devkit / "voc_train_lst.txt", "--dst_path", target)
    return segdata("to-mindrecord", *source, "--num_shards", 2, *options)


def test_a_set_is_published_verified_described_and_fetched_completely(
    segdata: Run, url: Url, devkit: Path, local: Path, tmp_path: Path
) -> None:
    result = convert(segdata, devkit, url, "--num_shards", 10)
    assert result.exit_code == 0, result.output
    assert f"10 rows in 10 shards written to {url}" in result.output
    assert names(url) == sorted(open_set(local).manifest.files)
    for name in ("", "/manifest.json", "/train.mindrecord7"):
        assert json.loads(segdata("info", f"{url}{name}", "--json").output)["manifest"]["rows"] == 10
    result = segdata("verify", url)
    assert (result.exit_code, f"{url}: 10 rows in 10 shards, intact" in result.output) == (0, True), result.output
    copy = fetch.local_set(url, work_dir=tmp_path / "work")
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
        path.name: path.read_bytes() for path in local.iterdir()
    }


def test_the_functions_take_urls_as_the_commands_do(url: Url, devkit: Path, tmp_path: Path) -> None:
    dataset, work = open_dataset(devkit / "voc_train_lst.txt"), tmp_path / "work"
    report = api.to_mindrecord(dataset, str(url), num_shards=2, work_dir=work)
    assert (report.path, report.rows) == (str(url), 10)
    with pytest.raises(TargetExistsError, match=f"{url}: already exists"):
        api.to_mindrecord(dataset, url, num_shards=2, work_dir=work)
    checked = api.verify(f"{url}/train.mindrecord1", work_dir=work)
    assert (checked.path, checked.problems) == (str(url), ())
    assert api.info(str(url)) == api.info(url / "manifest.json")
    local = tmp_path / "local" / "train"
    assert api.to_mindrecord(dataset, str(local), num_shards=2).path == str(local)
    assert api.info(local).manifest == api.info(str(url)).manifest
    with pytest.raises(TargetExistsError, match=f"{local}: already exists"):
        api.to_mindrecord(dataset, str(local), num_shards=2)


def test_nothing_is_left_here_of_a_set_that_is_published(segdata: Run, url: Url, devkit: Path, tmp_path: Path) -> None:
    assert convert(segdata, devkit, url).exit_code == 0
    assert [path for path in (tmp_path / "work").rglob("*") if path.is_file()] == []


def test_a_dry_run_writes_nothing_and_says_the_url(segdata: Run, url: Url, devkit: Path, tmp_path: Path) -> None:
    result = convert(segdata, devkit, url, "--dry-run")
    assert (result.exit_code, f"would be written to {url}" in result.output) == (0, True), result.output
    assert names(url) == []
    assert not (tmp_path / "work").exists()


def test_a_set_in_the_way_is_replaced_only_when_asked_for(segdata: Run, url: Url, devkit: Path, local: Path) -> None:
    publish(local, url, RECORD_SET)
    result = convert(segdata, devkit, url)
    assert (result.exit_code, "already exists (--overwrite replaces it)" in result.output) == (1, True), result.output
    assert names(url) == sorted(open_set(local).manifest.files)
    assert convert(segdata, devkit, url, "--overwrite").exit_code == 0
    assert len(names(url)) == 5
    assert segdata("verify", url).exit_code == 0


def test_foreign_objects_are_never_lost(segdata: Run, url: Url, devkit: Path, local: Path, tmp_path: Path) -> None:
    publish(local, url, RECORD_SET)
    put(url, "notes/today.txt", b"mine")
    result = convert(segdata, devkit, url, "--overwrite")
    assert (result.exit_code, "would delete:\n  notes/today.txt" in result.output) == (1, True), result.output
    assert len(names(url)) == 22
    with pytest.raises(TargetExistsError, match=r"notes/today\.txt"):
        publish(local, url, RECORD_SET, overwrite=True)


def test_a_set_needs_a_name_in_its_bucket(segdata: Run, server: Server, devkit: Path) -> None:
    result = convert(segdata, devkit, "s3://bucket")
    assert (result.exit_code, "expected a prefix in it, such as s3://bucket/train" in result.output) == (1, True)


class Counting:
    """A `Progress` that records its calls."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    @contextmanager
    def __call__(self, *, total: int, label: str) -> Iterator[Advance]:
        self.labels.append(label)
        yield lambda _count: None


@pytest.mark.parametrize("replaced", [False, True], ids=["new", "replacing another set"])
def test_a_killed_upload_is_seen_by_nobody_and_completed_by_running_again(
    segdata: Run, url: Url, devkit: Path, local: Path, tmp_path: Path, replaced: bool
) -> None:
    if replaced:
        to_mindrecord(open_dataset(devkit / "voc_val_lst.txt", data_root=devkit), tmp_path / "other", num_shards=1)
        publish(tmp_path / "other", url, RECORD_SET)
    status = kill_upload(local, url, "segdata.records.convert:RECORD_SET")
    assert status == -9
    assert len(names(url)) == 9
    for command in ("info", "verify"):
        result = segdata(command, url)
        assert (result.exit_code, "the upload of a record set is in progress or was interrupted" in result.output) == (
            1,
            True,
        )
    with pytest.raises(InvalidInputError, match="upload of a record set is in progress"):
        fetch.local_set(url)
    groups = Counting()
    publish(local, url, RECORD_SET, progress=groups)
    assert len(groups.labels) == 3
    assert names(url) == sorted(open_set(local).manifest.files)
    assert segdata("verify", url).exit_code == 0


def test_what_an_interrupted_upload_left_of_another_set_is_replaced(
    segdata: Run, url: Url, devkit: Path, local: Path
) -> None:
    kill_upload(local, url, "segdata.records.convert:RECORD_SET")
    assert UPLOAD in names(url)
    assert convert(segdata, devkit, url).exit_code == 0
    assert len(names(url)) == 5
    assert segdata("verify", url).exit_code == 0


def test_an_upload_that_failed_at_its_last_deletion_is_completed_by_running_again(
    segdata: Run, url: Url, devkit: Path, tmp_path: Path, reconnect: Callable[..., None]
) -> None:
    dataset = open_dataset(devkit / "voc_train_lst.txt")
    (reader, secret), (writer, right) = READER, WRITER

    @contextmanager
    def revoke(*, total: int, label: str) -> Iterator[Advance]:
        """Take the right to delete away once the manifest is uploaded."""
        yield lambda _count: None
        if label.startswith("upload") and "manifest.json" in names(url):
            reconnect(AWS_ACCESS_KEY_ID=reader, AWS_SECRET_ACCESS_KEY=secret)

    with pytest.raises(SegDataError, match=r"access denied .*\n.* Run the same command again to complete the upload"):
        to_mindrecord(dataset, url, num_shards=2, work_dir=tmp_path / "work", progress=revoke)
    reconnect(AWS_ACCESS_KEY_ID=writer, AWS_SECRET_ACCESS_KEY=right)
    assert UPLOAD in names(url)
    assert segdata("verify", url).exit_code == 0
    # Another set does not complete this one.
    other = segdata("to-mindrecord", devkit / "voc_train_lst.txt", "--dst_path", url, "--num_shards", 3)
    assert (other.exit_code, "already exists (--overwrite replaces it)" in other.output) == (1, True), other.output
    assert len(open_set(fetch.local_set(url, work_dir=tmp_path / "copy")).manifest.shards) == 2
    again = convert(segdata, devkit, url)
    assert again.exit_code == 0, again.output
    assert names(url) == sorted([*(f"train.mindrecord{end}" for end in ("0", "0.db", "1", "1.db")), "manifest.json"])


def test_objects_without_manifest_and_note_are_foreign(url: Url, local: Path) -> None:
    upload(local, ["train.mindrecord0"], url)
    with pytest.raises(TargetExistsError, match=r"would delete:\n  train.mindrecord0"):
        publish(local, url, RECORD_SET, overwrite=True)


def test_damage_in_the_store_is_found_by_verify_and_by_fetching(
    segdata: Run, url: Url, local: Path, tmp_path: Path
) -> None:
    publish(local, url, RECORD_SET)
    data = bytearray((local / "train.mindrecord3").read_bytes())
    data[len(data) // 2] ^= 1
    put(url, "train.mindrecord3", bytes(data))
    put(url, "train.mindrecord99")
    transfer.remove(url, ["train.mindrecord4.db"])
    result = segdata("verify", url, "--json")
    assert (result.exit_code, json.loads(result.output)["problems"]) == (
        1,
        [
            "train.mindrecord99: is not in the manifest",
            "train.mindrecord3: its SHA-256 differs from the manifest; the content has changed",
            "train.mindrecord4.db: does not exist",
        ],
    )
    upload(local, ["train.mindrecord4.db"], url)
    with pytest.raises(
        SegDataError, match=r"SHA-256 differs from the manifest in 1 file; [^\n]*\n  train.mindrecord3$"
    ):
        fetch.local_set(url, work_dir=tmp_path / "work")
    put(url, "train.mindrecord3", bytes(data[:-1]))
    with pytest.raises(SegDataError, match="wrong size of 1 object; damaged"):
        fetch.local_set(url, work_dir=tmp_path / "work")
    assert list((tmp_path / "work").rglob("train.*")) == []


def test_a_set_is_fetched_once_and_again_when_it_has_changed(
    segdata: Run, url: Url, devkit: Path, local: Path, tmp_path: Path
) -> None:
    publish(local, url, RECORD_SET)
    counting = Counting()
    first = fetch.local_set(url, work_dir=tmp_path / "work", progress=counting)
    assert fetch.local_set(url / "train.mindrecord2", work_dir=tmp_path / "work", progress=counting) == first
    assert len(counting.labels) == 1
    (first / "train.mindrecord2").unlink()
    assert fetch.local_set(url, work_dir=tmp_path / "work", progress=counting) == first
    assert len(counting.labels) == 2
    convert(segdata, devkit, url, "--overwrite")
    second = fetch.local_set(url, work_dir=tmp_path / "work")
    assert second != first
    assert open_set(first).manifest.rows == open_set(second).manifest.rows


def test_a_file_of_another_set_does_not_name_it(segdata: Run, url: Url, local: Path) -> None:
    publish(local, url, RECORD_SET)
    result = segdata("info", f"{url}/train.mindrecord10")
    assert (result.exit_code, f"not a file of the record set in {url}" in result.output) == (1, True), result.output


def test_a_set_that_may_not_be_written_to_the_store_is_kept(
    segdata: Run, url: Url, devkit: Path, tmp_path: Path, reconnect: Callable[..., None]
) -> None:
    (reader, secret), (writer, right) = READER, WRITER
    reconnect(AWS_ACCESS_KEY_ID=reader, AWS_SECRET_ACCESS_KEY=secret)
    result = convert(segdata, devkit, url)
    assert (result.exit_code, "access denied (AccessDenied)" in result.output) == (1, True), result.output
    kept = local_place(url, tmp_path / "work")
    assert f"The complete set is in {kept}. Run the same command again to complete the upload." in result.output
    assert segdata("verify", kept).exit_code == 0
    reconnect(AWS_ACCESS_KEY_ID=writer, AWS_SECRET_ACCESS_KEY=right)
    assert convert(segdata, devkit, url).exit_code == 0
    assert not kept.exists()


NOTE = {"format": "segdata upload", "index": "0" * 64, "files": ["a.png"], "done": []}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Input data was truncated"),
        (b'{"x":' + b"[" * 5000, "maximum recursion depth|Input data was truncated"),
        (b"\xff" * 20, "invalid"),
        (json.dumps([NOTE]).encode(), "Expected `object`, got `array`"),
        (json.dumps(NOTE | {"format": "mine"}).encode(), r"Invalid enum value 'mine'"),
        (json.dumps(NOTE | {"index": "0"}).encode(), r"Expected `str` matching regex"),
        (json.dumps(NOTE | {"files": "a.png"}).encode(), r"Expected `array`, got `str` - at `\$\.files`"),
        (json.dumps(NOTE | {"files": [1]}).encode(), r"Expected `str`, got `int` - at `\$\.files"),
        (json.dumps(NOTE | {"files": ["../a.png"]}).encode(), r"'\.\./a\.png' is outside"),
        (json.dumps(NOTE | {"files": ["/a.png"]}).encode(), "'/a.png' is outside"),
        (json.dumps(NOTE | {"files": ["a.txt"]}).encode(), "'a.txt' is not a file of a picture"),
        (json.dumps(NOTE | {"done": ["b.png"]}).encode(), "'b.png' is not in files"),
    ],
)
def test_a_damaged_note_of_an_upload_is_a_sentence_and_nothing_is_changed(
    content: bytes, reason: str, url: Url
) -> None:
    put(url, "upload.json", content)
    put(url, "a.png", b"mine")
    product = Product("picture", "index.png", lambda _directory, sizes: list(sizes), lambda name: name.endswith("png"))
    sentence = rf"{url}/upload\.json: is not an upload record of this program: .*({reason})"
    with pytest.raises(InvalidInputError, match=sentence):
        check_free(url, product, overwrite=True)
    assert names(url) == ["a.png", "upload.json"]
