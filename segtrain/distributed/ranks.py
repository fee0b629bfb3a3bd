"""Data parallelism: several processes, one device each, that train or evaluate one network together.

Start them with MindSpore's ``msrun``, or on Ascend with your own script and a rank table. Each process learns its role
from environment variables (MindSpore's tutorials "msrun Launching" and "rank table Startup"). All communication is
built on sums of float32, the only sums that MindSpore's collectives support on a CPU, so that every device runs the
same code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError, OptionError, SegDataError

if TYPE_CHECKING:
    from mindspore import Parameter

#: Size of an int64 in bytes.
_BYTES = 8


@dataclass(frozen=True)
class Ranks:
    """Number of this process among all processes.

    Attributes:
        rank: number of this process, from 0; only rank 0 writes and prints.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def share(self, rows: int) -> range:
        """Return this process's share of `rows` rows: each row belongs to exactly one process."""
        return range(self.rank, rows, self.size)

    def mean(self, value: float) -> float:
        """Return the mean of the values of all ranks, computed in float32; NaN if any of them is NaN."""
        return value if self.size == 1 else float(_sum(np.array([value], np.float32))[0]) / self.size

    def any(self, flag: bool) -> bool:
        """Return whether `flag` is true on any rank."""
        return self.mean(flag) > 0

    def sum(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the exact elementwise sum of `counts`, of any shape, over all ranks (at most 65793)."""
        return counts if self.size == 1 else from_float32(_sum(to_float32(counts)), counts.shape)

    def wait(self) -> None:
        """Wait until all ranks have arrived."""
        self.any(False)

    def check_equal(self, what: str, value: bytes) -> None:
        """Wait until all ranks have arrived, and check that all have the same `value`.

        Raises:
            SegDataError: when the values differ; raised on at least one rank.
        """
        own = np.frombuffer(hashlib.sha256(value).digest(), np.uint32).astype(np.int64)
        # The sums equal `size` times each rank's own values only if all ranks have the same ones.
        if (self.sum(own) != self.size * own).any():
            raise SegDataError(
                f"rank {self.rank} of {self.size} does not have the same {what} as the others; start all ranks with "
                "the same command and the same files"
            )

    def broadcast(self, parameters: Iterable[Parameter]) -> None:
        """Set the parameters on every rank to the values of rank 0."""
        if self.size == 1:
            return
        from mindspore import Tensor, ops

        send = ops.Broadcast(0)
        for parameter in parameters:
            parameter.set_data(send((Tensor(parameter.asnumpy()),))[0])


#: A process without others.
ALONE = Ranks()


def launched() -> bool:
    """Return whether this process was started as one of several.

    Raises:
        InvalidInputError: when RANK_SIZE is not a number.
    """
    if "MS_ROLE" in os.environ:
        return True
    size = os.environ.get("RANK_SIZE", "1")
    if not size.isdecimal():
        raise InvalidInputError(f"environment variable RANK_SIZE is {size!r}; expected the number of processes")
    return int(size) > 1 and bool(os.environ.get("RANK_TABLE_FILE"))


def check_alone(what: str) -> None:
    """Refuse several processes for what one process does.

    Raises:
        OptionError: when this process was started as one of several.
    """
    if launched():
        raise OptionError(f"{what} runs in one process, but was started in several. Start it without msrun.")


def device_id() -> int | None:
    """Return the number of the device this process uses; None: started by ``msrun``, MindSpore chooses the device.

    Raises:
        InvalidInputError: when DEVICE_ID is not a number.
    """
    if "MS_ROLE" in os.environ:
        return None
    device = os.environ.get("DEVICE_ID", "0")
    if not device.isdecimal():
        raise InvalidInputError(f"environment variable DEVICE_ID is {device!r}; expected the number of a device")
    return int(device)


def join() -> None:
    """Connect to the other processes, if any. Select the device first, and do not create tensors before.

    ``msrun`` starts one process more than there are devices. It only helps the others find each other: this call never
    returns there, and the process ends when the others have ended.

    Raises:
        SegDataError: when the other processes cannot be reached.
    """
    from mindspore.communication import GlobalComm, init

    if not launched() or GlobalComm.INITED:
        return
    try:
        init()
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        raise SegDataError(
            f"the processes of this run could not all connect, or one of them ended early: {reason.rstrip('.')}. See "
            "the messages of each process, which msrun writes to --log_dir."
        ) from error


def current() -> Ranks:
    """Return the rank of this process and the number of ranks; `ALONE` if it has not joined others."""
    from mindspore.communication import GlobalComm, get_group_size, get_rank

    return Ranks(get_rank(), get_group_size()) if GlobalComm.INITED else ALONE


def to_float32(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the bytes of int64 values as float32; sums of up to 65793 of them are exact.

    >>> to_float32(np.array([258]))[:3].tolist()
    [2.0, 1.0, 0.0]
    """
    return np.ascontiguousarray(counts, "<i8").reshape(-1).view(np.uint8).astype(np.float32)


def from_float32(sums: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return the int64 values that a sum of `to_float32` results stands for, modulo 2^64 like int64 itself."""
    weights = np.int64(1) << np.arange(0, 8 * _BYTES, 8, dtype=np.int64)
    total: npt.NDArray[np.int64] = (sums.reshape(-1, _BYTES).astype(np.int64) * weights).sum(1)
    return total.reshape(shape)


def _sum(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    from mindspore import Tensor, ops

    total: npt.NDArray[Any] = ops.AllReduce()(Tensor(values)).asnumpy()
    return total
