"""Messages of libraries on standard error are dropped before a sentence that says the same, and kept otherwise."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from segdata.errors import SegDataError
from segtrain.distributed.device import prepare_device
from segtrain.distributed.messages import messages_held_back


@pytest.mark.parametrize(
    ("error", "shown"), [(SegDataError("sentence"), ""), (RuntimeError("fault"), "held\n"), (None, "held\n")]
)
def test_messages_are_dropped_before_a_sentence_only(
    error: Exception | None, shown: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with suppress(SegDataError, RuntimeError), messages_held_back():
        os.write(2, b"held\n")
        if error:
            raise error
    os.write(2, b"after\n")
    assert capfd.readouterr().err == f"{shown}after\n"


def test_a_device_that_is_not_there_is_only_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SegDataError, match="device GPU cannot be used on this machine"):
        prepare_device("GPU", seed=1)
    assert "[ERROR]" not in capfd.readouterr().err
