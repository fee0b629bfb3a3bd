"""The page of an evaluation: what it may replace, and its pictures in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from chromium import browser_page, find_browser

from segdata.draw.overlay import label_overlay
from segdata.errors import OptionError, TargetExistsError
from segtrain.distributed.ranks import Ranks
from segtrain.evaluation.results import Example, ResultFiles, examples_section

if TYPE_CHECKING:
    from chromium import Page

HOSTILE = "<img src=x onerror='window.stolen = 1'>\"&"
LABELS = {0: "background", 1: HOSTILE, 2: "dog"}


def _example(name: str, *classes: int) -> Example:
    label = np.zeros((30, 40), np.uint8)
    for number, id_ in enumerate(classes):
        label[10 * number : 10 * number + 10] = id_
    overlays = {title: label_overlay(label) for title in ("label", "prediction", "error")}
    return Example(name, f"about {name}", np.full((30, 40, 3), 99, np.uint8), overlays, frozenset({0, *classes}))


def _write(directory: Path, *, overwrite: bool = False) -> None:
    worst, best = [_example("a/one.jpg", 1), _example(f"a/{HOSTILE}.jpg", 2)], [_example("a/three.jpg", 1, 2)]
    section = examples_section(worst, best, about="by score", labels=LABELS)
    files = ResultFiles(directory, overwrite=overwrite)
    files.check()
    files.write_page(HOSTILE, "network", {"Mean IoU": "50.00%"}, [section])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium")
    folder = tmp_path_factory.mktemp("page")
    _write(folder / "html")
    with browser_page(program, folder / "profile") as opened:
        opened.open(folder / "html" / "index.html")
        yield opened


def test_the_pictures_of_an_image_are_side_by_side_and_enlarged_together(page: Page) -> None:
    titles = "[...document.querySelectorAll('{} .panel')].map(it => it.firstChild.textContent)"
    assert page.run(titles.format(".tile:first-child")) == ["label", "prediction", "error"] * 2
    tops = "new Set([...document.querySelectorAll('.tile .photo')].slice(0, 3).map(it => it.getBoundingClientRect().y))"
    assert page.run(f"{tops}.size") == 1
    page.run("document.querySelector('.open').focus()")
    page.press("Enter")
    assert page.run(titles.format(".stage")) == ["label", "prediction", "error"]
    assert page.run("getComputedStyle(document.querySelector('.stage .photo')).backgroundImage.slice(0, 27)") == (
        'url("data:image/jpeg;base64'
    )
    page.press("ArrowRight")
    assert page.run("document.querySelector('#viewer-name').textContent") == f"a/{HOSTILE}.jpg"
    page.press("Escape")


def test_the_filter_keeps_images_of_both_ends(page: Page) -> None:
    names = "[...document.querySelectorAll('.tile:not([hidden]) .name')].map(it => it.textContent)"
    page.click("#filter input[value='1']")
    assert page.run(names) == ["a/one.jpg", "a/three.jpg"]
    page.click("#all")
    assert len(page.run(names)) == 3


def test_names_are_text_and_nothing_is_loaded(page: Page) -> None:
    assert page.run("window.stolen") is None
    assert (page.messages, len(page.requests)) == ([], 1)


def test_only_an_earlier_page_of_the_same_command_is_replaced(tmp_path: Path) -> None:
    _write(tmp_path / "html")
    with pytest.raises(TargetExistsError) as error:
        _write(tmp_path / "html")
    assert error.value.replaceable
    _write(tmp_path / "html", overwrite=True)
    (tmp_path / "html" / "index.html").write_text("<p>mine")
    with pytest.raises(TargetExistsError, match="did not write it") as error:
        _write(tmp_path / "html", overwrite=True)
    assert not error.value.replaceable


def test_several_processes_write_none_of_them(tmp_path: Path) -> None:
    for files, name in ((ResultFiles(html=tmp_path), "html"), (ResultFiles(per_image=tmp_path / "a.csv"), "per_image")):
        with pytest.raises(OptionError, match=f"{name}: each of 2 processes sees only a share of the images"):
            files.check_alone(Ranks(1, 2))
    ResultFiles().check_alone(Ranks(1, 2))
