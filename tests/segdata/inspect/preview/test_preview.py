"""The contact sheet shows what the labels say, of the samples that name and seed choose."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from segdata.dataset import open_dataset
from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.inspect.preview import preview
from segdata.inspect.preview.pictures import View, draw_samples
from segdata.inspect.preview.sheet import TILE_HEIGHT, TILE_WIDTH
from segdata.labels.classes import Classes
from segdata.labels.colormap import voc_palette
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, write_list
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
    assert (np.abs(tile[51:149, 41:139] - blended) <= 1).all()
    assert (tile[50, 40:140] == voc_palette()[1]).all()
    assert (report.classes, report.shown, tuple(map(str, report.unreadable))) == (
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
    view = View(dataset.labels, 255, 300, 225, True)
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
    assert reports[0].classes == reports[1].classes
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


def test_a_class_that_is_not_there_is_named_with_its_neighbors(devkit: Path, tmp_path: Path) -> None:
    dataset = open_dataset(devkit / "voc_train_lst.txt")
    with pytest.raises(InvalidInputError, match=r"no class 'aeroplan'; did you mean aeroplane\?"):
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
    assert sentences["labels/3.png"] == "missing"
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


def test_annotations_that_are_no_instances_are_counted(coco: Path, tmp_path: Path) -> None:
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
    view = View(dataset.labels, None, 300, 225, True)
    tiles = draw_samples(dataset, range(len(dataset)), view, workers=1, progress=silent)
    texts = {box.text for tile in tiles for box in tile.picture.overlay.boxes}
    assert any(text.endswith(" (crowd)") for text in texts)
    assert {"ellipse", "rectangle", "triangle"} & texts


def test_names_in_any_writing_are_drawn(tmp_path: Path) -> None:
    names = ["飞机.png", "<script>alert(1)</script>.png".replace("/", "∕"), "a" * 200 + ".png"]
    classes = Classes(("背景", "飞机", "<b>bold</b>"))
    path = listed(tmp_path, [np.full((20, 30), number, np.uint8) for number in range(3)], names)
    report = preview(open_dataset(path, classes=classes), out=tmp_path / "sheet.png")
    assert report.classes == classes.names
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
    for count in (0, -1, 201):
        with pytest.raises(InvalidInputError, match="expected 1 to 200"):
            preview(dataset, out=tmp_path / "sheet.png", count=count)


def test_a_page_of_a_data_set_that_cannot_be_read_is_refused_whole(tmp_path: Path) -> None:
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
    assert "person" in report.classes
    assert (tuple(map(str, report.unreadable)), tuple(map(str, report.annotations_left_out))) == ((), ())
