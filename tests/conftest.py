"""What every test may use: a command runner, and the real data where it lies beside the checkout."""

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

# A busy machine is no failure, and a landing must not hang on the luck of a draw.
settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
# For a second run of the same tests, with another Python (scripts/test.sh).
settings.register_profile("few", settings.get_profile("here"), max_examples=20)
settings.load_profile(os.environ.get("TEST_EXAMPLES", "here"))

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
