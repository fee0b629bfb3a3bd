"""Run the notebooks of examples/: no cell fails, the results are good, and the saved outputs are those of a run."""

from __future__ import annotations

import importlib.util
import re
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from plain_english import foreign

ROOT = Path(__file__).resolve().parents[1]
RUN: Callable[[Path, Path], NotebookNode] = runpy.run_path(str(ROOT / "scripts" / "notebooks.py"))["run"]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))

#: Largest notebook, in bytes: all who clone the repository download it.
MOST_BYTES = 400_000

#: Tag of a cell whose numbers depend on the processor: those of a trained network.
VARIES = "varies"


@dataclass(frozen=True)
class Run:
    """A notebook as it is saved and as it ran, and the names of the files that it left in its folder."""

    name: str
    saved: NotebookNode
    ran: NotebookNode
    left: list[str]


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell: NotebookNode) -> Iterator[str]:
    """Yield the text of each output of a cell; a picture has its type."""
    for output in cell.outputs:
        data = output.get("data", {})
        pictures = [kind for kind in data if kind.startswith("image/")]
        yield pictures[0] if pictures else output.get("text") or data["text/plain"]


def printed(notebook: NotebookNode) -> str:
    return "\n".join(text for cell in code(notebook) for text in texts(cell))


def expected(cell: NotebookNode, text: str) -> str:
    """Return the text as far as every machine prints the same."""
    return re.sub(r"\d+(\.\d+)?", "#", text) if VARIES in cell.metadata.get("tags", ()) else text


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run of a notebook; those that train are skipped without MindSpore."""
    path: Path = request.param
    if "import segtrain" in path.read_text() and not importlib.util.find_spec("mindspore"):
        pytest.skip("no MindSpore")
    folder = tmp_path_factory.mktemp(path.stem)
    return Run(path.stem, read(path), RUN(path, folder), [file.name for file in folder.iterdir()])


def scores(text: str) -> tuple[float, float]:
    """Return the mIoU of a network, and that of one that knows a single class."""
    trained, chance = re.findall(r"^mIoU (\d\.\d\d)", text, re.MULTILINE)
    return float(trained), float(chance)


def check_training(text: str, chance: float) -> None:
    trained, stated = scores(text)
    assert stated == pytest.approx(chance, abs=0.005)
    assert trained > chance + 0.3, text
    first, last = map(float, re.findall(r"loss (\d+\.\d\d) at the start, (\d+\.\d\d)", text)[0])
    assert last < first / 2, text


def check_voc(text: str) -> None:
    # Three quarters of the pixels are background.
    check_training(text, 0.19)
    assert "24 rows" in text
    assert "records/val: 8 rows in 1 shard, intact" in text


def check_microscopy(text: str) -> None:
    check_training(text, 0.39)
    assert "train: 18 slices, images/train-volume_0000.png to images/train-volume_0017.png" in text
    assert "(24, 128, 128) uint8 class ids: [0 1]" in text
    (rand,) = re.findall(r"^Rand (\d\.\d\d)", text, re.MULTILINE)
    assert float(rand) > 0.8


def check_coco_export(text: str) -> None:
    assert "'ellips'): unknown label: did you mean ellipse?" in text
    assert "messy.json: 4 errors, 7 warnings in 25 samples" in text
    assert "fixed.json: 0 errors, 0 warnings in 24 samples" in text
    assert "images: {'train': 18, 'val': 6}" in text
    assert re.search(r"^(\d+) annotations before, \1 after$", text, re.MULTILINE)
    assert "24 masks" in text


RESULTS = {"voc": check_voc, "microscopy": check_microscopy, "coco_export": check_coco_export}


def test_the_results_are_good(run: Run) -> None:
    RESULTS[run.name](printed(run.ran))


def test_the_saved_outputs_are_those_of_the_run(run: Run) -> None:
    for saved, ran in zip(code(run.saved), code(run.ran), strict=True):
        assert [expected(saved, text) for text in texts(saved)] == [expected(ran, text) for text in texts(ran)], (
            f"run: python scripts/notebooks.py {run.name}"
        )


def test_a_run_leaves_no_files(run: Run) -> None:
    assert run.left == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_saved_with_all_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"stream", "display_data"}
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_outputs_tell_nothing_about_the_machine(path: Path) -> None:
    text = printed(read(path))
    assert re.findall(r"(?<![\w./-])/\w+", text) == []
    assert re.findall(r"\d{4}-\d\d-\d\d|\d\d:\d\d", text) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_text_is_plain_and_its_links_lead_somewhere(path: Path) -> None:
    for cell in read(path).cells:
        assert foreign(cell.source) == []
        for link in re.findall(r"\]\(([^)#]+)", cell.source):
            assert (path.parent / link).is_file(), link


def test_a_notebook_runs_a_second_time_in_the_same_kernel(tmp_path: Path) -> None:
    cells = code(read(ROOT / "examples" / "coco_export.ipynb"))
    twice = [new_code_cell(cell.source) for cell in cells * 2]
    path = tmp_path / "twice.ipynb"
    nbformat.write(new_notebook(cells=twice), path)
    ran = code(RUN(path, tmp_path))
    first, second = ran[: len(cells)], ran[len(cells) :]
    assert [list(texts(cell)) for cell in first] == [list(texts(cell)) for cell in second]


def test_a_command_that_fails_ends_the_run(tmp_path: Path) -> None:
    path = tmp_path / "fails.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("%%bash\nsegdata check missing.txt")]), path)
    with pytest.raises(CellExecutionError, match=r"exit status 2\b"):
        RUN(path, tmp_path)
