"""Several processes, one device each, that train or evaluate one network together: data parallelism.

They are started by MindSpore's ``msrun``, or on Ascend by a script of one's own with a rank table; each finds out by
its environment (MindSpore's tutorials "msrun Launching" and "rank table Startup"). What the processes exchange is built
on the sum of float32 alone, the only sum that MindSpore's collectives know on a CPU, so that it is the same code on
every device.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError, SegDataError

if TYPE_CHECKING:
    from mindspore import Parameter

#: Bytes of an int64.
_BYTES = 8


@dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is.

    Attributes:
        rank: its number, from 0; rank 0 alone writes and prints.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def share(self, rows: int) -> range:
        """Return which of `rows` rows are this process's: every one is exactly one's, none is repeated."""
        return range(self.rank, rows, self.size)

    def mean(self, value: float) -> float:
        """Return the mean of the ranks' values, computed in float32; NaN, where one has NaN."""
        return value if self.size == 1 else float(_sum(np.array([value], np.float32))[0]) / self.size

    def any(self, flag: bool) -> bool:
        """Return whether `flag` is true on any rank."""
        return self.mean(flag) > 0

    def sum(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the exact sum over all ranks of each of `counts`; of any shape, on at most 65793 ranks."""
        return counts if self.size == 1 else from_float32(_sum(to_float32(counts)), counts.shape)

    def wait(self) -> None:
        """Return when all ranks have come here."""
        self.any(False)

    def check_equal(self, what: str, value: bytes) -> None:
        """Check that all ranks have the same `value`; nothing goes on before all of them have come here.

        Raises:
            SegDataError: on this rank or another, when they have not.
        """
        own = np.frombuffer(hashlib.sha256(value).digest(), np.uint32).astype(np.int64)
        # The sums are multiples of everybody's own only if all are the same.
        if (self.sum(own) != self.size * own).any():
            raise SegDataError(
                f"rank {self.rank} of {self.size} does not have the same {what} as the others; start all by the same "
                "command on the same files"
            )

    def broadcast(self, parameters: Iterable[Parameter]) -> None:
        """Give every rank the values of rank 0."""
        if self.size == 1:
            return
        from mindspore import Tensor, ops

        send = ops.Broadcast(0)
        for parameter in parameters:
            parameter.set_data(send((Tensor(parameter.asnumpy()),))[0])


#: The only process.
ALONE = Ranks()


def launched() -> bool:
    """Return whether this process was started as one of several.

    Raises:
        InvalidInputError: when the environment says something impossible.
    """
    if "MS_ROLE" in os.environ:
        return True
    size = os.environ.get("RANK_SIZE", "1")
    if not size.isdecimal():
        raise InvalidInputError(f"the environment variable RANK_SIZE is {size!r}: expected the number of processes")
    return int(size) > 1 and bool(os.environ.get("RANK_TABLE_FILE"))


def device_id() -> int | None:
    """Return which of the machine's devices this process takes; None: ``msrun`` has MindSpore find that out.

    Raises:
        InvalidInputError: when the environment says something impossible.
    """
    if "MS_ROLE" in os.environ:
        return None
    device = os.environ.get("DEVICE_ID", "0")
    if not device.isdecimal():
        raise InvalidInputError(f"the environment variable DEVICE_ID is {device!r}: expected the number of a device")
    return int(device)


def join() -> None:
    """Meet the other processes, if there are any; the device must have been chosen, and no tensor made.

    ``msrun`` starts one process more than there are devices, which only lets the others find each other: it never
    returns from here, but ends when they have ended.

    Raises:
        SegDataError: when the others cannot be met.
    """
    from mindspore.communication import GlobalComm, init

    if not launched() or GlobalComm.INITED:
        return
    try:
        init()
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        raise SegDataError(f"the processes of this run did not all meet, or one ended early: {reason}") from error


def current() -> Ranks:
    """Return which process this is; one alone, where none has joined."""
    from mindspore.communication import GlobalComm, get_group_size, get_rank

    return Ranks(get_rank(), get_group_size()) if GlobalComm.INITED else ALONE


def to_float32(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the bytes of int64 values as float32: sums of 65793 of them and less are exact.

    >>> to_float32(np.array([258]))[:3].tolist()
    [2.0, 1.0, 0.0]
    """
    return np.ascontiguousarray(counts, "<i8").reshape(-1).view(np.uint8).astype(np.float32)


def from_float32(sums: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return the sum of the int64 values whose `to_float32` was summed, modulo 2^64 like int64 itself."""
    weights = np.int64(1) << np.arange(0, 8 * _BYTES, 8, dtype=np.int64)
    total: npt.NDArray[np.int64] = (sums.reshape(-1, _BYTES).astype(np.int64) * weights).sum(1)
    return total.reshape(shape)


def _sum(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    from mindspore import Tensor, ops

    total: npt.NDArray[Any] = ops.AllReduce()(Tensor(values)).asnumpy()
    return total
