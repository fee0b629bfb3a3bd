"""Draw docs/pictures, the pictures of docs/sources.md, from miniatures: python scripts/source_pictures.py.

Each shows an image as its tool exports it, and the labels or objects that the command reads.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from click.testing import CliRunner
from PIL import Image, ImageDraw

import segdata.cli
from segdata.coco.rle import decode_rle
from segdata.draw.overlay import Box, blend, instance_colors, instance_overlay, label_overlay
from segdata.labels.classes import Classes
from segdata.opening import open_dataset
from segdata.records.schema import unpack_masks
from segdata.samples import Sample

TARGET = Path(__file__).resolve().parents[1] / "docs" / "pictures"

Pixels = npt.NDArray[np.uint8]

#: Enlargement of the miniatures, and the number of colors of a picture: both keep the files small.
SCALE, COLORS, GAP = 2, 64, 12

#: The image that is shown: it has four objects.
ROW = 2

WHITE = (255, 255, 255)


def run(*arguments: object) -> None:
    """Run a command of segdata."""
    result = CliRunner().invoke(segdata.cli.main, [str(argument) for argument in arguments], catch_exceptions=False)
    if result.exit_code:
        sys.exit(result.output)


def outlined(sample: Sample) -> Pixels:
    """Return the image with the outlines of its objects and their points, as a tool for polygons shows it."""
    image = Image.fromarray(sample.read_image())
    draw = ImageDraw.Draw(image)
    for mask in masks_of(sample):
        import cv2

        for outline in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
            points = [tuple(point) for point in outline.reshape(-1, 2).tolist()]
            draw.polygon(points, outline=WHITE)
            for x, y in points[:: max(len(points) // 8, 1)]:
                draw.rectangle((x - 1, y - 1, x + 1, y + 1), fill=(255, 200, 0))
    return np.asarray(image)


def complete(sample: Sample) -> Pixels:
    """Return the image as it is."""
    return sample.read_image()


def brushed(sample: Sample) -> Pixels:
    """Return the image with its objects brushed in one color."""
    image = sample.read_image().copy()
    for mask in masks_of(sample):
        image[mask > 0] = image[mask > 0] // 3 + np.array([0, 150, 160], np.uint8)
    return image


def masks_of(sample: Sample) -> Iterator[Pixels]:
    """Yield the mask of each object ``(H, W)``."""
    height, width = sample.read_image().shape[:2]
    for counts in unpack_masks(sample.instances(height, width, []).masks):
        yield decode_rle({"size": [height, width], "counts": counts})


def stored(path: Path) -> Pixels:
    """Return a mask as a viewer shows it; ids of objects stretched to grays."""
    with Image.open(path) as image:
        if image.mode in ("P", "RGB"):
            return np.asarray(image.convert("RGB"))
        values = np.asarray(image).astype(float)
    ids = np.unique(values)
    gray = np.searchsorted(ids, values) * (255 // max(len(ids) - 1, 1))
    return np.dstack([gray.astype(np.uint8)] * 3)


def after(sample: Sample) -> Pixels:
    """Return the image under what segdata reads: its label, or its objects."""
    image = sample.read_image()
    if sample.label:
        return blend(image, label_overlay(sample.read_label(), 255), 0.6)
    height, width = image.shape[:2]
    found = sample.instances(height, width, [])
    colors = instance_colors(found.labels.tolist())
    boxes = [Box((0, 0, 0, 0), "", color, fill) for color, fill in colors]
    masks = enumerate(mask > 0 for mask in masks_of(sample))
    return blend(image, instance_overlay(masks, boxes, height, width), 0.6)


def save(name: str, before: Pixels, converted: Pixels) -> int:
    """Write a picture of two images side by side; return its size in bytes."""
    sides = [Image.fromarray(side.repeat(SCALE, 0).repeat(SCALE, 1)) for side in (before, converted)]
    width, height = sum(side.width for side in sides) + GAP, max(side.height for side in sides)
    picture = Image.new("RGB", (width, height), WHITE)
    picture.paste(sides[0], (0, 0))
    picture.paste(sides[1], (sides[0].width + GAP, 0))
    path = TARGET / f"{name}.png"
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path.stat().st_size


def stored_in(folder: Path, ending: tuple[str, str] = ("", "")) -> Callable[[Sample], Pixels]:
    """Return a function that shows the mask of a sample in `folder`; `ending` is that of images and of masks."""
    return lambda sample: stored((folder / Path(sample.name).name.replace(*ending)).with_suffix(".png"))


def page(stack: Path) -> Pixels:
    """Return a page of a stack of gray images."""
    return np.dstack([tifffile.imread(stack)[ROW]] * 3)


def convert(root: Path) -> Iterator[tuple[str, Path, dict[str, Any], Callable[[Sample], Pixels]]]:
    """Convert a miniature of each kind; yield a name, the data set, how to open it, and what to show before."""
    for kind in ("voc", "coco", "tif", "labelme", "instance-masks", "cityscapes", "cvat"):
        run("sample", root / kind, "--kind", kind, "--train", 8, "--val", 2)
    voc = root / "voc" / "VOCdevkit" / "VOC2012"
    photos, colors, gray = voc / "JPEGImages", voc / "SegmentationClass", voc / "SegmentationClassGray"
    run("voc-decolor", "--data_root", root / "voc")
    run("pair-list", "--images", photos, "--labels", gray, "--dst_path", root / "pairs.txt")
    yield "voc", root / "pairs.txt", {"data_root": voc}, stored_in(colors)
    yield "pairs", root / "pairs.txt", {"data_root": voc}, stored_in(gray)
    stacks = [root / "tif" / f"train-{part}.tif" for part in ("volume", "labels")]
    options = ("--images", stacks[0], "--labels", stacks[1], "--map", "0:0,255:1")
    run("tif-slice", *options, "--dst_path", root / "sliced")
    yield "tif", root / "sliced/all_lst.txt", {"classes": Classes(("membrane", "cell"))}, lambda _: page(stacks[1])
    path = root / "coco" / "annotations" / "instances.json"
    run("coco-to-masks", "--annotations", path, "--images", root / "coco/images", "--dst_path", root / "masks")
    names = Classes(("background", "ellipse", "rectangle", "triangle"))
    yield "coco-to-masks", root / "masks/coco_lst.txt", {"data_root": root, "classes": names}, complete
    brush = {"images": root / "cvat/images/default", "crowd": "object"}
    yield "cvat", root / "cvat/annotations/instances_default.json", brush, brushed
    run("labelme", root / "labelme", "--dst_path", root / "labelme.json")
    yield "polygons", root / "labelme.json", {"images": root / "labelme"}, outlined
    yield from masks(root, voc)


def masks(root: Path, voc: Path) -> Iterator[tuple[str, Path, dict[str, Any], Callable[[Sample], Pixels]]]:
    """Convert each kind of masks of instances, as `convert` does."""
    ids, city = root / "instance-masks", root / "cityscapes"
    photos, classes, objects = (voc / f"{name}" for name in ("JPEGImages", "SegmentationClass", "SegmentationObject"))
    town = ("_leftImg8bit", "_gtFine_color")
    for name, folder, options, images, shown in (
        ("instance-masks", ids / "masks", (), ids / "images", stored_in(ids / "masks")),
        ("voc-objects", objects, ("--class_masks", classes), photos, stored_in(objects)),
        ("components", classes, ("--components",), photos, stored_in(classes)),
        (
            "cityscapes",
            city / "gtFine",
            ("--cityscapes",),
            city / "leftImg8bit",
            stored_in(city / "gtFine/train/town", town),
        ),
    ):
        run("masks-to-coco", folder, "--images", images, *options, "--dst_path", root / f"{name}.json")
        yield name, root / f"{name}.json", {"images": images}, shown
    mask, photo = (sorted((ids / part).iterdir())[ROW] for part in ("masks", "images"))
    for name, path in (("ids", mask), ("photos", photo)):
        with Image.open(path) as image:
            pages = np.stack([np.asarray(image)] * (ROW + 1))
        tifffile.imwrite(root / f"{name}.tif", pages, photometric="rgb" if pages.ndim == 4 else "minisblack")
    options = ("--images", root / "photos.tif", "--labels", root / "ids.tif", "--border", 3)
    run("tif-slice", *options, "--dst_path", root / "touching")
    names = Classes(("background", "object", "border"))
    yield "tif-border", root / "touching/all_lst.txt", {"classes": names}, lambda _: stored(mask)


def main() -> None:
    """Write every picture, and print the bytes of all."""
    TARGET.mkdir(exist_ok=True)
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, path, options, before in convert(Path(folder)):
            (sample,) = open_dataset(path, **options).samples([ROW])
            total += save(name, before(sample), after(sample))
    print(f"{total:,} bytes in {TARGET}")


if __name__ == "__main__":
    main()
