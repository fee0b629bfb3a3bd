from __future__ import annotations

import numpy as np

from segdata.coco.references import duplicate_images, orphans

SQUARE = [[1, 1, 5, 1, 5, 5, 1, 5]]


def test_files_with_several_image_objects_are_named_however_they_are_spelled(read):
    coco = read(names=("a.jpg", "b.jpg", "./a.jpg", "x//c.jpg", "a.jpg", "x/c.jpg"))
    assert [str(fault) for fault in duplicate_images(coco)] == [
        "a.jpg: named by the image ids 1, 3, 5",
        "x/c.jpg: named by the image ids 4, 6",
    ]
    assert {fault.code for fault in duplicate_images(coco)} == {"duplicate_image"}


def test_the_files_of_some_images_are_compared_with_those_of_all(read):
    coco = read(names=("a.jpg", "b.jpg", "a.jpg"))
    assert duplicate_images(coco, np.array([1])) == []
    assert [fault.where for fault in duplicate_images(coco, np.array([1, 2]))] == ["a.jpg"]


def test_orphans_are_named_in_the_order_of_the_file(read):
    coco = read({"category_id": 9}, {"segmentation": SQUARE}, {"image_id": 9})
    assert [str(fault) for fault in orphans(coco)] == [
        "annotation 1: refers to a category that the file does not contain",
        "annotation 3: refers to an image that the file does not contain",
    ]
