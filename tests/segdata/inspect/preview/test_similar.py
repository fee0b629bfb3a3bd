"""The page shows similar images in pairs, the first of them, with their names and what was changed."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segdata.dataset import Dataset
from segdata.errors import InvalidInputError
from segdata.inspect.check.near import NearFault
from segdata.inspect.preview import preview
from segdata.inspect.preview.similar import MAX_PAIRS, SimilarPairs, draw_similar, similar_html
from segdata.opening import open_dataset
from segdata.parallel import silent
from segdata.records.convert import to_mindrecord

NAMES = ("a&b.jpg", "mirrored.jpg", "other.jpg", "smaller.jpg")


def texture(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    """Draw a picture of clouds, ``(H, W, 3)`` uint8."""
    draw = np.random.default_rng(seed)
    clouds = sum(
        cv2.resize(draw.normal(0, 120 / cells, (cells, cells, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        for cells in (4, 9, 20)
    )
    return np.clip(clouds + 128, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a list and a JSON of a picture, its mirror image, another picture, and the first one smaller."""
    folder = tmp_path_factory.mktemp("similar")
    pictures = [texture(1), texture(1)[:, ::-1], texture(2), cv2.resize(texture(1), (80, 60))]
    images = []
    for number, (name, picture) in enumerate(zip(NAMES, pictures, strict=True)):
        cv2.imwrite(str(folder / name), picture)
        cv2.imwrite(str(folder / name.replace("jpg", "png")), np.zeros(picture.shape[:2], np.uint8))
        images.append({"id": number, "file_name": name, "height": picture.shape[0], "width": picture.shape[1]})
    (folder / "list.txt").write_text("".join(f"{name} {name.replace('jpg', 'png')}\n" for name in NAMES))
    (folder / "set.json").write_text(
        json.dumps({"images": images, "annotations": [], "categories": [{"id": 1, "name": "a"}]})
    )
    return folder


def shown(page: Path) -> list[tuple[list[str], str]]:
    """Return the alternative texts and the caption of each pair of a page, whose images can be opened."""
    text = (page / "index.html").read_text(encoding="utf-8")
    found = []
    for pair in re.findall(r'<figure class="pair">.*?</figure>', text):
        images = re.findall(r'<img src="data:image/jpeg;base64,([^"]*)" alt="([^"]*)">', pair)
        for data, alt in images:
            size = Image.open(io.BytesIO(base64.b64decode(data))).size
            assert alt.endswith(f", {size[0]} × {size[1]}")
        found.append(([alt for _, alt in images], re.findall("<figcaption>(.*?)</figcaption>", pair)[0]))
    return found


PAIRS = [
    (["a&amp;b.jpg, 120 × 90", "mirrored.jpg, 120 × 90"], "Mirrored"),
    (["a&amp;b.jpg, 120 × 90", "smaller.jpg, 80 × 60"], "Neither mirrored nor rotated"),
]


@pytest.mark.parametrize("name", ["list.txt", "set.json"])
def test_pairs_are_side_by_side_with_their_names_and_the_change(root: Path, tmp_path: Path, name: str) -> None:
    report = preview(open_dataset(root / name), html=tmp_path / "page", count=1, near=True, workers=1)
    assert shown(tmp_path / "page") == PAIRS
    assert [(fault.code, fault.where) for fault in report.similar or ()] == [
        ("near_duplicate", "mirrored.jpg"),
        ("near_duplicate", "smaller.jpg"),
    ]
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert '<h2 id="similar">Similar images</h2>' in text
    assert "2 pairs of similar images<" in text
    assert "Not checked: identical images" in text


def test_a_record_set_shows_them_too_unless_it_is_damaged(root: Path, tmp_path: Path) -> None:
    to_mindrecord(open_dataset(root / "list.txt"), tmp_path / "set", num_shards=1)
    report = preview(open_dataset(tmp_path / "set"), html=tmp_path / "page", count=1, near=True, workers=1)
    pairs = shown(tmp_path / "page")
    # A set has its rows in a seeded order: which image of a pair is the earlier one depends on it.
    assert {alt for alts, _ in pairs for alt in alts} == {alt for alts, _ in PAIRS for alt in alts}
    expected = [[fault.other, fault.where] for fault in report.similar or () if isinstance(fault, NearFault)]
    assert [[html.unescape(alt).split(", ")[0] for alt in alts] for alts, _ in pairs] == expected
    shard = next((tmp_path / "set").glob("*.mindrecord"))
    stored = bytearray(shard.read_bytes())
    stored[-1] ^= 1
    shard.write_bytes(stored)
    report = preview(open_dataset(tmp_path / "set"), html=tmp_path / "damaged", count=1, near=True, workers=1)
    assert (report.similar, shown(tmp_path / "damaged")) == (None, [])
    assert "The record set is damaged; its images were not compared." in (tmp_path / "damaged/index.html").read_text()


def test_without_the_option_they_are_not_searched_for(root: Path, tmp_path: Path) -> None:
    report = preview(open_dataset(root / "list.txt"), html=tmp_path / "page", count=1, workers=1)
    assert (report.similar, shown(tmp_path / "page")) == (None, [])
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "similar images (segdata preview --near)" in text
    assert 'id="similar"' not in text
    with pytest.raises(InvalidInputError, match=r"similar images .* expected a directory"):
        preview(open_dataset(root / "list.txt"), out=tmp_path / "sheet.png", near=True)


def drawn(dataset: Dataset, faults: Sequence[NearFault]) -> str:
    return similar_html(draw_similar(dataset, faults, workers=1, progress=silent))


def test_the_first_pairs_are_shown_and_the_others_counted(root: Path) -> None:
    dataset = open_dataset(root / "list.txt")
    fault = NearFault("near_duplicate", NAMES[1], "is similar", NAMES[0], "mirrored")
    page = drawn(dataset, [fault] * MAX_PAIRS)
    assert f"{MAX_PAIRS} pairs of similar images<" in page
    page = drawn(dataset, [fault] * (MAX_PAIRS + 1))
    assert page.count('<figure class="pair">') == MAX_PAIRS
    assert f"{MAX_PAIRS + 1} pairs of similar images; the first {MAX_PAIRS} are shown, segdata check --near" in page
    assert "No similar images found among those that can be read." in similar_html(SimilarPairs((), 0))


def test_an_image_that_can_no_longer_be_read_is_named_with_the_reason(root: Path, tmp_path: Path) -> None:
    (tmp_path / "x&y.jpg").write_bytes(b"")
    cv2.imwrite(str(tmp_path / "b.jpg"), texture(1))
    (tmp_path / "list.txt").write_text("x&y.jpg a.png\nb.jpg b.png\n")
    page = drawn(open_dataset(tmp_path / "list.txt"), [NearFault("near_duplicate", "b.jpg", "", "x&y.jpg", "")])
    assert re.search(
        r'<div class="problem">x&amp;y\.jpg: [^<]+</div><p><span class="name">x&amp;y\.jpg</span></p>', page
    )
    assert 'alt="b.jpg, 120 × 90"' in page
