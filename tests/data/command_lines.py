"""One small run of every segdata command, for tests that start them all as processes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

import segdata
from segdata.miniature.coco import write_coco
from segdata.miniature.sbd import write_release
from segdata.miniature.tif import write_stacks
from segdata.miniature.voc import write_devkit
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor

COCO = "--annotations coco/annotations/instances.json --images coco/images"
STACKS = "--images tif/train-volume.tif --labels tif/train-labels.tif --map 0:0,255:1"
VOC = "--data_root . --data_lst voc_train_lst.txt"

#: Command lines by command, to be run in a copy of `write_inputs`'s directory; those that write, write to ``out``.
SEGDATA = {
    "sample": "out",
    "voc-decolor": "--data_root . --dst_path out",
    "mask-map": "masks --map *:1 --dst_path out",
    "voc-list": "--data_root plain --dst_path out",
    "sbd-merge": "--data_root .",
    "pair-list": "--images pngs --labels masks --dst_path out",
    "split": "voc_train_lst.txt --ratio 0.5",
    "merge": "set --num_shards 2 --dst_path out",
    "tif-slice": f"{STACKS} --dst_path out",
    "labelme": "labelme --dst_path out",
    "yolo-seg": "yolo --dst_path out",
    "masks-to-coco": "masks --images pngs --dst_path out",
    "coco-subset": f"{COCO} --dst_path out",
    "coco-to-masks": f"{COCO} --dst_path out",
    "to-mindrecord": f"{VOC} --num_shards 2 --dst_path out",
    "unpack": "set --dst_path out",
    "adopt": "bare",
    "verify": "set",
    "info": "set",
    "check": "voc_train_lst.txt",
    "fix": "voc_train_lst.txt --dst_path out",
    "stats": "voc_train_lst.txt",
    "preview": "voc_train_lst.txt --out out.png",
}


def write_inputs(root: Path) -> None:
    """Write what the command lines read."""
    write_devkit(root, train=4, val=1)
    write_release(root, voc_train=4, voc_val=1)
    shutil.copytree(root / "VOCdevkit", root / "plain" / "VOCdevkit")
    voc_decolor(root)
    voc_decolor(root / "plain")
    voc_list(root)
    write_coco(root / "coco", images=3)
    write_stacks(root / "tif", pages=4, size=32)
    for folder in ("pngs", "masks", "labelme", "yolo/images", "yolo/labels"):
        (root / folder).mkdir(parents=True)
    for number in range(3):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(root / "pngs" / f"{number}.png")
        shutil.copy(root / "pngs" / f"{number}.png", root / "masks")
    shutil.copy(root / "pngs" / "0.png", root / "labelme" / "0.png")
    shutil.copy(root / "pngs" / "0.png", root / "yolo" / "images" / "0.png")
    shape = {"label": "cell", "points": [[1, 1], [6, 1], [6, 6]], "shape_type": "polygon", "group_id": None}
    described = {"imagePath": "0.png", "imageHeight": 8, "imageWidth": 8, "shapes": [shape], "imageData": None}
    (root / "labelme" / "0.json").write_text(json.dumps(described))
    (root / "yolo" / "labels" / "0.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    (root / "yolo" / "classes.txt").write_text("cell\n")
    source = segdata.open_dataset(root / "voc_train_lst.txt", data_root=root)
    segdata.to_mindrecord(source, root / "set", num_shards=2)
    shutil.copytree(root / "set", root / "bare", ignore=shutil.ignore_patterns("manifest.json"))
