"""Run the notebooks of examples/ and save their outputs: python scripts/notebooks.py [NAME …].

Run it after a change of a notebook or of what it shows; a test compares the saved outputs with those of a run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

#: All that is saved of the environment: the rest, such as the version of Python, differs from machine to machine.
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of a run in `folder`, whose commands are those of this environment.

    Raises:
        nbclient.exceptions.CellExecutionError: when a cell fails; the others after it do not run.
    """
    notebook = nbformat.read(path, as_version=4)
    commands = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    with tempfile.TemporaryDirectory() as settings:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            record_timing=False,
            coalesce_streams=True,
            # Cells and outputs go over a socket that other users of the machine could read.
            config=Config(KernelManager={"transport_encryption": "auto"}),
        )
        # Settings of the user's IPython, such as a startup file, do not count.
        client.execute(env={**os.environ, "PATH": commands, "IPYTHONDIR": settings})
    notebook.metadata = nbformat.from_dict(_METADATA)
    return notebook


def main(names: list[str]) -> None:
    """Run and save the named notebooks, or all, and print the size of each."""
    for path in [EXAMPLES / f"{name}.ipynb" for name in names] or sorted(EXAMPLES.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(run(path, Path(folder)), path)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
