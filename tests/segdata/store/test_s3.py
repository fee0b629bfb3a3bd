"""Failures of a store end in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from s3_server import Server

from segdata.store.url import Url

Run = Callable[..., Result]


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
        ("s3://bucket/set", {"AWS_DEFAULT_REGION": "../x"}, "invalid setting of the connection"),
        ("s3://bucket/set", {"AWS_MAX_ATTEMPTS": "many"}, "invalid setting of the connection"),
        ("s3://bucket/set", {"AWS_RETRY_MODE": "never"}, "invalid setting of the connection"),
        ("s3://bucket/set", {"AWS_REQUEST_CHECKSUM_CALCULATION": "x"}, "invalid setting of the connection"),
        ("s3://bucket/set", {"AWS_DEFAULTS_MODE": "x"}, "invalid setting of the connection"),
        ("s3://bucket/set", {"AWS_ENDPOINT_URL": "tls://127.0.0.1:9"}, "expected http://HOST:PORT or https://HOST"),
        ("s3://bucket/set", {"AWS_ENDPOINT_URL": "http://[::1"}, "expected http://HOST:PORT or https://HOST"),
        ("s3://bucket/set", {"AWS_ENDPOINT_URL": "nonsense"}, "(AWS_ENDPOINT_URL, S3_ENDPOINT) is not a URL"),
        ("s3://bucket/set", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "cannot connect to http://127.0.0.1:9 (Endp"),
        ("obs://bucket/set", {"AWS_ENDPOINT_URL": None}, "obs://: no endpoint. Set S3_ENDPOINT"),
    ],
)
def test_what_goes_wrong_is_one_sentence_before_the_work_begins(
    segdata: Run, url: Url, devkit: Path, tmp_path: Path, reconnect: Callable[..., None],
    target: str, settings: dict[str, str | None], sentence: str,
) -> None:  # fmt: skip
    reconnect(**settings)
    result = segdata("to-mindrecord", devkit / "voc_train_lst.txt", "--dst_path", target)
    assert (result.exit_code, sentence in result.output) == (1, True), result.output
    assert isinstance(result.exception, SystemExit)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("args", "status", "sentence"),
    [
        (("info", "s3://bucket/none"), 1, "s3://bucket/none: no record set; expected s3://bucket/none/manifest.json."),
        (("verify", "s3://bucket"), 1, "s3://bucket: no record set"),
        (("verify", "gs://bucket/set"), 2, "expected a path, s3://BUCKET/… or obs://BUCKET/…"),
        (("info", "s3://k:s@bucket/set"), 2, "without credentials or a port"),
    ],
)
def test_commands_on_a_place_without_a_set_end_with_a_sentence(
    segdata: Run, server: Server, args: tuple[str, ...], status: int, sentence: str
) -> None:
    result = segdata(*args)
    assert (result.exit_code, sentence in result.output) == (status, True), result.output


def test_without_the_extra_the_sentence_says_what_to_install() -> None:
    code = "import sys; sys.modules['s3fs'] = None; from segdata.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "info", "s3://bucket/set"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip().endswith("pip install 'segdata[remote]'")) == (1, True), done.stderr
