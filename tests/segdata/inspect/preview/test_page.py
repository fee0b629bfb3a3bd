"""The page is complete and self-contained, and its controls work in a real browser."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from chromium import browser_page, find_browser
from PIL import Image

from segdata.draw.overlay import Box, instance_overlay, label_overlay
from segdata.draw.pictures import Picture
from segdata.errors import Fault
from segdata.inspect.check import CheckReport
from segdata.inspect.check.findings import Finding
from segdata.inspect.check.meanings import MEANINGS
from segdata.inspect.preview.page import PageContent, render_page
from segdata.inspect.preview.pictures import Tile, View, make_legend
from segdata.inspect.stats import ClassStats, SizeCount, StatsReport
from segdata.labels.colormap import voc_palette

if TYPE_CHECKING:
    from chromium import Page

HOSTILE = "</script><script>window.stolen = 1</script><img src=x onerror='window.stolen = 1'>\"&"
NAMES = ("background", HOSTILE, "飞机", "$title ${script}")
LABELS = dict(enumerate(NAMES))


def stats_report(task: str = "semantic", left_out: tuple[str, ...] = ()) -> StatsReport:
    instance = task == "instance"
    classes = tuple(
        ClassStats(id_, name, 1234567 * id_, id_ / 6, id_, 5 * id_ if instance else None, None if instance else 1 / 3)
        for id_, name in LABELS.items()
    )
    return StatsReport(
        path=f"data/{HOSTILE}.txt",
        kind="coco" if instance else "list",
        task=task,
        samples=4321,
        classes=classes,
        ignore_label=None if instance else 255,
        ignore_pixels=0,
        ignore_share=0.0595,
        sizes=(SizeCount(500, 375, 3), SizeCount(333, 500, 1)),
        instances_per_image=(1, 0, 3) if instance else None,
        crowds=7 if instance else None,
        mean=(119.5, 115.1, 98.0),
        std=(67.6, 65.9, 69.2),
        unreadable=left_out,
        annotations_left_out=(),
    )


def check_report(*findings: Finding, decoded: bool = False) -> CheckReport:
    return CheckReport("list.txt", "list", "semantic", 4321, findings, (), hashed=False, decoded=decoded)


def tile(name: str, *classes: int) -> Tile:
    """Return a tile with a picture with a stripe of each class."""
    label = np.zeros((60, 80), np.uint8)
    for number, id_ in enumerate(classes):
        label[10 * number : 10 * number + 10] = id_
    shown = tuple(sorted({0, *classes} - {255}))
    image = np.full((60, 80, 3), 120, np.uint8)
    return Tile(name, Picture(500, 375, image, label_overlay(label, 255), shown, ignored=255 in classes))


TILES = (
    tile("a/one.jpg", 1),
    tile("a/two.jpg", 2, 255),
    Tile("a/broken.jpg", None, (Fault("unreadable", "a/broken.jpg", f"not an image: {HOSTILE}"),)),
    tile(f"a/{HOSTILE}.jpg", 1, 3),
)


def make(
    stats: StatsReport | None = None,
    check: CheckReport | None = None,
    tiles: tuple[Tile, ...] = TILES,
) -> str:
    legend = make_legend(tiles, View(LABELS, 255, 640, 640, "integer"))
    return render_page(
        stats or stats_report(), check or check_report(), PageContent(tiles, legend, "4 of 4,321 samples", 0.4)
    )


class Reader(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.tags if found == tag]


def test_names_are_text_wherever_they_appear() -> None:
    check = check_report(Finding("missing_image", "error", 1, (HOSTILE,), HOSTILE))
    page = make(stats_report(left_out=(HOSTILE,)), check)
    found = Reader(page)
    assert len(found.all("script")) == page.lower().count("<script") == 1
    assert not [tag for tag, attributes in found.tags for name in attributes if name.startswith("on")]
    assert found.text.count(HOSTILE) >= 6
    assert "$title ${script}" in found.text
    assert "飞机" in found.text


def test_nothing_is_loaded_from_anywhere() -> None:
    found = Reader(make())
    addresses = [
        a[name] for _, a in found.tags for name in ("src", "href", "xlink:href", "action", "data") if a.get(name)
    ]
    assert addresses
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert not found.all("link")
    (policy,) = [a["content"] for a in found.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src 'sha256-" in policy


def test_each_layer_of_a_picture_is_what_the_overlay_holds() -> None:
    first = TILES[0].picture
    assert first
    sources = [a["src"] for a in Reader(make()).all("img")][:3]
    photograph, fill, lines = (Image.open(io.BytesIO(base64.b64decode(src.split(",")[1]))) for src in sources)
    assert (photograph.format, photograph.size) == ("JPEG", (80, 60))
    assert np.abs(np.asarray(photograph.convert("RGB")).astype(int) - 120).max() <= 2
    for layer, indices in ((fill, first.overlay.fill), (lines, first.overlay.lines)):
        pixels = np.asarray(layer.convert("RGBA"))
        assert ((pixels[..., 3] == 255) == (indices > 0)).all()
        assert (pixels[indices > 0, :3] == first.overlay.colors[indices[indices > 0]]).all()


def test_the_color_of_a_class_is_the_same_in_filter_table_and_edges() -> None:
    page = make()
    for id_ in (1, 2, 3):
        color = "#{:02x}{:02x}{:02x}".format(*voc_palette()[id_].tolist())
        swatch = f'<span class="swatch" style="background:{color}">'
        assert page.count(swatch) == 2
        assert f'value="{id_}">{swatch}' in page
        overlay = TILES[0].picture.overlay
        assert overlay.colors_of_lines[id_].tolist() == voc_palette()[id_].tolist()


def test_findings_are_shown_with_their_examples_and_what_to_do() -> None:
    examples = tuple(f"images/{number}.jpg: does not exist" for number in range(10))
    findings = (
        Finding("missing_image", "error", 12, examples, "Restore the files."),
        Finding("rotated", "warning", 1, ("x.jpg: EXIF orientation 6",), "Turn them."),
    )
    text = Reader(make(check=check_report(*findings))).text
    for part in ("missing_image", "12 found", *examples, "… and 2 more", "Restore the files.", "rotated", "Turn them."):
        assert part in text
    # What a finding means is said before what to do.
    for code, advice in (("missing_image", "Restore the files."), ("rotated", "Turn them.")):
        assert 0 < text.index(code) < text.index(MEANINGS[code]) < text.index(f"→ {advice}")
    assert "… and 0 more" not in text
    assert "No problems found." not in text


def test_a_clean_data_set_is_said_to_be_clean_as_far_as_was_looked() -> None:
    text = Reader(make()).text
    assert "No problems found." in text
    assert "truncated images (segdata check --decode)" in text
    assert "--decode" not in Reader(make(check=check_report(decoded=True))).text


def test_the_page_has_the_numbers_of_the_statistics() -> None:
    text = Reader(make(stats_report(left_out=("images/9.jpg: does not exist",)))).text
    for part in (
        "4,321",
        "3 of 4",
        "5.95%",
        "3,703,701",
        "50.00%",
        "0.333",
        "119.50",
        "0.4686",
        "images/9.jpg: does not exist",
    ):
        assert part in text


def test_an_instance_set_has_boxes_crowds_and_instances() -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:30, 20:50] = True
    box = Box((20, 10, 50, 30), HOSTILE, (1, 2, 255))
    image, overlay = np.zeros((60, 80, 3), np.uint8), instance_overlay([(0, mask)], [box], 60, 80)
    shown = Tile("x.jpg", Picture(80, 60, image, overlay, (1,)))
    found = Reader(make(stats_report("instance"), tiles=(shown,)))
    assert {"x": "20.0", "y": "10.0", "width": "30.0", "height": "20.0", "stroke": "#0102ff"} in found.all("rect")
    assert HOSTILE in found.text
    assert len(found.all("script")) == 1
    assert "Crowds7" in re.sub(r"\s", "", found.text)
    assert "15" in found.text


def test_the_same_reports_give_the_same_page() -> None:
    assert make() == make()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    finding = Finding("missing_image", "error", 1, (HOSTILE,), HOSTILE)
    path.write_text(make(stats_report(left_out=(HOSTILE,)), check_report(finding)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium here")
    with browser_page(program, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def opened(browser: Page, file: Path) -> Page:
    browser.messages.clear()
    browser.requests.clear()
    browser.open(file)
    return browser


SHOWN = "[...document.querySelectorAll('.tile')].map(tile => tile.checkVisibility())"


def check_class(value: str) -> str:
    return f"#filter input[value='{value}']"


def test_the_page_loads_without_a_word_and_without_a_request(opened: Page, file: Path) -> None:
    assert opened.run("document.querySelectorAll('.tile').length") == 4
    loaded = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert opened.run(loaded)
    assert opened.run("window.stolen === undefined")
    assert opened.messages == []
    assert opened.requests == [file.as_uri()]


def test_the_policy_stops_what_would_get_past_the_escaping(opened: Page) -> None:
    stopped = opened.run(
        """(async () => {
            const stopped = new Set();
            const all = new Promise(done => document.addEventListener("securitypolicyviolation", event => {
                if (stopped.add(event.effectiveDirective).size === 4) done();
            }));
            document.body.append(Object.assign(document.createElement("script"), {textContent: "window.stolen = 1"}));
            const button = document.createElement("button");
            button.setAttribute("onclick", "window.stolen = 1");
            button.click();
            document.body.append(Object.assign(new Image(), {src: "http://localhost:9/x.png"}));
            await fetch("http://localhost:9/").catch(() => 0);
            await Promise.race([all, new Promise(done => setTimeout(done, 10000))]);
            return [...stopped];
        })()"""
    )
    assert set(stopped) == {"script-src-elem", "script-src-attr", "img-src", "connect-src"}
    assert opened.run("window.stolen === undefined")


def test_the_filter_keeps_pictures_with_any_of_the_classes(opened: Page) -> None:
    assert opened.run(SHOWN) == [True] * 4
    opened.click(check_class("3"))
    assert opened.run(SHOWN) == [False, False, False, True]
    opened.click(check_class("ignored"))
    assert opened.run(SHOWN) == [False, True, False, True]
    assert opened.run("document.querySelector('[role=status]').textContent") == "2 of 4 shown"
    opened.click("#all")
    assert opened.run(SHOWN) == [True] * 4


def test_the_filter_works_from_the_keyboard(opened: Page) -> None:
    for _ in range(30):
        opened.press("Tab")
        if opened.run("document.activeElement.value") == "2":
            break
    opened.press(" ")
    assert opened.run(SHOWN) == [False, True, False, False]


def test_a_picture_is_enlarged_and_escape_returns_to_its_tile(opened: Page) -> None:
    opened.click(".tile:nth-of-type(2) .open")
    assert opened.run("viewer.open")
    assert opened.run("document.querySelector('#viewer-name').textContent") == "a/two.jpg"
    width, height = opened.run(
        "(() => { const box = document.querySelector('.stage img').getBoundingClientRect();"
        "return [box.width, box.height]; })()"
    )
    assert width == pytest.approx(height * 80 / 60, rel=0.01)
    assert height > 600
    opened.press("ArrowLeft")
    # The dialog says that it is closed some time after it is; this listener is called after the page's own.
    opened.run("void (window.whenClosed = new Promise(done => viewer.addEventListener('close', done)))")
    opened.press("Escape")
    assert not opened.run("viewer.open")
    assert opened.run("whenClosed.then(() => document.activeElement.ariaLabel)") == "Enlarge a/one.jpg"


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a small picture, enlarged 20 times, and of a large one, with the same two boxes in proportion."""
    tiles = []
    for name, height, width in (("small.jpg", 480, 640), ("large.jpg", 1440, 1920)):
        shares = np.array([(0.25, 0.25, 0.75, 0.75), (0.9, 0.9, 0.905, 0.91)])
        corners = (shares * (width, height, width, height)).tolist()
        mask = np.zeros((height, width), bool)
        mask[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
        drawn = [Box(tuple(box), text, (128, 0, 0)) for box, text in zip(corners, ("a ship", "a buoy"), strict=True)]
        image, overlay = np.zeros((height, width, 3), np.uint8), instance_overlay([(0, mask)], drawn, height, width)
        original = (32, 24) if name == "small.jpg" else (1920, 1440)
        tiles.append(Tile(name, Picture(*original, image, overlay, (1,))))
    path = tmp_path_factory.mktemp("boxes") / "index.html"
    path.write_text(make(stats_report("instance"), tiles=tuple(tiles)), encoding="utf-8")
    return path


NAMED = """[...document.querySelectorAll('.stage .names b')].filter(name => name.checkVisibility()).map(name => {
    const box = name.getBoundingClientRect(), picture = document.querySelector('.stage .stack').getBoundingClientRect();
    return [name.textContent, box.height, box.width * box.height / (picture.width * picture.height)]; })"""


@pytest.mark.parametrize("width", [320, 1280])
def test_names_have_one_size_and_do_not_cover_a_picture_of_any_size(browser: Page, boxes: Path, width: int) -> None:
    browser.open(boxes, width=width)
    assert browser.run("[...document.querySelectorAll('.names')].some(it => it.checkVisibility())") is False
    heights = set()
    browser.click(".open")
    for _ in range(2):
        # The small box has no room for its name; the pointer reads it.
        ((text, height, share),) = browser.run(NAMED)
        assert text == "a ship"
        assert share < 0.025
        heights.add(round(height))
        browser.press("ArrowRight")
    assert len(heights) == 1
    assert browser.run("[...document.querySelectorAll('.stage .names > span')].map(it => it.title)") == [
        "a ship",
        "a buoy",
    ]


def test_a_picture_larger_than_the_window_is_shown_at_full_size(browser: Page, boxes: Path) -> None:
    browser.open(boxes)
    width = "document.querySelector('.stage .stack').offsetWidth"
    browser.click(".open")
    # A small picture that was enlarged has no full size.
    assert browser.run("document.querySelector('#full').checkVisibility()") is False
    browser.press("ArrowRight")
    assert browser.run(width) < 1280
    for _ in range(4):
        if browser.run("document.activeElement.id") == "full":
            break
        browser.press("Tab")
    browser.press(" ")
    assert browser.run(width) == 1920
    assert browser.run("document.documentElement.scrollWidth") <= 1280
    # The arrows now scroll; they do not step to the next picture.
    browser.press("ArrowRight")
    assert browser.run("document.querySelector('#viewer-name').textContent") == "large.jpg"
    assert browser.run(
        "(async () => { for (let frame = 0; frame < 300 && !stage.scrollLeft; frame++)"
        " await new Promise(requestAnimationFrame); return stage.scrollLeft; })()"
    )
    browser.click("#full")
    assert browser.run(width) < 1280


def test_next_and_previous_step_over_what_has_no_picture_and_what_is_filtered(opened: Page) -> None:
    name = "document.querySelector('#viewer-name').textContent"
    opened.click(".open")
    seen = [opened.run(name)]
    for _ in range(3):
        opened.press("ArrowRight")
        seen.append(opened.run(name))
    assert seen == ["a/one.jpg", "a/two.jpg", f"a/{HOSTILE}.jpg", "a/one.jpg"]
    opened.press("Escape")
    opened.click(check_class("1"))
    opened.click(".open")
    opened.click("#next")
    assert opened.run(name) == f"a/{HOSTILE}.jpg"
    opened.click("#close")
    assert not opened.run("viewer.open")


def test_the_overlay_is_switched_off_and_made_stronger(opened: Page) -> None:
    style = "getComputedStyle(document.querySelector('.fill'))"
    assert opened.run(f"{style}.opacity") == "0.4"
    opened.run("strength.value = 90; strength.dispatchEvent(new Event('input'))")
    assert opened.run(f"{style}.opacity") == "0.9"
    opened.click("#overlay")
    assert opened.run(f"{style}.display") == "none"
    opened.click(".open")
    opened.click("#bare")
    assert opened.run("overlay.checked")
    assert opened.run(f"{style}.display") != "none"


@pytest.mark.parametrize("width", [320, 400, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_its_window_and_takes_its_colors(browser: Page, file: Path, width: int, dark: bool) -> None:
    browser.open(file, width=width, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") <= width
    light = [int(value) > 127 for value in re.findall(r"\d+", browser.run("getComputedStyle(document.body).color"))]
    assert light == [dark] * 3


def test_everything_that_can_be_used_has_a_name(opened: Page) -> None:
    nameless = """[...document.querySelectorAll('button, input, [role=img], [role=region]')].filter(it =>
        !(it.ariaLabel || it.textContent.trim() || it.labels?.[0]?.textContent.trim())).map(it => it.outerHTML)"""
    assert opened.run(nameless) == []
    assert opened.run("[...document.images].filter(image => !image.hasAttribute('alt')).length") == 0
