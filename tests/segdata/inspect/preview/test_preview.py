"""The contact sheet shows what the labels say, of the samples that name and seed choose."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from segdata.draw.lettering import can_draw
from segdata.draw.pictures import LegendEntry
from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.inspect.preview import preview
from segdata.inspect.preview.choice import _cover
from segdata.inspect.preview.pictures import View, draw_samples, make_legend
from segdata.inspect.preview.sheet import TILE_HEIGHT, TILE_WIDTH, draw_sheet
from segdata.labels.classes import Classes
from segdata.labels.colormap import voc_palette
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, write_list
from segdata.opening import open_dataset
from segdata.parallel import silent

Pixels = npt.NDArray[np.uint8]
GROUND = (90, 120, 150)


def read_sheet(path: Path) -> Pixels:
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def listed(root: Path, labels: Sequence[Pixels], names: Sequence[str] = ()) -> Path:
    """Write plain images under these labels, and their list."""
    names = names or [f"{number}.png" for number in range(len(labels))]
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for name, label in zip(names, labels, strict=True):
        (root / "images" / name).write_bytes(png(np.full((*label.shape, 3), GROUND, np.uint8)))
        (root / "labels" / name).write_bytes(encode_index_png(label))
    write_list(root / "list.txt", [Pair(f"images/{name}", f"labels/{name}") for name in names], overwrite=False)
    return root / "list.txt"


def tile_of(sheet: Pixels) -> Pixels:
    """Return the tile that shows `GROUND`."""
    rows, columns = np.nonzero((sheet == GROUND).all(axis=2))
    return sheet[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def test_a_tile_shows_the_image_under_its_label(tmp_path: Path) -> None:
    label = np.zeros((TILE_HEIGHT, TILE_WIDTH), np.uint8)
    label[50:150, 40:140] = 1
    report = preview(open_dataset(listed(tmp_path, [label])), out=tmp_path / "sheet.png", alpha=0.5)
    tile = tile_of(read_sheet(tmp_path / "sheet.png"))
    assert tile.shape[:2] == label.shape
    assert (tile[label == 0] == GROUND).all()
    blended = (np.array(GROUND) + voc_palette()[1]) / 2
    assert (np.abs(tile[52:148, 42:138] - blended) <= 1).all()
    assert (tile[50:52, 40:140] == voc_palette()[1]).all()
    assert (report.class_names, report.shown, tuple(map(str, report.unreadable))) == (
        ("background", "aeroplane"),
        ("images/0.png",),
        (),
    )


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 4000), (4000, 3), (900, 1200)])
def test_an_image_of_any_size_fits_its_tile_in_its_proportion(tmp_path: Path, height: int, width: int) -> None:
    preview(open_dataset(listed(tmp_path, [np.zeros((height, width), np.uint8)])), out=tmp_path / "sheet.png")
    shown = tile_of(read_sheet(tmp_path / "sheet.png")).shape[:2]
    scale = min(TILE_HEIGHT / height, TILE_WIDTH / width)
    assert shown == (max(round(height * scale), 1), max(round(width * scale), 1))


def test_labels_are_scaled_without_new_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dataset = open_dataset(listed(tmp_path, [rng.choice(np.array([0, 3, 20, 255], np.uint8), (700, 900))]))
    view = View(dataset.labels, 255, 300, 225, "fill")
    picture = next(draw_samples(dataset, [0], view, workers=1, progress=silent)).picture
    assert set(np.unique(picture.overlay.fill).tolist()) == {0, 3, 20}
    assert (picture.classes, picture.ignored) == ((0, 3, 20), True)


@pytest.mark.parametrize("count", [1, 3, 10, 99])
def test_as_many_are_shown_as_asked_for_and_no_more_than_there_are(devkit: Path, tmp_path: Path, count: int) -> None:
    report = preview(open_dataset(devkit / "voc_train_lst.txt"), out=tmp_path / "sheet.png", count=count)
    assert len(set(report.shown)) == len(report.shown) == min(count, 10)
    assert (report.found, report.samples) == (10, 10)
    assert read_sheet(tmp_path / "sheet.png").shape[1] > TILE_WIDTH * min(count, 2)


def test_the_seed_chooses_and_more_samples_add_to_those_shown(devkit: Path, tmp_path: Path) -> None:
    dataset = open_dataset(devkit / "voc_train_lst.txt")
    shown = [
        preview(dataset, out=tmp_path / "sheet.png", overwrite=True, seed=seed, count=count).shown
        for seed, count in ((0, 4), (0, 6), (1, 4))
    ]
    assert shown[0] == shown[1][:4] != shown[2]


@pytest.mark.parametrize("task", ["semantic", "instance"])
def test_a_record_set_shows_the_same_as_what_it_was_made_of(
    task: str, devkit: Path, voc_records: Path, coco: Path, coco_records: Path, tmp_path: Path
) -> None:
    instance = (coco / "annotations" / "instances.json", coco_records)
    paths = {"semantic": (devkit / "voc_train_lst.txt", voc_records), "instance": instance}[task]
    reports = [preview(open_dataset(path), out=tmp_path / f"{path.name}.png", count=5) for path in paths]
    assert reports[0].shown == reports[1].shown
    assert reports[0].class_names == reports[1].class_names
    sheets = [read_sheet(tmp_path / f"{path.name}.png") for path in paths]
    assert sheets[0].shape == sheets[1].shape
    # All below the title, which is the name of the file.
    assert (sheets[0][50:] == sheets[1][50:]).all()


def test_only_samples_with_a_wanted_class_are_shown(devkit: Path, tmp_path: Path) -> None:
    dataset = open_dataset(devkit / "voc_train_lst.txt")
    having = {sample.name for sample in dataset.samples() if np.isin(sample.read_label(), (1, 3)).any()}
    assert 0 < len(having) < 10
    report = preview(dataset, out=tmp_path / "sheet.png", classes=("aeroplane", "3"))
    assert set(report.shown) == having
    assert (report.found, report.samples) == (len(having), 10)
    assert preview(dataset, out=tmp_path / "one.png", classes=("aeroplane", "3"), count=1).found == len(having)


def test_instances_are_chosen_by_class_too(coco: Path, tmp_path: Path) -> None:
    path = coco / "annotations" / "instances.json"
    members = json.loads(path.read_text())
    wanted = {item["image_id"] for item in members["annotations"] if item["category_id"] == 5}
    having = {image["file_name"] for image in members["images"] if image["id"] in wanted}
    report = preview(open_dataset(path), out=tmp_path / "sheet.png", classes=("rectangle",))
    assert set(report.shown) == having


def swatches(sheet: Pixels) -> Pixels:
    """Return the color in the middle of each swatch of a legend of one line, left to right."""
    line = sheet[24 + 20 + 12 + 6 + 20 + 7]
    starts = np.flatnonzero((line[1:] != line[:-1]).any(axis=1)) + 1
    widths = np.diff(starts)
    # Letters are narrower than a swatch.
    return np.array([line[start + 3] for start, width in zip(starts, widths, strict=False) if width == 14])


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_the_legend_has_the_colors_of_the_edges_whatever_the_opacity(tmp_path: Path, alpha: float) -> None:
    label = np.zeros((60, 80), np.uint8)
    label[5:25, 5:75], label[30:55, 5:40], label[30:55, 45:75] = 1, 4, 20
    preview(open_dataset(listed(tmp_path, [label])), out=tmp_path / "sheet.png", alpha=alpha)
    sheet = read_sheet(tmp_path / "sheet.png")
    shown = swatches(sheet)
    assert shown.tolist() == voc_palette()[[1, 4, 20]].tolist()
    tile = sheet[-24 - 2 - 20 - TILE_HEIGHT : -24 - 2 - 20, 24 : 24 + TILE_WIDTH]
    # Each class is outlined: hundreds of pixels have exactly its color.
    assert all((tile == color).all(axis=2).sum() > 500 for color in shown)


def test_instances_have_the_colors_of_the_legend_and_fills_of_their_own(coco: Path) -> None:
    dataset = open_dataset(coco / "annotations" / "instances.json")
    view = View(dataset.labels, None, 300, 225, "fill")
    fills = set()
    for tile in draw_samples(dataset, range(len(dataset)), view, workers=1, progress=silent):
        colors = {entry.name: entry.color for entry in make_legend([tile], view)}
        overlay = tile.picture.overlay
        assert all(box.color == colors[box.text.removesuffix(" (crowd)")] for box in overlay.boxes)
        lines = overlay.colors_of_lines[np.unique(overlay.lines[overlay.lines > 0])]
        assert {tuple(color) for color in lines.tolist()} <= set(colors.values())
        fills |= {(box.text, box.fill) for box in overlay.boxes}
    assert len(fills) > 4


@pytest.mark.parametrize("length", [1, 40, 300])
def test_a_name_of_any_length_stays_within_the_margins(length: int) -> None:
    legend = [LegendEntry(1, "x" * length, (128, 0, 0)), LegendEntry(2, "dog", (0, 128, 0))]
    sheet = np.asarray(Image.open(io.BytesIO(draw_sheet([], legend, title="a", subtitle="b", alpha=0.5))))
    inside = np.any(sheet != 255, axis=(0, 2))
    assert inside.any() and not inside[-20:].any()
    assert (sheet == (0, 128, 0)).all(-1).any()


@pytest.fixture
def rare(tmp_path: Path) -> Path:
    """Twelve samples of class 1; the last also has 2, the one before also 3, and no sample has 4 or 5."""
    labels = [np.full((20, 30), 1, np.uint8) for _ in range(12)]
    labels[11][:5], labels[10][:5] = 2, 3
    return listed(tmp_path / "data", labels)


#: A seed whose first samples do not show both rare classes.
SEED = 2

NAMES = Classes(("nothing", "common", "rare", "also rare", "absent", "absent too"))


def test_samples_that_show_every_class_come_first(rare: Path, tmp_path: Path) -> None:
    dataset = open_dataset(rare, classes=NAMES)
    plain = preview(dataset, out=tmp_path / "plain.png", count=4, seed=SEED)
    assert plain.not_found is None
    assert not {"rare", "also rare"} <= set(plain.class_names)
    report = preview(dataset, out=tmp_path / "sheet.png", count=4, cover=True, seed=SEED)
    assert report.class_names == ("common", "rare", "also rare")
    assert set(report.shown[:2]) == {"images/10.png", "images/11.png"}
    assert len(set(report.shown)) == 4
    assert report.not_found == ("nothing", "absent", "absent too")
    assert report.not_shown == ()
    # The others are those of the seed.
    assert report.shown[2:] == tuple(name for name in plain.shown if name not in report.shown[:2])[:2]


def test_classes_that_have_no_place_are_named(rare: Path, tmp_path: Path) -> None:
    report = preview(open_dataset(rare, classes=NAMES), out=tmp_path / "sheet.png", count=1, cover=True)
    assert len(report.shown) == 1
    assert {*report.class_names, *report.not_shown} == {"common", "rare", "also rare"}
    assert len(report.not_shown) == 1


def test_wanted_classes_are_covered_among_themselves(rare: Path, tmp_path: Path) -> None:
    dataset = open_dataset(rare, classes=NAMES)
    report = preview(dataset, out=tmp_path / "sheet.png", classes=("common", "rare"), count=1, cover=True)
    assert (report.shown, report.found, report.not_found) == (("images/11.png",), 12, ())
    with pytest.raises(InvalidInputError, match="cover has no effect with one class"):
        preview(dataset, out=tmp_path / "other.png", classes=("rare",), cover=True)


def test_no_more_labels_are_read_than_needed(tmp_path: Path) -> None:
    labels = [np.full((20, 30), number % 2, np.uint8) for number in range(40)]
    dataset = open_dataset(listed(tmp_path, labels), classes=Classes(("a", "b")))
    read = 0

    @contextmanager
    def count(*, total: int, label: str) -> Iterator[Callable[[int], None]]:
        def advance(by: int) -> None:
            nonlocal read
            read += by if label == "classes" else 0

        yield advance

    preview(dataset, out=tmp_path / "sheet.png", count=2, cover=True, workers=1, progress=count)
    assert 2 <= read < 40


@settings(max_examples=60)
@given(st.dictionaries(st.integers(0, 50), st.frozensets(st.integers(0, 9), max_size=4), max_size=12))
def test_enough_samples_cover_all_classes_and_none_is_in_vain(shown: dict[int, frozenset[int]]) -> None:
    chosen = _cover(shown, 100)
    seen = set[int]()
    for row in chosen:
        assert shown[row] - seen
        seen |= shown[row]
    assert seen == set().union(*shown.values())


@pytest.mark.parametrize("task", ["semantic", "instance"])
def test_a_record_set_is_covered_by_the_same_samples_for_any_number_of_workers(
    task: str, devkit: Path, voc_records: Path, coco: Path, coco_records: Path, tmp_path: Path
) -> None:
    instance = (coco / "annotations" / "instances.json", coco_records)
    paths = {"semantic": (devkit / "voc_train_lst.txt", voc_records), "instance": instance}[task]
    reports = [
        preview(open_dataset(path), out=tmp_path / f"{path.name}{workers}.png", count=3, cover=True, workers=workers)
        for path in paths
        for workers in (1, 4)
    ]
    assert len({(report.shown, report.not_found, report.not_shown) for report in reports}) == 1


def test_a_class_that_is_not_there_is_named_with_its_neighbors(devkit: Path, tmp_path: Path) -> None:
    dataset = open_dataset(devkit / "voc_train_lst.txt")
    with pytest.raises(InvalidInputError, match=r"no class 'aeroplan'; did you mean aeroplane\?.*VOC's 21 are"):
        preview(dataset, out=tmp_path / "sheet.png", classes=("aeroplan",))
    with pytest.raises(InvalidInputError, match="none of its 10 samples shows sofa"):
        preview(dataset, out=tmp_path / "sheet.png", classes=("sofa",))
    assert not (tmp_path / "sheet.png").exists()


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Five samples: 1 has a broken image, 2 a label of another size, 3 no label, 4 a label that is not a PNG."""
    path = listed(tmp_path / "data", [np.ones((20, 30), np.uint8)] * 5)
    (tmp_path / "data" / "images" / "1.png").write_bytes(b"no image")
    (tmp_path / "data" / "labels" / "2.png").write_bytes(encode_index_png(np.ones((20, 31), np.uint8)))
    (tmp_path / "data" / "labels" / "3.png").unlink()
    (tmp_path / "data" / "labels" / "4.png").write_bytes(b"no label")
    return path


def test_samples_that_cannot_be_read_have_a_tile_that_says_so(damaged: Path, tmp_path: Path) -> None:
    report = preview(open_dataset(damaged), out=tmp_path / "sheet.png", seed=1)
    assert len(report.shown) == 5
    sentences = {fault.where: fault.what for fault in report.unreadable}
    assert sentences.keys() == {"images/1.png", "labels/2.png", "labels/3.png", "labels/4.png"}
    assert sentences["images/1.png"] == "not a readable image: unknown image format"
    assert sentences["labels/2.png"] == "31 x 20 pixels, but its image has 30 x 20"
    assert sentences["labels/3.png"] == "does not exist"
    # Only their messages are written in this red; the class is a darker red.
    assert (read_sheet(tmp_path / "sheet.png") == (170, 30, 30)).all(axis=2).any()


def test_samples_that_do_not_say_their_classes_are_counted(damaged: Path, tmp_path: Path) -> None:
    report = preview(open_dataset(damaged), out=tmp_path / "sheet.png", classes=("1",))
    assert report.found == 3
    assert [fault.where for fault in report.unreadable] == [
        *("labels/3.png", "labels/4.png", "labels/2.png", "images/1.png"),
    ]
    with pytest.raises(FaultsError, match="shows cat; 2 cannot be read"):
        preview(open_dataset(damaged), out=tmp_path / "other.png", classes=("cat",))


def test_samples_that_cannot_be_read_are_named_once_when_classes_are_covered(damaged: Path, tmp_path: Path) -> None:
    report = preview(open_dataset(damaged), out=tmp_path / "sheet.png", cover=True)
    assert len(report.shown) == 5
    assert sorted(fault.where for fault in report.unreadable) == [
        "images/1.png",
        "labels/2.png",
        "labels/3.png",
        "labels/4.png",
    ]


def test_annotations_without_a_mask_are_counted(coco: Path, tmp_path: Path) -> None:
    shutil.copytree(coco, tmp_path / "coco")
    path = tmp_path / "coco" / "annotations" / "instances.json"
    members = json.loads(path.read_text())
    members["annotations"][0]["segmentation"] = [[1, 2, 3, 4]]
    path.write_text(json.dumps(members))
    report = preview(open_dataset(path), out=tmp_path / "sheet.png")
    (sentence,) = tuple(map(str, report.annotations_left_out))
    assert sentence.startswith(f"annotation {members['annotations'][0]['id']} ")
    assert tuple(map(str, report.unreadable)) == ()


def test_an_image_of_another_size_than_the_json_says_is_not_drawn_over(coco: Path, tmp_path: Path) -> None:
    shutil.copytree(coco, tmp_path / "coco")
    path = tmp_path / "coco" / "annotations" / "instances.json"
    members = json.loads(path.read_text())
    members["images"][0]["width"] += 1
    path.write_text(json.dumps(members))
    (fault,) = preview(open_dataset(path), out=tmp_path / "sheet.png").unreadable
    assert (fault.code, fault.where) == ("size_mismatch", members["images"][0]["file_name"])


def test_crowds_are_called_so(coco: Path) -> None:
    dataset = open_dataset(coco / "annotations" / "instances.json")
    view = View(dataset.labels, None, 300, 225, "fill")
    tiles = draw_samples(dataset, range(len(dataset)), view, workers=1, progress=silent)
    texts = {box.text for tile in tiles for box in tile.picture.overlay.boxes}
    assert any(text.endswith(" (crowd)") for text in texts)
    assert {"ellipse", "rectangle", "triangle"} & texts


def test_names_in_any_writing_are_drawn(tmp_path: Path) -> None:
    names = ["飞机.png", "<script>alert(1)</script>.png".replace("/", "∕"), "a" * 200 + ".png"]
    classes = Classes(("背景", "飞机", "<b>bold</b>"))
    path = listed(tmp_path, [np.full((20, 30), number, np.uint8) for number in range(3)], names)
    report = preview(open_dataset(path, classes=classes), out=tmp_path / "sheet.png")
    assert report.class_names == classes.names
    assert report.without_font == tuple(name for name in classes.names if not can_draw(name))
    assert read_sheet(tmp_path / "sheet.png").shape[1] > TILE_WIDTH


@pytest.mark.parametrize("task", ["semantic", "instance"])
def test_the_number_of_workers_and_a_second_run_change_no_byte(
    task: str, devkit: Path, coco: Path, tmp_path: Path
) -> None:
    path = {"semantic": devkit / "voc_train_lst.txt", "instance": coco / "annotations" / "instances.json"}[task]
    files = []
    for number, workers in enumerate((1, 4, 4)):
        out, html = tmp_path / f"{number}.png", tmp_path / f"{number}"
        preview(open_dataset(path), out=out, html=html, count=6, workers=workers)
        files.append((out.read_bytes(), (html / "index.html").read_bytes()))
    assert files[0] == files[1] == files[2]


def test_what_is_there_is_replaced_only_when_told(devkit: Path, tmp_path: Path) -> None:
    dataset = open_dataset(devkit / "voc_train_lst.txt")
    out, page = tmp_path / "sheet.png", tmp_path / "html" / "index.html"
    preview(dataset, html=page.parent, count=2)
    before = page.read_bytes()
    with pytest.raises(TargetExistsError):
        preview(dataset, out=out, html=page.parent)
    assert not out.exists()
    preview(dataset, out=out, html=page.parent, overwrite=True, count=1)
    assert page.read_text().startswith("<!doctype html>")
    assert page.read_bytes() != before
    with pytest.raises(TargetExistsError):
        preview(dataset, out=out)


def test_there_must_be_something_to_write_and_to_show(devkit: Path, tmp_path: Path) -> None:
    dataset = open_dataset(devkit / "voc_train_lst.txt")
    with pytest.raises(InvalidInputError, match="nothing to write"):
        preview(dataset)
    with pytest.raises(InvalidInputError, match=r"sheet\.jpg: not a PNG"):
        preview(dataset, out=tmp_path / "sheet.jpg")
    for alpha in (-0.1, 50):
        with pytest.raises(InvalidInputError, match="expected 0 to 1"):
            preview(dataset, out=tmp_path / "sheet.png", alpha=alpha)
    for count in (0, -1, 201):
        with pytest.raises(InvalidInputError, match="expected 1 to 200"):
            preview(dataset, out=tmp_path / "sheet.png", count=count)


def test_a_page_of_a_data_set_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = listed(tmp_path, [np.ones((20, 30), np.uint8)])
    (tmp_path / "images" / "0.png").write_bytes(b"no image")
    with pytest.raises(FaultsError, match="none of its 1 sample can be read"):
        preview(open_dataset(path), out=tmp_path / "sheet.png", html=tmp_path / "html")
    assert not (tmp_path / "sheet.png").exists()
    assert preview(open_dataset(path), out=tmp_path / "sheet.png").unreadable


def test_real_coco_images_are_shown(real_data: Path, tmp_path: Path) -> None:
    coco = real_data / "coco" / "tiny_coco_dataset"
    dataset = open_dataset(coco / "annotations" / "instances_val2017.json", images=coco / "val2017")
    report = preview(dataset, out=tmp_path / "sheet.png", count=6, classes=("person",))
    assert len(report.shown) == 6
    assert "person" in report.class_names
    assert (tuple(map(str, report.unreadable)), tuple(map(str, report.annotations_left_out))) == ((), ())


def test_a_name_without_a_font_is_drawn_as_its_id_and_told(tmp_path: Path) -> None:
    label = np.ones((20, 30), np.uint8)
    path = listed(tmp_path, [label])
    sheets = []
    # No font has letters in a plane for private use.
    for name in ("\U0010abcd", "id 1"):
        report = preview(
            open_dataset(path, classes=Classes(("a", name))), out=tmp_path / "sheet.png", html=tmp_path / "page",
            overwrite=True,
        )  # fmt: skip
        sheets.append((tmp_path / "sheet.png").read_bytes())
        assert report.without_font == (() if name == "id 1" else (name,))
    assert sheets[0] == sheets[1]
