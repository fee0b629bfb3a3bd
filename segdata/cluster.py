"""Run work on an existing Dask cluster; requires the extra ``segdata[dask]``."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from segdata.errors import SegDataError

if TYPE_CHECKING:
    from distributed import Client

_T = TypeVar("_T")
_R = TypeVar("_R")

#: Seconds to wait for the scheduler and for its first worker.
PATIENCE = 20

#: Packages that need the same version everywhere, so that all workers produce the same bytes.
_PROGRAMS = ("segdata", "numpy")


@dataclass(frozen=True)
class Cluster:
    """A running Dask cluster, given by the address of its scheduler: ``tcp://host:8786``."""

    address: str


def cluster_map(function: Callable[[_T], _R], items: Iterable[_T], cluster: Cluster) -> Iterator[_R]:
    """Yield ``function(item)`` in the order of `items`; submit a few items per worker thread at a time.

    When a worker dies, another repeats its items, so `function` must be safe to call twice on the same item.

    Raises:
        SegDataError: when `distributed` is not installed, the scheduler does not answer or has no workers, the workers'
            versions differ from the caller's, or several workers died on the same item.
    """
    with _connect(cluster) as client:
        from distributed import CancelledError, KilledWorker

        ahead = 4 * sum(client.nthreads().values())
        waiting: deque[Any] = deque()
        # It may hold data sets, which take long to send: each worker gets it once.
        shared = client.submit(_same, function, pure=False)
        try:
            client.replicate([shared])
            for item in items:
                waiting.append(client.submit(_call, shared, item, pure=False))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except KilledWorker as error:
            raise SegDataError(
                f"{cluster.address}: several workers died on the same task; check their logs (often memory ran out)"
            ) from error
        except CancelledError as error:
            raise SegDataError(f"{cluster.address}: the connection to the scheduler was lost") from error
        finally:
            client.cancel([*waiting, shared])


def _same(function: Callable[[_T], _R]) -> Callable[[_T], _R]:
    return function


def _call(function: Callable[[_T], _R], item: _T) -> _R:
    return function(item)


#: Number of local workers, or a cluster.
Workers: TypeAlias = int | Cluster


def check_shared(workers: Workers, directory: Path) -> None:
    """Check that every worker of a cluster sees `directory`; local workers always do.

    Raises:
        SegDataError: when workers do not see it; names them. See also `cluster_map`.
    """
    if not isinstance(workers, Cluster):
        return
    with _connect(workers) as client:
        seen: dict[str, bool] = client.run(Path.is_dir, directory)
    if blind := [address for address, sees in seen.items() if not sees]:
        raise SegDataError(
            f"{directory}: is not visible to worker{'s' if len(blind) != 1 else ''} {', '.join(blind)}; expected a "
            "file system that all machines share under the same path"
        )


@contextmanager
def _connect(cluster: Cluster) -> Iterator[Client]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise SegDataError(
            "a Dask cluster needs additional packages; install them with: pip install 'segdata[dask]'"
        ) from error
    _check_answering(cluster)
    # What it reports there is in the errors raised here.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    client = Client(cluster.address, timeout=PATIENCE, set_as_default=False)
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise SegDataError(f"{cluster.address}: the scheduler has no workers") from error
        _check_versions(client, cluster)
        yield client


def _check_answering(cluster: Cluster) -> None:
    """Check the form of the address and that a program of Dask answers there, possibly after a while.

    Raises:
        SegDataError: otherwise.
    """
    try:
        address = urlsplit(cluster.address)
        if address.scheme not in ("tcp", "tls") or not address.hostname or not address.port:
            raise ValueError("another form")
    except ValueError as error:
        raise SegDataError(
            f"{cluster.address!r}: not the address of a Dask scheduler; expected tcp://HOST:PORT or tls://HOST:PORT"
        ) from error
    # Imported here: it would take a tenth of the time of a command without a cluster.
    import asyncio

    try:
        asyncio.run(_greet(cluster.address))
    # TypeError: there are no certificates.
    except (OSError, ValueError, TypeError, asyncio.TimeoutError) as error:
        hint = ". Set distributed.comm.tls in Dask's configuration." if address.scheme == "tls" else ""
        reason = str(error) or f"nothing within {PATIENCE} s"
        raise SegDataError(f"{cluster.address}: no Dask scheduler answers at this address: {reason}{hint}") from error


async def _greet(address: str) -> None:
    """Exchange greetings with a program of Dask; its `Client` would wait forever for another program's."""
    import asyncio

    from distributed.comm import connect
    from distributed.security import Security

    arguments = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, timeout=PATIENCE, **arguments), PATIENCE)
    comm.abort()


def _check_versions(client: Client, cluster: Cluster) -> None:
    here = versions()
    for address, there in client.run(versions, on_error="return").items():
        if not isinstance(there, dict):
            raise SegDataError(f"{cluster.address}: worker {address} cannot import segdata: {there}")
        for name, version in here.items():
            if there[name] != version:
                raise SegDataError(
                    f"{cluster.address}: worker {address} has {name} {there[name]}, this machine has {version}; "
                    "expected the same version everywhere"
                )


def versions() -> dict[str, str]:
    """Return the versions of the packages that affect the output."""
    from importlib import metadata

    return {name: metadata.version(name) for name in _PROGRAMS}
