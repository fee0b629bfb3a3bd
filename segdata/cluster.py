"""A running Dask cluster as a place for work: the extra ``segdata[dask]``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from segdata.errors import SegDataError

if TYPE_CHECKING:
    from distributed import Client

_T = TypeVar("_T")
_R = TypeVar("_R")

#: Seconds that a scheduler and its first worker may take to answer.
PATIENCE = 20

#: What must be the same everywhere for the same bytes to come out.
_PROGRAMS = ("segdata", "mindspore", "numpy")


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster that runs already, by the address of its scheduler: ``tcp://host:8786``."""

    address: str


def cluster_map(function: Callable[[_T], _R], items: Iterable[_T], cluster: Cluster) -> Iterator[_R]:
    """Yield ``function(item)`` in the order of `items`; a few items a worker thread are under way at a time.

    What was under way on a worker that dies is done again by another, so that `function` must bear being called twice.

    Raises:
        SegDataError: when `distributed` is not installed, the scheduler does not answer or has no workers, their
            versions differ from the caller's, or an item was under way on several workers as they died.
    """
    with _connect(cluster) as client:
        from distributed import CancelledError, KilledWorker

        ahead = 4 * sum(client.nthreads().values())
        waiting: deque[Any] = deque()
        try:
            for item in items:
                waiting.append(client.submit(function, item, pure=False))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except KilledWorker as error:
            raise SegDataError(
                f"{cluster.address}: several workers died of the same piece of work; their logs say why (often memory)"
            ) from error
        except CancelledError as error:
            raise SegDataError(f"{cluster.address}: the scheduler has gone away") from error
        finally:
            client.cancel(list(waiting))


#: How many local workers, or a cluster.
Workers: TypeAlias = int | Cluster


def check_shared(workers: Workers, directory: Path) -> None:
    """Refuse a cluster with a worker that does not see `directory`; local workers see what the caller sees.

    Raises:
        SegDataError: naming the workers that do not; see also `cluster_map`.
    """
    if not isinstance(workers, Cluster):
        return
    with _connect(workers) as client:
        seen: dict[str, bool] = client.run(Path.is_dir, directory)
    if blind := [address for address, sees in seen.items() if not sees]:
        raise SegDataError(
            f"{directory} is not seen by the workers {', '.join(blind)}; a cluster needs a file system that all share, "
            "under the same path"
        )


@contextmanager
def _connect(cluster: Cluster) -> Iterator[Client]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise SegDataError("work on a Dask cluster needs more packages: pip install 'segdata[dask]'") from error
    try:
        client = Client(cluster.address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SegDataError(f"{cluster.address}: no Dask scheduler answers there: {error}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise SegDataError(f"{cluster.address}: the scheduler has no workers") from error
        _check_versions(client, cluster)
        yield client


def _check_versions(client: Client, cluster: Cluster) -> None:
    here = versions()
    for address, there in client.run(versions, on_error="return").items():
        if not isinstance(there, dict):
            raise SegDataError(f"{cluster.address}: the worker {address} cannot import segdata: {there}")
        for name, version in here.items():
            if there[name] != version:
                raise SegDataError(
                    f"{cluster.address}: the worker {address} has {name} {there[name]}, this machine {version}; "
                    "the same is needed everywhere"
                )


def versions() -> dict[str, str]:
    """Return the versions that decide what comes out."""
    return {name: metadata.version(name) for name in _PROGRAMS}
