"""Paths and URLs on the command line: what is read and written here is never a folder with the name of a URL."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from segdata.cli import main
from segdata.console.location import LocalPath


@pytest.mark.parametrize("command", ["check", "stats", "preview --out x.png", "check list.txt --against"])
def test_a_record_set_at_a_url_is_copied_first(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").touch()
    result = CliRunner().invoke(main, [*command.split(), "s3://bucket/set"])
    assert result.exit_code == 2
    cure = "Copy a record set with segdata unpack s3://bucket/set --dst_path DIR."
    assert f"s3://bucket/set is a URL; expected a local path. {cure}" in result.output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s3://bucket/a.txt", "s3://bucket/a.txt is a URL; expected a local path. Copy it to this machine first."),
        ("https://me:secret@host/a?sign=1", "https://…@host/a?… is a URL; expected a local path. Copy it"),
        ("s3:/bucket/a.txt", "expected s3://BUCKET/… for a URL. For a local path, put ./ before it."),
    ],
)
def test_a_url_where_a_file_is_read_is_refused(given: str, said: str) -> None:
    result = CliRunner().invoke(main, ["fix", given, "--dst_path", "new.txt"])
    assert (result.exit_code, said in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    "url", ["s3://bucket/masks", "obs://bucket/masks", "S3://bucket/masks", "s3:/bucket", "s3:masks"]
)
def test_nothing_is_written_to_a_folder_with_the_name_of_a_url(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["sample", url]).exit_code == 2
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["a.txt", "/tmp/a://b", "./s3:masks", "C:/a"])
def test_other_names_are_paths(name: str) -> None:
    path = click.Argument(["path"], type=LocalPath())
    assert path.type_cast_value(click.Context(click.Command("any")), name) == Path(name)


@pytest.mark.parametrize(
    "command", ["info", "verify", "unpack --dst_path new", "check", "stats", "merge --dst_path new"]
)
def test_a_path_that_does_not_exist_is_a_wrong_command_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [*command.split(), "records"])
    assert (result.exit_code, "does not exist" in result.output) == (2, True), result.output
