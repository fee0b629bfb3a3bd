"""Object stores: URLs, record sets published to a real S3 server and read back, and errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given, strategies as st
from s3_server import READER, WRITER, Server, forget_connections, s3_server, use

from segdata.dataset import open_dataset
from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.miniature.voc import write_devkit
from segdata.parallel import Advance
from segdata.records import fetch
from segdata.records.convert import to_mindrecord
from segdata.records.manifest import open_set
from segdata.records.publish import UPLOAD, publish
from segdata.sources.voc import voc_decolor, voc_list
from segdata.store import transfer
from segdata.store.transfer import fetched, objects, upload
from segdata.store.url import Location, Url, local_place, parse_location

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that this process is configured to use."""
    with s3_server(tmp_path_factory.mktemp("s3")) as running, pytest.MonkeyPatch.context() as patch:
        use(running, patch)
        yield running
    forget_connections()


@pytest.fixture
def url(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Url:
    """Return an unused location."""
    monkeypatch.setenv("SEGDATA_WORK_DIR", str(tmp_path / "work"))
    return Url("s3", "bucket", f"{tmp_path.name}/train")


@pytest.fixture
def reconnect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that changes the environment for this test; None removes a variable."""

    def change(**settings: str | None) -> None:
        for name, value in settings.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        forget_connections()

    yield change
    forget_connections()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("voc") / "data"
    write_devkit(root, train=10, val=3)
    voc_decolor(root)
    voc_list(root)
    return root


@pytest.fixture(scope="module")
def local(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a set of 10 shards, 20 files, which are uploaded in three groups."""
    target = tmp_path_factory.mktemp("records") / "train"
    to_mindrecord(open_dataset(root / "voc_train_lst.txt", data_root=root), target, num_shards=10)
    return target


def convert(segdata: Run, root: Path, target: object, *options: object) -> Result:
    source = ("--data_root", root, "--data_lst", root / "voc_train_lst.txt", "--dst_path", target)
    return segdata("to-mindrecord", *source, "--num_shards", 2, *options)


def put(url: Url, name: str, data: bytes, folder: Path) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    upload(folder, [name], url)


def names(url: Url) -> list[str]:
    return sorted(name for name, _ in objects(url))


# URLs


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


# Record sets


def test_a_set_is_published_verified_described_and_fetched_whole(
    segdata: Run, url: Url, root: Path, local: Path, tmp_path: Path
) -> None:
    result = convert(segdata, root, url, "--num_shards", 10)
    assert result.exit_code == 0, result.output
    assert f"10 rows in 10 shards written to {url}" in result.output
    assert names(url) == sorted(open_set(local).manifest.files)
    for name in ("", "/manifest.json", "/train.mindrecord7"):
        assert json.loads(segdata("info", f"{url}{name}", "--json").output)["rows"] == 10
    result = segdata("verify", url)
    assert (result.exit_code, f"{url}: 10 rows in 10 shards, intact" in result.output) == (0, True), result.output
    copy = fetch.local_set(url, work_dir=tmp_path / "work")
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
        path.name: path.read_bytes() for path in local.iterdir()
    }


def test_nothing_is_left_here_of_a_set_that_is_published(segdata: Run, url: Url, root: Path, tmp_path: Path) -> None:
    assert convert(segdata, root, url).exit_code == 0
    assert [path for path in (tmp_path / "work").rglob("*") if path.is_file()] == []


def test_a_dry_run_writes_nothing_and_says_the_url(segdata: Run, url: Url, root: Path, tmp_path: Path) -> None:
    result = convert(segdata, root, url, "--dry-run")
    assert (result.exit_code, f"would be written to {url}" in result.output) == (0, True), result.output
    assert names(url) == []
    assert not (tmp_path / "work").exists()


def test_a_set_in_the_way_is_replaced_only_when_asked_for(segdata: Run, url: Url, root: Path, local: Path) -> None:
    publish(local, url)
    result = convert(segdata, root, url)
    assert (result.exit_code, "already exists (--overwrite replaces it)" in result.output) == (1, True), result.output
    assert names(url) == sorted(open_set(local).manifest.files)
    assert convert(segdata, root, url, "--overwrite").exit_code == 0
    assert len(names(url)) == 5
    assert segdata("verify", url).exit_code == 0


def test_foreign_objects_are_never_lost(segdata: Run, url: Url, root: Path, local: Path, tmp_path: Path) -> None:
    publish(local, url)
    put(url, "notes/today.txt", b"mine", tmp_path)
    result = convert(segdata, root, url, "--overwrite")
    assert (result.exit_code, "would delete:\n  notes/today.txt" in result.output) == (1, True), result.output
    assert len(names(url)) == 22
    with pytest.raises(TargetExistsError, match=r"notes/today\.txt"):
        publish(local, url, overwrite=True)


def test_a_set_needs_a_name_in_its_bucket(segdata: Run, server: Server, root: Path) -> None:
    result = convert(segdata, root, "s3://bucket")
    assert (result.exit_code, "expected a prefix in it, such as s3://bucket/train" in result.output) == (1, True)


KILLED_IN_THE_SECOND_GROUP = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from segdata.records.publish import publish
from segdata.store.url import parse_location

calls = 0

@contextmanager
def kill(total, label):
    global calls
    calls += 1
    if calls == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    yield lambda count: None

publish(Path(sys.argv[1]), parse_location(sys.argv[2]), overwrite=True, progress=kill)
"""


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
    segdata: Run, url: Url, root: Path, local: Path, tmp_path: Path, replaced: bool
) -> None:
    if replaced:
        to_mindrecord(open_dataset(root / "voc_val_lst.txt", data_root=root), tmp_path / "other", num_shards=1)
        publish(tmp_path / "other", url)
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_SECOND_GROUP, str(local), str(url)])
    assert killed.returncode == -9
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
    publish(local, url, progress=groups)
    assert len(groups.labels) == 2
    assert names(url) == sorted(open_set(local).manifest.files)
    assert segdata("verify", url).exit_code == 0


def test_what_an_interrupted_upload_left_of_another_set_is_replaced(
    segdata: Run, url: Url, root: Path, local: Path
) -> None:
    subprocess.run([sys.executable, "-c", KILLED_IN_THE_SECOND_GROUP, str(local), str(url)])
    assert UPLOAD in names(url)
    assert convert(segdata, root, url).exit_code == 0
    assert len(names(url)) == 5
    assert segdata("verify", url).exit_code == 0


def test_objects_without_manifest_and_note_are_foreign(url: Url, local: Path) -> None:
    upload(local, ["train.mindrecord0"], url)
    with pytest.raises(TargetExistsError, match=r"would delete:\n  train.mindrecord0"):
        publish(local, url, overwrite=True)


def test_damage_in_the_store_is_found_by_verify_and_by_fetching(
    segdata: Run, url: Url, local: Path, tmp_path: Path
) -> None:
    publish(local, url)
    data = bytearray((local / "train.mindrecord3").read_bytes())
    data[len(data) // 2] ^= 1
    put(url, "train.mindrecord3", bytes(data), tmp_path)
    put(url, "train.mindrecord99", b"", tmp_path)
    transfer.remove(url, ["train.mindrecord4.db"])
    result = segdata("verify", url, "--json")
    assert (result.exit_code, json.loads(result.output)["problems"]) == (
        1,
        [
            "train.mindrecord99: not in the manifest",
            "train.mindrecord3: its SHA-256 differs from the manifest; the content has changed",
            "train.mindrecord4.db: missing",
        ],
    )
    upload(local, ["train.mindrecord4.db"], url)
    with pytest.raises(
        SegDataError, match=r"SHA-256 differs from the manifest in 1 file; [^\n]*\n  train.mindrecord3$"
    ):
        fetch.local_set(url, work_dir=tmp_path / "work")
    put(url, "train.mindrecord3", bytes(data[:-1]), tmp_path)
    with pytest.raises(SegDataError, match="wrong size of 1 object; damaged"):
        fetch.local_set(url, work_dir=tmp_path / "work")
    assert list((tmp_path / "work").rglob("train.*")) == []


def test_a_set_is_fetched_once_and_again_when_it_has_changed(
    segdata: Run, url: Url, root: Path, local: Path, tmp_path: Path
) -> None:
    publish(local, url)
    counting = Counting()
    first = fetch.local_set(url, work_dir=tmp_path / "work", progress=counting)
    assert fetch.local_set(url / "train.mindrecord2", work_dir=tmp_path / "work", progress=counting) == first
    assert len(counting.labels) == 1
    (first / "train.mindrecord2").unlink()
    assert fetch.local_set(url, work_dir=tmp_path / "work", progress=counting) == first
    assert len(counting.labels) == 2
    convert(segdata, root, url, "--overwrite")
    second = fetch.local_set(url, work_dir=tmp_path / "work")
    assert second != first
    assert open_set(first).manifest.rows == open_set(second).manifest.rows


def test_a_file_that_is_none_of_the_sets_does_not_name_it(segdata: Run, url: Url, local: Path) -> None:
    publish(local, url)
    result = segdata("info", f"{url}/train.mindrecord10")
    assert (result.exit_code, f"not a file of the record set in {url}" in result.output) == (1, True), result.output


# Objects


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
    put(url, "large", data, tmp_path)
    with fetched(url, {"large": len(data)}) as copy:
        assert (copy / "large").read_bytes() == data


def test_names_of_any_characters_come_back_the_same(url: Url, tmp_path: Path) -> None:
    wanted = sorted(["a b+c%20.txt", "ä&?#=.txt", "folder/日本.txt", "[x]*{y}.txt"])
    for name in wanted:
        put(url, name, name.encode(), tmp_path / "out")
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
    publish(local, there)
    assert fetch.verify_location(there, work_dir=tmp_path / "work").ok


# Errors


def test_a_wrong_secret_is_told_and_never_shown(server: Server) -> None:
    # A separate process that shows every log message of every library.
    code = "import logging; logging.basicConfig(level=logging.DEBUG); from segdata.cli import main; main()"
    settings = {**os.environ, "AWS_SECRET_ACCESS_KEY": "my-very-wrong-secret"}
    done = subprocess.run(
        [sys.executable, "-c", code, "info", "s3://bucket/set"], capture_output=True, text=True, env=settings
    )
    assert done.returncode == 1
    assert "DEBUG:botocore" in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert line.startswith("Error: s3://bucket/set/manifest.json: access denied (SignatureDoesNotMatch). Check the cre")
    assert "my-very-wrong-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("target", "settings", "sentence"),
    [
        ("s3://nowhere/set", {}, "bucket nowhere does not exist"),
        ("s3://Not!/set", {}, "invalid name of a bucket or an object"),
        ("s3://bucket/set", {"AWS_ACCESS_KEY_ID": "nobody"}, "access denied (InvalidAccessKeyId). Check the cred"),
        (
            "s3://bucket/set",
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "no credentials; expected AWS_ACC",
        ),
        ("s3://bucket/set", {"AWS_PROFILE": "none"}, "the profile in AWS_PROFILE does not exist"),
        ("s3://bucket/set", {"AWS_ENDPOINT_URL": "nonsense"}, "(AWS_ENDPOINT_URL, S3_ENDPOINT) is not a URL"),
        ("s3://bucket/set", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "cannot connect to http://127.0.0.1:9 (Endp"),
        ("obs://bucket/set", {"AWS_ENDPOINT_URL": None}, "obs://: no endpoint. Set S3_ENDPOINT"),
    ],
)
def test_what_goes_wrong_is_one_sentence_before_the_work_begins(
    segdata: Run, url: Url, root: Path, tmp_path: Path, reconnect: Callable[..., None],
    target: str, settings: dict[str, str | None], sentence: str,
) -> None:  # fmt: skip
    reconnect(**settings)
    result = convert(segdata, root, target)
    assert (result.exit_code, sentence in result.output) == (1, True), result.output
    assert isinstance(result.exception, SystemExit)
    assert not (tmp_path / "work").exists()


def test_a_set_that_may_not_be_written_to_the_store_is_kept(
    segdata: Run, url: Url, root: Path, tmp_path: Path, reconnect: Callable[..., None]
) -> None:
    (reader, secret), (writer, right) = READER, WRITER
    reconnect(AWS_ACCESS_KEY_ID=reader, AWS_SECRET_ACCESS_KEY=secret)
    result = convert(segdata, root, url)
    assert (result.exit_code, "access denied (AccessDenied)" in result.output) == (1, True), result.output
    kept = local_place(url, tmp_path / "work")
    assert f"The complete set is in {kept}. Run the same command again to upload the missing files." in result.output
    assert segdata("verify", kept).exit_code == 0
    reconnect(AWS_ACCESS_KEY_ID=writer, AWS_SECRET_ACCESS_KEY=right)
    assert convert(segdata, root, url).exit_code == 0
    assert not kept.exists()


@pytest.mark.parametrize(
    ("args", "status", "sentence"),
    [
        (("info", "s3://bucket/none"), 1, "s3://bucket/none: no record set; expected s3://bucket/none/manifest.json."),
        (("verify", "s3://bucket"), 1, "s3://bucket: no record set"),
        (("verify", "gs://bucket/set"), 2, "expected a path, s3://BUCKET/… or obs://BUCKET/…"),
        (("info", "s3://k:s@bucket/set"), 2, "URLs must not contain credentials"),
    ],
)
def test_commands_on_what_is_no_set_end_with_a_sentence(
    segdata: Run, server: Server, args: tuple[str, ...], status: int, sentence: str
) -> None:
    result = segdata(*args)
    assert (result.exit_code, sentence in result.output) == (status, True), result.output


def test_without_the_extra_the_sentence_says_what_to_install() -> None:
    code = "import sys; sys.modules['s3fs'] = None; from segdata.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "info", "s3://bucket/set"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip().endswith("pip install 'segdata[remote]'")) == (1, True), done.stderr
