"""Fixtures of all tests: a command runner, and the real data where they are beside the checkout."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings
from plain_english import foreign

from segdata.errors import SegDataError

# New examples in each run, and no limit of time: the machine may be busy.
settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in each run of scripts/test.sh: when it fails, the change is the cause.
settings.register_profile("same", settings.get_profile("new"), max_examples=60, derandomize=True)
# For its second run of the same tests, with another Python.
settings.register_profile("few", settings.get_profile("same"), max_examples=20)
settings.load_profile(os.environ.get("TEST_EXAMPLES", "new"))

# A shell's background jobs ignore Ctrl-C, and so would the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def plain_messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold every message that a test makes the program raise to the list of replaced words."""
    raised: list[SegDataError] = []
    original = SegDataError.__init__

    def keep(self: SegDataError, *args: object) -> None:
        original(self, *args)
        raised.append(self)

    monkeypatch.setattr(SegDataError, "__init__", keep)
    yield
    assert {str(error): words for error in raised if (words := foreign(str(error)))} == {}


@pytest.fixture
def real_data() -> Path:
    """Return the folder of real data-set cuts; skip where it is not there."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture
def segdata() -> Callable[..., Result]:
    """Return a function that runs a segdata command line in this process."""
    from segdata.cli import main

    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])
