from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_instances import nothing

from segdata.coco.rle import decode_rle
from segdata.errors import InvalidInputError, TargetExistsError
from segdata.records.manifest import ClassInfo
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.inference.instance.detections import Detections, RawDetections, locate, result_entries, write_results

CLASSES = [
    ClassInfo(id=id_, name=name, original_id=original, pixels=1, images=1)
    for id_, (name, original) in enumerate([("square", 3), ("bar", 11)], start=1)
]


def _two() -> RawDetections:
    """Return detections of two images with three rows each: the first has two, with an unused row in between."""
    found = nothing(2, MaskRcnn(max_detections=3), mask_side=8)
    found.boxes[0] = [(8, 4, 24, 12), (1, 1, 9, 9), (-4, 8, 12, 40)]
    found.scores[0], found.labels[0], found.valid[0] = (0.9, 0.8, 0.7), (2, 1, 1), (True, False, True)
    found.masks[0] = 1
    return found


def test_detections_come_back_to_the_pixels_of_their_image() -> None:
    # An image of 20 x 40 pixels takes up 16 x 32 in the input.
    (found,) = locate(_two(), [(16, 32)], [(20, 40)])
    assert found.boxes.tolist() == [[10, 5, 30, 15], [0, 10, 15, 20]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    assert found.labels.tolist() == [2, 1]
    masks = [decode_rle(rle) for rle in found.masks]
    assert [mask.shape for mask in masks] == [(20, 40)] * 2
    assert masks[0].sum() == masks[0][5:15, 10:30].sum() == 200
    # Pasted with the box as it was before clipping; otherwise half a cell more would be inside.
    assert masks[1].sum() == masks[1][10:, :15].sum() > 0


def test_places_of_a_batch_without_an_image_are_ignored() -> None:
    detections = _two()
    detections.boxes[1] = np.nan
    detections.valid[1] = True
    assert len(locate(detections, [(16, 32)], [(16, 32)])) == 1


def test_an_image_without_detections_has_no_entries() -> None:
    (found,) = locate(nothing(1, MaskRcnn(max_detections=3)), [(16, 32)], [(16, 32)])
    assert (found.boxes.shape, found.masks) == ((0, 4), ())
    assert result_entries(7, found, CLASSES) == []


@pytest.mark.parametrize("column", ["boxes", "scores", "masks"])
def test_detections_that_are_not_numbers_are_refused(column: str) -> None:
    detections = _two()
    getattr(detections, column)[0, 0] = np.nan
    with pytest.raises(InvalidInputError, match="detections are not finite"):
        locate(detections, [(16, 32)], [(16, 32)])


def test_results_have_the_ids_of_the_source_and_are_read_back(tmp_path: Path) -> None:
    (found,) = locate(_two(), [(16, 32)], [(20, 40)])
    write_results(tmp_path / "results.json", result_entries(139, found, CLASSES), overwrite=False)
    first, second = json.loads((tmp_path / "results.json").read_text())
    assert (first["image_id"], first["category_id"], first["bbox"]) == (139, 11, [10, 5, 20, 10])
    assert (second["category_id"], second["score"]) == (3, pytest.approx(0.7))
    assert first["segmentation"] == {"size": [20, 40], "counts": found.masks[0]["counts"].decode()}
    with pytest.raises(TargetExistsError):
        write_results(tmp_path / "results.json", [], overwrite=False)


@pytest.mark.parametrize("label", [0, 3])
def test_a_label_of_no_class_is_refused(label: int) -> None:
    rle = {"size": [4, 4], "counts": b"`0"}
    found = Detections(np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.array([label], np.int32), (rle,))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=rf"image 139: a detection has label {label}; expected 1 to 2"):
        result_entries(139, found, CLASSES)
