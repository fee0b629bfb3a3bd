"""Set up the device, and turn signals into stop requests."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from segdata.errors import SegDataError
from segtrain.config.config import DeviceTarget
from segtrain.distributed.messages import messages_held_back
from segtrain.distributed.ranks import ALONE, current, device_id, join


def prepare_device(target: DeviceTarget, *, seed: int) -> None:
    """Select the device, connect to the other processes of the run, and set graph mode and the global random seed.

    Call this before building the first network.

    Raises:
        SegDataError: when the device does not exist or the other processes cannot be reached.
    """
    if target == "CPU":
        # On AVX-512 processors, oneDNN runs MindSpore's convolutions with its reference kernels, which are 24 to 100
        # times slower. It reads this variable at the first convolution. A value set by the user takes precedence.
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

    import mindspore as ms

    with messages_held_back():
        try:
            # A process that has joined a group already has its device, possibly with a number chosen by MindSpore.
            if current() == ALONE:
                ms.set_device(target, device_id() if target == "Ascend" else None)
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().split(". ")[0]
            raise SegDataError(
                f"device {target} cannot be used on this machine: {reason}. Check that its driver is installed, or use "
                "--device_target CPU; in fit, add --amp O0."
            ) from error
    join()
    # MindSpore (2.10) collects garbage when it compiles. If an earlier network is among it, the next one is compiled
    # again at its second call.
    gc.collect()
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_seed(seed)


@contextmanager
def stop_requests() -> Iterator[Callable[[], int | None]]:
    """Treat SIGINT and SIGTERM as requests to stop; the yielded function returns the signal received, None if none.

    A second signal has its usual effect. Only the main thread receives signals; in other threads there are no requests.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        for each, handler in usual.items():
            signal.signal(each, handler)

    def received_signal() -> int | None:
        if not received:
            # When MindSpore compiles a network, it installs a handler that turns SIGINT into SIGTERM.
            listen()
        return received[0] if received else None

    def listen() -> None:
        for number in usual:
            signal.signal(number, request)

    listen()
    try:
        yield received_signal
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
