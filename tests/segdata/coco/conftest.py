from __future__ import annotations

import json

import pytest

from segdata.coco.file import read_coco


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Read a COCO file with these annotations of one image, or with these images."""
    path = tmp_path_factory.mktemp("coco") / "a.json"

    def reading(*annotations, names=("a.jpg",)):
        images = [{"id": id_, "file_name": name} for id_, name in enumerate(names, start=1)]
        known = {"image_id": 1, "category_id": 1}
        full = [{**one, "id": id_, **known, **one} for id_, one in enumerate(annotations, start=1)]
        path.write_text(json.dumps({"images": images, "annotations": full, "categories": [{"id": 1, "name": "cat"}]}))
        return read_coco(path)

    return reading
