"""Compare the pixels of each kind of export with what its own tool draws; print the table of docs/sources.md.

    pip install labelme cityscapesscripts opencv-python-headless pycocotools scipy tifffile   # into another environment
    python benchmarks/tool_exports.py --segdata .venv/bin/segdata [--labelme EXAMPLES]

Each kind is a miniature of `segdata sample`; EXAMPLES is the folder of labelme's own examples (data_annotated,
data_dataset_voc, primitives).
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from cityscapesscripts.evaluation.instances2dict import instances2dict
from cityscapesscripts.helpers.labels import name2label
from labelme.utils import shape_to_mask
from PIL import Image
from pycocotools.coco import COCO
from scipy.io import loadmat

Masks = Iterator[tuple[np.ndarray, np.ndarray]]

LINE_WIDTH = 10


class Kinds:
    """Makes each kind in a folder, converts it with one command, and yields masks of ours and of the tool."""

    def __init__(self, folder: Path, segdata: list[str], examples: Path | None) -> None:
        self.folder, self.segdata, self.examples = folder, segdata, examples

    def run(self, *arguments: Any) -> None:
        subprocess.run([*self.segdata, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)

    def sample(self, kind: str) -> Path:
        self.run("sample", self.folder / kind, "--kind", kind, "--train", 12, "--val", 4)
        return self.folder / kind

    def objects(self, path: Path) -> Iterator[tuple[str, list[tuple[dict[str, Any], np.ndarray]]]]:
        """Yield the name of each image in a JSON with its annotations and their masks."""
        coco = COCO(path)
        for image in coco.dataset["images"]:
            found = coco.imgToAnns[image["id"]]
            yield image["file_name"], [(one, coco.annToMask(one) > 0) for one in found]

    def labelme(self, root: Path, kinds: Sequence[str] = ("polygon",)) -> Masks:
        options = ("--line_width", LINE_WIDTH, "--on-error", "skip")
        self.run("labelme", root, *options, "--dst_path", self.folder / f"{root.name}.json")
        for name, found in self.objects(self.folder / f"{root.name}.json"):
            document = json.loads((root / name).with_suffix(".json").read_text())
            groups: dict[Any, list[dict[str, Any]]] = {}
            for number, shape in enumerate(document["shapes"]):
                if shape["label"] not in ("__ignore__", "_background_"):
                    key = number if shape["group_id"] is None else (shape["label"], shape["group_id"])
                    groups.setdefault(key, []).append(shape)
            for (_, ours), shapes in zip(found, groups.values(), strict=True):
                if all(shape["shape_type"] in kinds for shape in shapes):
                    yield ours, np.any([drawn_by_labelme(shape, ours.shape) for shape in shapes], 0)

    def yolo(self) -> Masks:
        root = self.sample("yolo")
        self.run("yolo-seg", root, "--dst_path", self.folder / "yolo-json")
        for split in ("train", "val"):
            for name, found in self.objects(self.folder / "yolo-json" / f"instances_{split}.json"):
                lines = (root / "labels" / name).with_suffix(".txt").read_text().splitlines()
                for (_, ours), line in zip(found, lines, strict=True):
                    # As `polygon2mask` of Ultralytics draws it.
                    points = np.array(line.split()[1:], float).reshape(-1, 2) * ours.shape[::-1]
                    drawn = cv2.fillPoly(np.zeros(ours.shape, np.uint8), [points.astype(np.int32)], 1)
                    yield ours, drawn > 0

    def instance_masks(self, root: Path, options: tuple[Any, ...], images: Path, masks: Path) -> Masks:
        path = self.folder / f"{root.name}-objects.json"
        self.run("masks-to-coco", masks, "--images", images, *options, "--dst_path", path)
        for name, found in self.objects(path):
            values = np.asarray(Image.open((masks / name).with_suffix(".png")))
            void = 255 if values.dtype == np.uint8 else 0
            ids = [value for value in np.unique(values) if value not in (0, void)]
            for (_, ours), value in zip(found, ids, strict=True):
                yield ours, values == value

    def voc(self, root: Path) -> Masks:
        classes = ("--class_masks", root / "SegmentationClass")
        return self.instance_masks(root, classes, root / "JPEGImages", root / "SegmentationObject")

    def components(self) -> Masks:
        root = self.sample("voc") / "VOCdevkit" / "VOC2012"
        masks = root / "SegmentationClass"
        path = self.folder / "components.json"
        self.run("masks-to-coco", masks, "--components", "--images", root / "JPEGImages", "--dst_path", path)
        for name, found in self.objects(path):
            values = np.asarray(Image.open((masks / name).with_suffix(".png")))
            parts = []
            for id_ in (value for value in np.unique(values) if value not in (0, 255)):
                count, numbers = cv2.connectedComponents((values == id_).astype(np.uint8), connectivity=8)
                parts += [numbers == number for number in range(1, count)]
            yield from ((ours, part) for (_, ours), part in zip(found, parts, strict=True))

    def cityscapes(self) -> Masks:
        root = self.sample("cityscapes")
        path = self.folder / "cityscapes.json"
        self.run("masks-to-coco", root / "gtFine", "--cityscapes", "--images", root / "leftImg8bit", "--dst_path", path)
        categories = {one["id"]: one["name"] for one in COCO(path).dataset["categories"]}
        for name, found in self.objects(path):
            file = root / "gtFine" / name.replace("_leftImg8bit", "_gtFine_instanceIds")
            values = np.asarray(Image.open(file))
            theirs = {
                (label, one["instID"]): one["pixelCount"]
                for label, ones in instances2dict([str(file)])[str(file)].items()
                for one in ones
                if name2label[label].hasInstances
            }
            for annotation, ours in found:
                value = int(values[ours][0])
                assert int(ours.sum()) == theirs.pop((categories[annotation["category_id"]], value))
                assert (value < 1000) == annotation["iscrowd"]
                yield ours, values == value
            assert not theirs

    def coco(self, kind: str, inner: str, images: str, *options: Any) -> Masks:
        """Compare the index masks of a JSON with those that pycocotools draws, small objects over large ones."""
        root = self.sample(kind)
        out = self.folder / f"{kind}-masks"
        place = ("--annotations", root / inner, "--images", root / images)
        self.run("coco-to-masks", *place, *options, "--dst_path", out)
        categories = sorted(one["id"] for one in COCO(root / inner).dataset["categories"])
        for name, found in self.objects(root / inner):
            ours = np.asarray(Image.open((out / "masks" / name.replace("\\", "/")).with_suffix(".png")))
            drawn = np.zeros(ours.shape, np.uint8)
            for annotation, mask in sorted(found, key=lambda one: -int(one[1].sum())):
                crowd = annotation["iscrowd"] and "object" not in options
                drawn[mask] = 255 if crowd else 1 + categories.index(annotation["category_id"])
            yield from ((ours == value, drawn == value) for value in np.unique(drawn))

    def decolored(self) -> Masks:
        root = self.sample("sbd")
        self.run("voc-decolor", "--data_root", root)
        gray = root / "VOCdevkit" / "VOC2012" / "SegmentationClassGray"
        for path in gray.glob("*.png"):
            theirs = np.asarray(Image.open(gray.with_name("SegmentationClass") / path.name))
            yield from ((np.asarray(Image.open(path)) == value, theirs == value) for value in np.unique(theirs))

    def sbd(self) -> Masks:
        root = self.folder / "sbd"
        self.run("sbd-merge", "--data_root", root)
        dataset = root / "benchmark_RELEASE" / "dataset"
        for path in (dataset / "cls_png_gray").glob("*.png"):
            content = loadmat(dataset / "cls" / f"{path.stem}.mat", mat_dtype=True)
            theirs, ours = content["GTcls"]["Segmentation"][0, 0], np.asarray(Image.open(path))
            yield from ((ours == value, theirs == value) for value in np.unique(theirs))

    def tif(self) -> Masks:
        import tifffile

        root = self.sample("tif")
        stacks = ("--images", root / "train-volume.tif", "--labels", root / "train-labels.tif")
        self.run("tif-slice", *stacks, "--map", "0:0,255:1", "--dst_path", self.folder / "sliced")
        files = sorted((self.folder / "sliced" / "labels").glob("*.png"))
        for path, page in zip(files, tifffile.imread(root / "train-labels.tif"), strict=True):
            yield np.asarray(Image.open(path)) == 1, page == 255


def drawn_by_labelme(shape: dict[str, Any], size: tuple[int, ...]) -> np.ndarray:
    """Return the mask ``(H, W)`` that labelme draws for a shape."""
    return shape_to_mask(size, shape["points"], shape["shape_type"], LINE_WIDTH)


def rows(kinds: Kinds) -> Iterator[tuple[str, str, str, Masks]]:
    """Yield each kind with its command and what draws the masks of comparison."""
    nuclei = kinds.sample("instance-masks")
    yield "labelme, miniature", "labelme", "labelme", kinds.labelme(kinds.sample("labelme"))
    if kinds.examples:
        yield "labelme, its examples", "labelme", "labelme", kinds.labelme(kinds.examples / "data_annotated")
        drawn = kinds.labelme(kinds.examples / "primitives", ("circle", "line", "linestrip"))
        yield "labelme, circles and lines", "labelme --line_width 10", "labelme", drawn
    yield "YOLO polygons", "yolo-seg", "`polygon2mask` of Ultralytics (OpenCV)", kinds.yolo()
    objects = kinds.instance_masks(nuclei, (), nuclei / "images", nuclei / "masks")
    yield "masks of ids, 16 bits", "masks-to-coco", "NumPy", objects
    yield "index masks", "masks-to-coco --components", "OpenCV", kinds.components()
    voc = kinds.folder / "voc" / "VOCdevkit" / "VOC2012"
    yield "VOC SegmentationObject", "masks-to-coco --class_masks", "Pillow", kinds.voc(voc)
    yield "Cityscapes instanceIds", "masks-to-coco --cityscapes", "cityscapesscripts", kinds.cityscapes()
    brush = kinds.coco("cvat", "annotations/instances_default.json", "images/default", "--crowd", "object")
    yield "CVAT, brush", "coco-to-masks --crowd object", "pycocotools", brush
    yield "Label Studio", "coco-to-masks", "pycocotools", kinds.coco("label-studio", "result.json", ".")
    roboflow = kinds.coco("roboflow", "train/_annotations.coco.json", "train")
    yield "Roboflow", "coco-to-masks", "pycocotools", roboflow
    yield "COCO", "coco-to-masks", "pycocotools", kinds.coco("coco", "annotations/instances.json", "images")
    yield "VOC color masks", "voc-decolor", "Pillow", kinds.decolored()
    yield "SBD", "sbd-merge", "SciPy", kinds.sbd()
    yield "TIFF stack of labels", "tif-slice", "tifffile", kinds.tif()


def farthest(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest distance in pixels of a differing pixel from the nearest one of the other kind in `theirs`."""
    padded, differing = np.pad(theirs, 1), np.pad(ours != theirs, 1)
    distances = (cv2.distanceTransform(np.uint8(side), cv2.DIST_L2, 5) for side in (padded, ~padded))
    return max(float(distance[differing].max(initial=0)) for distance in distances)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segdata", default="segdata", help="command of segdata")
    parser.add_argument("--labelme", type=Path, help="folder of labelme's examples")
    options = parser.parse_args()
    print("| export | command | drawn by | masks | pixels | only in ours | only in theirs | from the outline |")
    print("| --- | --- | --- | --: | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as folder:
        for kind, command, tool, masks in rows(Kinds(Path(folder), shlex.split(options.segdata), options.labelme)):
            pairs = list(masks)
            total = sum(int(theirs.sum()) for _, theirs in pairs)
            extra = sum(int((ours & ~theirs).sum()) for ours, theirs in pairs)
            missing = sum(int((theirs & ~ours).sum()) for ours, theirs in pairs)
            far = max(farthest(ours, theirs) for ours, theirs in pairs)
            print(f"| {kind} | `{command}` | {tool} | {len(pairs)} | {total} | {extra} | {missing} | {far:.3g} |")


if __name__ == "__main__":
    main()
