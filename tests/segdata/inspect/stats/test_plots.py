"""Plots of statistics, checked as a reader of the file sees them."""

from __future__ import annotations

import io
import re
import warnings
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from segdata.draw.figures import ACCENT, INK, to_png, to_svg
from segdata.inspect.stats import ClassStats, SizeCount, StatsReport, plots


def report(
    images: tuple[int, ...] = (10, 5, 0),
    *,
    names: tuple[str, ...] | None = None,
    instances: tuple[int, ...] | None = None,
    sizes: tuple[SizeCount, ...] = (SizeCount(500, 375, 7), SizeCount(333, 500, 3)),
) -> StatsReport:
    """Return a report of classes that so many images show; shares go with them."""
    total = max(sum(images), 1)
    return StatsReport(
        path="data/train_lst.txt",
        kind="list",
        task="semantic" if instances is None else "instance",
        samples=10,
        classes=tuple(
            ClassStats(id_, name, 100 * count, count / total, count, None, None)
            for id_, (name, count) in enumerate(zip(names or map("class_{}".format, range(99)), images, strict=False))
        ),
        ignore_label=255,
        ignore_pixels=0,
        ignore_share=0.0,
        sizes=sizes,
        instances_per_image=instances,
        crowds=None,
        mean=(100.0, 100.0, 100.0),
        std=(50.0, 50.0, 50.0),
        unreadable=(),
        annotations_left_out=(),
    )


def pixels(png: bytes) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def accented(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which pixels have the color of the bars."""
    color = [int(ACCENT[at : at + 2], 16) for at in (1, 3, 5)]
    return (picture == color).all(axis=2)


def texts(svg: str) -> list[str]:
    """Return what is written in an SVG."""
    return [
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")
    ]


def test_bars_are_as_long_as_the_numbers_they_stand_for() -> None:
    picture = pixels(to_png(plots.class_figure(report((10, 5, 0)))))
    right = accented(picture)[:, picture.shape[1] // 2 :]
    lengths = right.sum(axis=1)
    bars = [run for run in np.split(lengths, np.flatnonzero(np.diff((lengths > 0).astype(int))) + 1) if run.min() > 0]
    assert len(bars) == 2
    assert np.median(bars[0]) == pytest.approx(2 * np.median(bars[1]), abs=3)


@pytest.mark.parametrize("instances", [None, (1, 4, 2, 0, 3)])
@pytest.mark.parametrize("classes", [2, 21, 80])
def test_the_height_follows_the_classes(classes: int, instances: tuple[int, ...] | None) -> None:
    height, width, _ = pixels(to_png(plots.figure(report((3,) * classes, instances=instances)))).shape
    assert width == 1350
    assert height == pytest.approx(150 * (4.3 + 0.21 * classes), abs=2)


@pytest.mark.parametrize(
    "made_from", [plots.figure, plots.class_figure, plots.size_figure, plots.instance_figure], ids=lambda f: f.__name__
)
def test_the_same_report_gives_the_same_bytes(made_from: object) -> None:
    counted = report(instances=(2, 5, 3))
    assert callable(made_from)
    assert to_png(made_from(counted)) == to_png(made_from(counted))
    assert to_svg(made_from(counted)) == to_svg(made_from(counted))


def test_a_png_says_nothing_of_the_program_that_wrote_it() -> None:
    with Image.open(io.BytesIO(to_png(plots.size_figure(report())))) as image:
        assert set(image.info) == {"dpi"}


def test_an_svg_is_one_element_with_text_in_the_color_of_its_page() -> None:
    svg = to_svg(plots.class_figure(report(names=("sky", "road", "car"))))
    assert svg.startswith("<svg ")
    assert {"sky  0", "road  1", "car  2", "10", "5", "0"} <= set(texts(svg))
    assert INK not in svg
    assert "currentColor" in svg
    assert not re.search(r"<metadata|<!DOCTYPE|\b20\d\d-\d\d-\d\d", svg)


def test_names_are_text_whatever_is_in_them() -> None:
    odd = ("$x^{2", "<b>&", "背景")
    counted = report(names=odd)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels(to_png(plots.figure(counted)))
        svg = to_svg(plots.figure(counted))
    assert {f"{name}  {id_}" for id_, name in enumerate(odd)} <= set(texts(svg))


def test_a_long_name_leaves_room_for_the_bars() -> None:
    svg = to_svg(plots.class_figure(report(names=("x" * 300, "b", "c"))))
    assert "x" * 27 + "…  0" in texts(svg)


def test_classes_that_no_image_shows_have_no_bar() -> None:
    assert not accented(pixels(to_png(plots.class_figure(report((0, 0)))))).any()


def test_a_share_of_next_to_nothing_has_a_bar_too() -> None:
    written = texts(to_svg(plots.class_figure(report((10**9, 1)))))
    assert {"1.0e-07 %", "100.0 %"} <= set(written)
    assert sum(text.endswith("%") for text in written) < 9


@pytest.mark.parametrize("sizes", [(SizeCount(512, 512, 30),), (SizeCount(1, 1, 1), SizeCount(20000, 40, 1))])
def test_sizes_are_points(sizes: tuple[SizeCount, ...]) -> None:
    made = plots.size_figure(report(sizes=sizes))
    (points,) = made.axes[0].collections
    assert points.get_offsets().tolist() == [[size.width, size.height] for size in sizes]
    images = f"{sizes[0].images} image{'s' if sizes[0].images != 1 else ''}"
    most_frequent = f"{sizes[0].width} × {sizes[0].height} ({images})"
    assert any(most_frequent in text for text in texts(to_svg(made)))


def test_many_numbers_of_instances_share_bars() -> None:
    few, many = (plots.instance_figure(report(instances=(1,) * count)) for count in (60, 600))
    assert [len(figure.axes[0].patches) for figure in (few, many)] == [60, 60]
    assert "instances per image, 10 values per bar" in texts(to_svg(many))
    assert [patch.get_height() for patch in many.axes[0].patches] == [10] * 60


def test_a_semantic_set_has_no_picture_of_instances() -> None:
    with pytest.raises(ValueError, match="semantic"):
        plots.instance_figure(report())
