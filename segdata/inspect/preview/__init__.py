"""Preview a data set: a contact sheet, and an HTML page with pictures, findings and statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segdata.arguments import FilePath, check_opened, check_several, local_path
from segdata.dataset import Dataset
from segdata.draw.lettering import without_font
from segdata.draw.page import PAGE, check_page, write_page
from segdata.draw.pictures import Enlarge, LegendEntry
from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.files.ownership import check_target_file
from segdata.files.publishing import write_file
from segdata.inspect.check import check
from segdata.inspect.inputs import input_files
from segdata.inspect.preview.choice import PreviewChoice, choose, find_classes
from segdata.inspect.preview.page import PROGRAM, PageContent, render_page
from segdata.inspect.preview.pictures import Tile, View, draw_samples, make_legend
from segdata.inspect.preview.sheet import TILE_HEIGHT, TILE_WIDTH, draw_sheet
from segdata.inspect.preview.similar import draw_similar, similar_faults
from segdata.inspect.stats import stats
from segdata.parallel import Progress, chosen_workers, silent
from segdata.records.schema import TaskName
from segdata.samples import DatasetKind
from segdata.text import plural

#: Longest side of a picture on the page, in pixels: the larger for up to 16 pictures, the smaller from 64 on.
PAGE_SIDES = (640, 1280)

#: Maximum number of samples; all pictures are in memory together, at most 0.5 GB.
MAX_COUNT = 200


@dataclass(frozen=True)
class PreviewReport:
    """Report of `preview`.

    Attributes:
        path: path of the contact sheet; of the page if there is no sheet.
        source: path of the list, JSON or record set.
        kind: type of the data set.
        task: semantic or instance.
        html: path of the page, if one was written.
        seed: seed of the selection.
        shown: names of the samples shown, in order.
        found: number of samples to choose from: all, or those that show a wanted class.
        samples: number of samples in the data set.
        class_names: names of the classes in the pictures, by id.
        unreadable: faults of the samples that cannot be read; those in `shown` have a tile with the message.
        annotations_left_out: faults of annotations of the samples shown.
        unknown: what the data set does not say, such as the names of its classes.
        similar: faults of the images that are similar to an earlier one, also of those not shown. None if they were not
            searched for: without `near`, or in a damaged record set.
        not_found: names of the classes that no sample shows; None without `cover`.
        not_shown: names of the classes that `count` is too small for, with `cover`.
        without_font: names of the classes that no font here can draw; the contact sheet has their ids.
    """

    path: str
    source: str
    kind: DatasetKind
    task: TaskName
    html: str | None
    seed: int
    shown: tuple[str, ...]
    found: int
    samples: int
    class_names: tuple[str, ...]
    unreadable: tuple[Fault, ...]
    annotations_left_out: tuple[Fault, ...]
    unknown: tuple[str, ...] = ()
    similar: tuple[Fault, ...] | None = None
    not_found: tuple[str, ...] | None = None
    not_shown: tuple[str, ...] = ()
    without_font: tuple[str, ...] = ()


def preview(
    dataset: Dataset,
    *,
    out: FilePath | None = None,
    html: FilePath | None = None,
    count: int = 16,
    seed: int = 0,
    classes: Sequence[str] = (),
    cover: bool = False,
    alpha: float = 0.5,
    near: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> PreviewReport:
    """Write a contact sheet of some samples, a page with them and the results of `stats` and `check`, or both.

    Images are scaled as stored, with their aspect ratio; an EXIF orientation is not applied. Labels are scaled by
    nearest neighbor before edges are drawn.

    Args:
        dataset: see `open_dataset`.
        out: path of the contact sheet, a PNG.
        html: directory of the page ``index.html``, a single file that needs no network.
        count: number of samples to show, 1 to `MAX_COUNT`.
        seed: seed of the selection; see `choose`.
        classes: names or ids; only samples that show at least one of these classes are shown.
        cover: show every class that occurs, or every one of `classes`, in few samples; others fill up to `count`.
        alpha: opacity of the overlay, 0 to 1.
        near: also search all images for similar ones, and show the first 50 pairs on the page; see `check`.
        workers: number of threads, and of processes for the statistics; by default one per CPU core.
        overwrite: replace the files of an earlier run.
        progress: reports progress.

    Raises:
        InvalidInputError: when there is nothing to write or to show, a class is unknown, `count` or `alpha` is out of
            range, `out` is an input or is not named like a PNG, `near` is set without `html`, or `cover` with a single
            class.
        FaultsError: when a page is requested and no sample of the data set can be read.
        TargetExistsError: when `out` or the page already exists.
    """
    check_opened("dataset", dataset)
    check_several("classes", classes)
    out, html = local_path(out), local_path(html)
    workers = chosen_workers(workers)
    if not out and not html:
        raise InvalidInputError("nothing to write; expected a contact sheet, a directory for the page, or both")
    if near and not html:
        raise InvalidInputError("similar images (near) are shown on the page; expected a directory for it (html)")
    if not 1 <= count <= MAX_COUNT:
        raise InvalidInputError(f"{plural(count, 'sample')}; expected 1 to {MAX_COUNT}")
    if not 0 <= alpha <= 1:
        raise InvalidInputError(f"opacity {alpha:g}; expected 0 to 1")
    if out and out.suffix.lower() != ".png":
        raise InvalidInputError(f"{out}: not a PNG; expected a name that ends in .png")
    if out:
        check_target_file(out, overwrite=overwrite, inputs=input_files(dataset))
    if html:
        check_page(html, PROGRAM, overwrite=overwrite)
    wanted = find_classes(dataset, classes)
    if cover and len(wanted) == 1:
        raise InvalidInputError("cover has no effect with one class, which all samples show; expected several, or none")
    choice = choose(dataset, count=count, seed=seed, classes=wanted, cover=cover, workers=workers, progress=progress)
    if not choice.rows:
        raise _nothing(dataset, choice, wanted)
    subtitle = _subtitle(dataset, choice, wanted, seed)
    look = partial(_look_at, dataset, choice, workers=workers, progress=progress)
    sheet = text = similar = None
    if out:
        tiles, legend = look(width=TILE_WIDTH, height=TILE_HEIGHT, enlarge="fill")
        title = dataset.path.resolve().name
        sheet = draw_sheet(tiles, legend, title=title, subtitle=subtitle, alpha=alpha)
    if html:
        side = page_side(len(choice.rows))
        tiles, legend = look(width=side, height=side, enlarge="integer")
        figures = stats(dataset, workers=workers, progress=progress)
        findings = check(dataset, near=near, every=[] if near else None, workers=workers, progress=progress)
        similar = similar_faults(findings)
        pairs = None if similar is None else draw_similar(dataset, similar, workers=workers, progress=progress)
        text = render_page(figures, findings, PageContent(tiles, legend, subtitle, alpha, pairs))
    if out and sheet:
        write_file(out, sheet, overwrite=overwrite)
    if html and text:
        write_page(html, text, overwrite=overwrite)
    page = html / PAGE if html else None
    return _report(dataset, choice, tiles, legend, out=out, html=page, seed=seed, similar=similar)


def page_side(count: int) -> int:
    """Return the longest side of each of `count` pictures on a page: together they have a limited number of pixels.

    >>> page_side(3), page_side(16), page_side(36), page_side(200)
    (1280, 1280, 853, 640)
    """
    least, most = PAGE_SIDES
    return max(min(most, int(4 * most / count**0.5)), least)


def _look_at(
    dataset: Dataset,
    choice: PreviewChoice,
    *,
    width: int,
    height: int,
    enlarge: Enlarge,
    workers: int,
    progress: Progress,
) -> tuple[list[Tile], tuple[LegendEntry, ...]]:
    """Return the pictures of the chosen samples, and the legend of their classes."""
    view = View(dataset.labels, dataset.ignore_label, width, height, enlarge)
    tiles = list(draw_samples(dataset, choice.rows, view, workers=workers, progress=progress))
    return tiles, make_legend(tiles, view)


def _subtitle(dataset: Dataset, choice: PreviewChoice, wanted: frozenset[int], seed: int) -> str:
    """Describe how many of the samples are shown."""
    every = plural(len(dataset), "sample")
    if wanted:
        every = f"{choice.found} with {' or '.join(_names(dataset, wanted))}, out of {every}"
    but = f" but {len(choice.not_shown)}" if choice.not_shown else ""
    covering = "" if choice.not_found is None else f", chosen to show every class{but}"
    return f"{len(choice.rows)} of {every}, seed {seed}{covering}"


def _names(dataset: Dataset, classes: frozenset[int]) -> tuple[str, ...]:
    return tuple(dataset.labels[id_] for id_ in sorted(classes))


def _nothing(dataset: Dataset, choice: PreviewChoice, wanted: frozenset[int]) -> InvalidInputError:
    """Return the error for a data set without samples to show."""
    if not wanted:
        return InvalidInputError(f"{dataset.path}: contains no samples")
    samples = plural(len(dataset), "sample")
    what = f"{dataset.path}: none of its {samples} shows {' or '.join(_names(dataset, wanted))}"
    if not choice.unreadable:
        return InvalidInputError(what)
    return FaultsError(f"{what}; {len(choice.unreadable)} cannot be read", choice.unreadable)


def _report(
    dataset: Dataset,
    choice: PreviewChoice,
    tiles: Sequence[Tile],
    legend: Sequence[LegendEntry],
    *,
    out: Path | None,
    html: Path | None,
    seed: int,
    similar: tuple[Fault, ...] | None,
) -> PreviewReport:
    names = tuple(entry.name for entry in legend if entry.id is not None)
    faults = (*choice.unreadable, *(fault for tile in tiles if not tile.picture for fault in tile.faults))
    return PreviewReport(
        path=str(out or html),
        source=str(dataset.path),
        kind=dataset.kind,
        task=dataset.task,
        html=str(html) if html else None,
        seed=seed,
        shown=tuple(tile.name for tile in tiles),
        found=choice.found,
        samples=len(dataset),
        class_names=names,
        # A sample that was read to cover the classes may be shown, too.
        unreadable=tuple(dict.fromkeys(faults)),
        annotations_left_out=tuple(fault for tile in tiles if tile.picture for fault in tile.faults),
        unknown=dataset.unknown,
        similar=similar,
        not_found=None if choice.not_found is None else _names(dataset, choice.not_found),
        not_shown=_names(dataset, choice.not_shown),
        without_font=without_font(names) if out else (),
    )
