"""A look at a data set: a contact sheet, and a page with everything that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segdata.dataset import Dataset, DatasetKind
from segdata.errors import FaultsError, InvalidInputError
from segdata.files import check_target_file, write_file
from segdata.inspect.check import check
from segdata.inspect.preview.choice import PreviewChoice, choose, find_classes
from segdata.inspect.preview.page import PageContent, render_page
from segdata.inspect.preview.pictures import LegendEntry, Picture, Unreadable, View, draw_samples, make_legend
from segdata.inspect.preview.sheet import TILE_HEIGHT, TILE_WIDTH, draw_sheet
from segdata.inspect.stats import stats
from segdata.parallel import Progress, default_workers, silent
from segdata.records.schema import TaskName

#: The page's file in its directory.
PAGE = "index.html"

#: Longest side of a picture on the page, in pixels.
PAGE_SIDE = 640

#: Samples that are shown at most: their pictures are in memory together, 2 MB each.
MAX_COUNT = 200


@dataclass(frozen=True)
class PreviewReport:
    """What `preview` shows.

    Attributes:
        path: of the list, JSON or record set.
        kind: which of these it is.
        task: semantic or instance.
        out: the contact sheet.
        html: the page.
        seed: of the choice.
        shown: names of the samples, in their order.
        found: how many could have been chosen: all, or those that show one of the wanted classes.
        samples: in the data set.
        classes: names of the classes that the pictures show, by id.
        unreadable: samples that cannot be read, one sentence each; those among `shown` have a tile that says so.
        annotations_left_out: annotations of the samples shown that are no instances, one sentence each.
    """

    path: str
    kind: DatasetKind
    task: TaskName
    out: str | None
    html: str | None
    seed: int
    shown: tuple[str, ...]
    found: int
    samples: int
    classes: tuple[str, ...]
    unreadable: tuple[str, ...]
    annotations_left_out: tuple[str, ...]


def preview(
    dataset: Dataset,
    *,
    out: Path | None = None,
    html: Path | None = None,
    count: int = 16,
    seed: int = 0,
    classes: Sequence[str] = (),
    alpha: float = 0.5,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> PreviewReport:
    """Write a contact sheet of some samples, a page with them and all that `stats` and `check` say, or both.

    Images are scaled with their proportions, as stored: an EXIF orientation is not applied. Labels are scaled by
    nearest neighbor, and edges drawn after that.

    Args:
        dataset: see `open_dataset`.
        out: the contact sheet, a PNG.
        html: a directory; ``index.html`` in it is the page, one file that needs no other and no network.
        count: samples to show, 1 to `MAX_COUNT`.
        seed: of the choice; see `choose`.
        classes: show only samples that have one of these, names or ids.
        alpha: strength of the colors, 0 to 1.
        workers: threads, and processes for the statistics; all processors by default.
        overwrite: replace what an earlier run wrote.
        progress: shows how far it is.

    Raises:
        InvalidInputError: when there is nothing to write or to show, a class is unknown, or `count` out of range.
        FaultsError: when a page is wanted and no sample of the data set can be read.
        TargetExistsError: when `out` or the page exists.
    """
    if not out and not html:
        raise InvalidInputError("nothing to write: name the contact sheet, the directory of the page or both")
    if not 1 <= count <= MAX_COUNT:
        raise InvalidInputError(f"{count} samples; expected 1 to {MAX_COUNT}")
    page = html / PAGE if html else None
    for target in (out, page):
        if target:
            check_target_file(target, overwrite=overwrite)
    workers = workers or default_workers()
    wanted = find_classes(dataset, classes)
    choice = choose(dataset, count=count, seed=seed, classes=wanted, workers=workers, progress=progress)
    if not choice.rows:
        raise _nothing(dataset, choice, wanted)
    subtitle = _subtitle(dataset, choice, wanted, seed)
    look = partial(_look_at, dataset, choice, workers=workers, progress=progress)
    files: dict[Path, bytes] = {}
    if out:
        tiles, legend = look(width=TILE_WIDTH, height=TILE_HEIGHT, enlarge=True)
        title = dataset.path.resolve().name
        files[out] = draw_sheet(tiles, legend, title=title, subtitle=subtitle, alpha=alpha)
    if page:
        tiles, legend = look(width=PAGE_SIDE, height=PAGE_SIDE, enlarge=False)
        figures = stats(dataset, workers=workers, progress=progress)
        findings = check(dataset, workers=workers, progress=progress)
        files[page] = render_page(figures, findings, PageContent(tiles, legend, subtitle, alpha)).encode()
    for path, data in files.items():
        write_file(path, data, overwrite=overwrite)
    return _report(dataset, choice, tiles, legend, out=out, html=page, seed=seed)


def _look_at(
    dataset: Dataset, choice: PreviewChoice, *, width: int, height: int, enlarge: bool, workers: int, progress: Progress
) -> tuple[list[Picture | Unreadable], tuple[LegendEntry, ...]]:
    """Return the pictures of the chosen samples and the legend of the classes that they show."""
    view = View(dataset.labels, dataset.ignore_label, width, height, enlarge)
    tiles = []
    with progress(total=len(choice.rows), label="pictures") as advance:
        for tile in draw_samples(dataset, choice.rows, view, workers=workers):
            tiles.append(tile)
            advance(1)
    return tiles, make_legend(tiles, view)


def _subtitle(dataset: Dataset, choice: PreviewChoice, wanted: frozenset[int], seed: int) -> str:
    """Return how many samples of how many are shown, in words."""
    every = f"{len(dataset)} samples"
    if wanted:
        every = f"{choice.found} samples with {_names(dataset, wanted)}, of {every}"
    return f"{len(choice.rows)} of {every}, seed {seed}"


def _names(dataset: Dataset, classes: frozenset[int]) -> str:
    return " or ".join(dataset.labels[id_] for id_ in sorted(classes))


def _nothing(dataset: Dataset, choice: PreviewChoice, wanted: frozenset[int]) -> InvalidInputError:
    """Return the error that no sample can be shown."""
    if not wanted:
        return InvalidInputError(f"{dataset.path}: holds no sample")
    what = f"{dataset.path}: none of its {len(dataset)} samples shows {_names(dataset, wanted)}"
    if not choice.unreadable:
        return InvalidInputError(what)
    return FaultsError(f"{what}; {len(choice.unreadable)} cannot be read", list(map(str, choice.unreadable)))


def _report(
    dataset: Dataset,
    choice: PreviewChoice,
    tiles: Sequence[Picture | Unreadable],
    legend: Sequence[LegendEntry],
    *,
    out: Path | None,
    html: Path | None,
    seed: int,
) -> PreviewReport:
    return PreviewReport(
        path=str(dataset.path),
        kind=dataset.kind,
        task=dataset.task,
        out=str(out) if out else None,
        html=str(html) if html else None,
        seed=seed,
        shown=tuple(tile.name for tile in tiles),
        found=choice.found,
        samples=len(dataset),
        classes=tuple(entry.name for entry in legend if entry.id is not None),
        unreadable=(*map(str, choice.unreadable), *(str(tile) for tile in tiles if isinstance(tile, Unreadable))),
        annotations_left_out=tuple(fault for tile in tiles if isinstance(tile, Picture) for fault in tile.faults),
    )
