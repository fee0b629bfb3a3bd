from __future__ import annotations

import json

import pytest
from PIL import Image

from segdata.coco.file import read_coco
from segdata.coco.rle import decode_rle, to_rle
from segdata.errors import TargetExistsError
from segdata.miniature.coco import write_coco


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("seed", range(5))
def test_a_miniature_has_what_real_sets_have(tmp_path, seed):
    report = write_coco(tmp_path / "mini", seed=seed)
    coco = read_coco(tmp_path / "mini/annotations/instances.json")
    assert (len(coco.images), len(coco.annotations.raw)) == (12, report.annotations)
    assert coco.annotations.traits["polygons_of_several_parts"] >= 1
    assert coco.annotations.traits["uncompressed_rle"] == coco.annotations.crowd.sum() == report.crowds >= 1
    assert [category.id for category in coco.categories] == [1, 5, 18]
    assert 11 not in coco.annotations.image
    assert (coco.annotations.image >= 0).all()
    assert (coco.annotations.category >= 0).all()


def test_every_annotation_is_a_mask_within_its_box_and_image(tmp_path):
    write_coco(tmp_path / "mini")
    members = json.loads((tmp_path / "mini/annotations/instances.json").read_text())
    images = {image["id"]: image for image in members["images"]}
    for item in members["annotations"]:
        image = images[item["image_id"]]
        mask = decode_rle(to_rle(item["segmentation"], image["height"], image["width"]))
        left, top, width, height = (int(side) for side in item["bbox"])
        assert mask.any()
        assert mask.sum() == mask[top : top + height, left : left + width].sum()
        assert 0.5 < mask.sum() / item["area"] <= 1


def test_image_files_have_the_size_that_is_said(tmp_path):
    write_coco(tmp_path / "mini", images=4)
    for image in read_coco(tmp_path / "mini/annotations/instances.json").images:
        with Image.open(tmp_path / "mini/images" / image.file_name) as file:
            assert file.size == (image.width, image.height)


def test_the_seed_decides_every_byte(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_coco(tmp_path / name, images=3, seed=seed)
    assert files(tmp_path / "a") == files(tmp_path / "b") != files(tmp_path / "c")


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(TargetExistsError):
        write_coco(tmp_path)
    with pytest.raises(ValueError, match="3 or more"):
        write_coco(tmp_path / "few", images=2)
