"""Inputs of the tests of all command lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_lines import write_inputs


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the lines of `command_lines` are run in; tests run them in a copy."""
    root = tmp_path_factory.mktemp("inputs") / "data"
    write_inputs(root)
    return root
