"""Sections of the page of an evaluation of instances: classes, precision over recall, worst and best images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import Rle, decode_rle
from segdata.draw.overlay import Box, Overlay, instance_colors, instance_overlay
from segdata.draw.page import Section, plot_html, table_html
from segdata.draw.page_tiles import swatch
from segdata.draw.pictures import class_color, fitted, scaled_ids, scaled_image
from segdata.images.reading import as_picture, read_image
from segdata.labels.colormap import Color
from segdata.records.reader import RecordSet, read_rows
from segtrain.evaluation.instance.coco import InstanceReport, PrecisionTable
from segtrain.evaluation.instance.images import LEAST_IOU, LEAST_SCORE, ImageMatches
from segtrain.evaluation.instance.precision_plot import precision_figure
from segtrain.evaluation.results import EXAMPLES, PICTURE_SIDE, Example, examples_section, percent
from segtrain.inference.instance.detections import RleText

#: Colors of instances without a detection, and of detections without an instance.
_MISSED, _FALSE = (245, 160, 20), (230, 30, 40)

_ORDER = (
    f"By the F1 score of each image: detections with a score of at least {LEAST_SCORE:g} are compared with the "
    f"instances of their class, and match at an IoU of at least {LEAST_IOU:g} of the masks. Orange: missed; red: "
    "false. The filter keeps images with a class in ground truth or detections."
)


def instance_facts(scores: InstanceReport, images: Sequence[ImageMatches]) -> dict[str, str]:
    """Return the large figures of the page, by name."""
    return {
        "Mask AP": percent(scores.mask.ap),
        "Mask AP50": percent(scores.mask.ap50),
        "Box AP": percent(scores.box.ap),
        "Images": f"{scores.images:,}",
        "Instances": f"{scores.instances:,}",
        "Missed": f"{sum(len(each.missed) for each in images):,}",
        "False": f"{sum(len(each.false) for each in images):,}",
    }


def instance_sections(
    scores: InstanceReport,
    tables: tuple[PrecisionTable, PrecisionTable],
    images: Sequence[ImageMatches],
    records: RecordSet,
) -> list[Section]:
    """Return the sections of the page, in order.

    Args:
        scores: scores over the set.
        tables: precision of boxes and of masks.
        images: comparison of each image.
        records: record set with the images.
    """
    labels = {info.id: info.name for info in records.manifest.classes}
    ids = {info.original_id: info.id for info in records.manifest.classes}
    # Equal scores in their order, at both ends.
    ranked = sorted((each for each in images if each.f1 is not None), key=lambda each: each.f1 or 0)
    worst = ranked[:EXAMPLES]
    best = sorted(ranked[EXAMPLES:], key=lambda each: -(each.f1 or 0))[:EXAMPLES]
    shown = _examples([*worst, *best], records, ids, labels)
    curves = plot_html(precision_figure(*tables), "Precision over recall of boxes and masks")
    return [
        Section("classes", "Classes", _class_table(scores, images, records)),
        Section("precision", "Precision and recall", curves),
        examples_section(
            *([shown[each.image_id] for each in end] for end in (worst, best)), about=_ORDER, labels=labels
        ),
    ]


def _class_table(scores: InstanceReport, images: Sequence[ImageMatches], records: RecordSet) -> str:
    missed = Counter(each.truth[number]["category_id"] for each in images for number in each.missed)
    false = Counter(each.found[number]["category_id"] for each in images for number in each.false)
    # The scores are in the order of the original ids.
    infos = sorted(records.manifest.classes, key=lambda info: info.original_id)
    rows = [
        (
            not score.instances,
            [
                str(info.id),
                f"{swatch(class_color(info.id))}{escape(info.name)}",
                f"{score.instances:,}",
                percent(score.box_ap),
                percent(score.mask_ap),
                f"{missed[info.original_id]:,}",
                f"{false[info.original_id]:,}",
            ],
        )
        for info, score in zip(infos, scores.classes, strict=True)
    ]
    titles = ["id", "class", "instances", "box AP", "mask AP", "missed", "false"]
    return table_html("Scores of the classes", titles, rows)


def _examples(
    chosen: Sequence[ImageMatches], records: RecordSet, ids: Mapping[int, int], labels: Mapping[int, str]
) -> dict[int, Example]:
    """Return the pictures of the chosen images, by image id; reads the set once."""
    matches = {each.image_id: each for each in chosen}
    rows = [number for number, row in enumerate(read_rows(records, fields=["image_id"])) if row["image_id"] in matches]
    examples = {}
    for row in read_rows(records, rows=rows, fields=["image_id", "data"]):
        image = as_picture(read_image(row["data"], records.manifest.image_range))
        examples[row["image_id"]] = _example(matches[row["image_id"]], image, ids, labels)
    return examples


@dataclass(frozen=True)
class _Drawn:
    """An instance to draw: its label, 1 to K, its box and mask as in a COCO file, its text and colors."""

    label: int
    box: Sequence[float]
    mask: RleText
    text: str
    color: Color
    fill: Color


def _example(
    each: ImageMatches, image: npt.NDArray[np.uint8], ids: Mapping[int, int], labels: Mapping[int, str]
) -> Example:
    truth = _drawn(each.truth, ids, lambda label, item: labels[label] + (" (crowd)" if item["iscrowd"] else ""))
    found = _drawn(each.found, ids, lambda label, item: f"{labels[label]} {item['score']:.2f}")
    missed = [replace(truth[at], text=f"missed: {truth[at].text}", color=_MISSED, fill=_MISSED) for at in each.missed]
    false = [replace(found[at], text=f"false: {found[at].text}", color=_FALSE, fill=_FALSE) for at in each.false]
    height, width = fitted(image.shape[0], image.shape[1], PICTURE_SIDE, PICTURE_SIDE, enlarge="integer")
    columns = {"label": truth, "prediction": found, "error": [*missed, *false]}
    return Example(
        name=each.name,
        about=f"F1 {percent(each.f1)}: {each.matched} matched, {len(missed)} missed, {len(false)} false",
        image=scaled_image(image, height, width),
        overlays={title: _overlay(items, image.shape, height, width) for title, items in columns.items()},
        keys=frozenset(item.label for item in (*truth, *found)),
    )


def _drawn(
    items: Sequence[Mapping[str, Any]], ids: Mapping[int, int], text: Callable[[int, Mapping[str, Any]], str]
) -> list[_Drawn]:
    labels = [ids[item["category_id"]] for item in items]
    return [
        _Drawn(label, item["bbox"], item["segmentation"], text(label, item), color, fill)
        for item, label, (color, fill) in zip(items, labels, instance_colors(labels), strict=True)
    ]


def _overlay(items: Sequence[_Drawn], shape: tuple[int, ...], height: int, width: int) -> Overlay:
    """Return the overlay of instances in an image of `shape`, drawn at `height` x `width`."""
    down, across = height / shape[0], width / shape[1]
    boxes = []
    for item in items:
        x, y, wide, high = item.box
        corners = (x * across, y * down, (x + wide) * across, (y + high) * down)
        boxes.append(Box(corners, item.text, item.color, item.fill))
    return instance_overlay(_masks(items, height, width), boxes, height, width)


def _masks(items: Sequence[_Drawn], height: int, width: int) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Yield number and mask of each instance, the largest first, so that small ones stay visible on top."""
    for number in sorted(range(len(items)), key=lambda at: -items[at].box[2] * items[at].box[3]):
        text = items[number].mask
        rle: Rle = {"size": text["size"], "counts": text["counts"].encode("ascii")}
        yield number, scaled_ids(decode_rle(rle), height, width) > 0
