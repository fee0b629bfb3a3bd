from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from segdata.miniature.coco import write_coco
from segdata.miniature.voc import write_devkit
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor


@pytest.fixture
def listed(tmp_path):
    write_devkit(tmp_path / "data", train=5, val=1)
    voc_decolor(tmp_path / "data")
    voc_list(tmp_path / "data")
    return tmp_path / "data" / "voc_train_lst.txt"


def test_a_list_becomes_a_contact_sheet(segdata, listed, tmp_path):
    done = segdata("preview", listed, "--out", tmp_path / "sheet.png", "--count", 3)
    assert done.exit_code == 0, done.output
    assert f"3 of 5 samples shown in {tmp_path / 'sheet.png'}\n" in done.output
    assert "classes: background, " in done.output
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"


def test_the_page_is_in_its_directory(segdata, listed, tmp_path):
    done = segdata("preview", listed, "--html", tmp_path / "page", "--out", tmp_path / "page" / "sheet.png")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == ["index.html", "sheet.png"]
    again = segdata("preview", listed, "--html", tmp_path / "page")
    assert again.exit_code == 1
    assert "index.html: already exists (--overwrite replaces it)" in again.output
    assert segdata("preview", listed, "--html", tmp_path / "page", "--overwrite").exit_code == 0


def test_a_json_and_its_classes(segdata, tmp_path):
    write_coco(tmp_path / "coco")
    done = segdata(
        "preview", tmp_path / "coco/annotations/instances.json", "--out", tmp_path / "sheet.png",
        "--classes", "triangle", "--classes", "1", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["samples"] == 12
    assert report["found"] == len(report["shown"]) < 12
    assert (report["kind"], report["task"], report["html"]) == ("coco", "instance", None)


def test_samples_that_cannot_be_read_are_named(segdata, listed, tmp_path):
    image = next((tmp_path / "data").rglob("JPEGImages/*.jpg"))
    image.write_bytes(b"no image")
    done = segdata("preview", listed, "--out", tmp_path / "sheet.png", "--seed", 4)
    assert done.exit_code == 0, done.output
    assert "1 sample cannot be read (run segdata check for details):" in done.output
    assert image.name in done.output


def test_similar_images_are_on_the_page_and_counted(segdata, listed, tmp_path):
    first = listed.read_text().splitlines()[0].split()
    copy = tmp_path / "data" / first[0]
    with Image.open(copy) as image:
        image.resize((image.width // 2, image.height // 2)).save(copy.with_name("copy.jpg"))
    (tmp_path / "data" / "two.txt").write_text(
        f"{first[0]} {first[1]}\n{Path(first[0]).with_name('copy.jpg').as_posix()} {first[1]}\n"
    )
    done = segdata("preview", tmp_path / "data" / "two.txt", "--html", tmp_path / "page", "--near")
    assert done.exit_code == 0, done.output
    assert "1 pair of similar images\n" in done.output
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert page.count('<figure class="pair">') == 1
    refused = segdata("preview", listed, "--out", tmp_path / "sheet.png", "--near")
    assert refused.exit_code == 2
    assert "--near: shows similar images on the page. Add --html DIR." in refused.output


def test_classes_are_covered_and_those_that_do_not_occur_named(segdata, listed, tmp_path):
    done = segdata("preview", listed, "--out", tmp_path / "sheet.png", "--count", 2, "--cover")
    assert done.exit_code == 0, done.output
    assert "classes: background, aeroplane, bicycle, bird\n" in done.output
    assert "no sample shows boat, bottle, bus, " in done.output
    few = segdata("preview", listed, "--out", tmp_path / "one.png", "--count", 1, "--cover", "--json")
    report = json.loads(few.stdout)
    assert {*report["class_names"], *report["not_shown"]} == {"background", "aeroplane", "bicycle", "bird"}
    refused = segdata("preview", listed, "--out", tmp_path / "two.png", "--cover", "--classes", "bird")
    assert refused.exit_code == 2
    assert "--cover: has no effect with one class" in refused.output


def test_a_class_without_a_font_is_told_once(segdata, listed, tmp_path):
    (tmp_path / "names.txt").write_text("nothing\n\U0010abcd\nb\nc\n", encoding="utf-8")
    done = segdata("preview", listed, "--class-names", tmp_path / "names.txt", "--out", tmp_path / "sheet.png")
    assert done.exit_code == 0, done.output
    assert done.output.count("pictures show ids, because no font here has the letters of ") == 1


def test_options_are_spelled_with_dashes_too(segdata, listed, tmp_path):
    out = tmp_path / "sheet.png"
    assert (
        segdata("preview", listed, "--data-root", tmp_path / "data", "--num-classes", 21, "--out", out).exit_code == 0
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "nothing to write; expected --out FILE.png"),
        (("--out", "sheet.jpg"), "ends in .png"),
        (("--out", "sheet.png", "--count", "0"), "--count"),
        (("--out", "sheet.png", "--alpha", "1.5"), "--alpha"),
    ],
)
def test_wrong_usage_is_said(segdata, listed, options, sentence):
    done = segdata("preview", listed, *options)
    assert done.exit_code == 2
    assert sentence in done.output


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--classes", "dgo"), "no class 'dgo'; did you mean dog?"),
        (("--classes", "sofa"), "none of its 5 samples shows sofa"),
        (("--images", "."), "does not take --images"),
    ],
)
def test_what_cannot_be_shown_ends_in_a_sentence(segdata, listed, tmp_path, options, sentence):
    done = segdata("preview", listed, "--out", tmp_path / "sheet.png", *options)
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert sentence in done.output
    assert not (tmp_path / "sheet.png").exists()


def test_a_list_with_broken_lines_ends_in_a_sentence(segdata, tmp_path):
    (tmp_path / "list.txt").write_text("one two three\n")
    done = segdata("preview", tmp_path / "list.txt", "--out", tmp_path / "sheet.png")
    assert done.exit_code == 1
    assert "line 1" in done.output
    assert "Traceback" not in done.output
