"""The `sample` command: write a miniature data set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import click

from segdata.console.options import ANY_PATH, json_option
from segdata.console.render import emit
from segdata.errors import TargetExistsError
from segdata.miniature.tool_exports import ToolKind
from segdata.text import plural

_Own = Literal["voc", "sbd", "coco", "tif"]


@dataclass(frozen=True)
class SampleReport:
    """Report of `sample`.

    Attributes:
        path: directory of the miniature.
        kind: raw data set that it imitates.
        contents: counts and names of its contents, by type.
    """

    path: str
    kind: str
    contents: dict[str, Any]


@click.command("sample")
@click.argument("directory", metavar="DIR", type=ANY_PATH)
@click.option(
    "--kind",
    type=click.Choice([*get_args(_Own), *get_args(ToolKind)]),
    default="voc",
    show_default=True,
    help="Raw data set to imitate",
)
@click.option("--train", type=click.IntRange(min=2), default=24, show_default=True, help="Images in the train split")
@click.option("--val", type=click.IntRange(min=1), default=8, show_default=True, help="Images in the val split")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same files")
@json_option
def sample_command(directory: Path, kind: _Own | ToolKind, train: int, val: int, seed: int, as_json: bool) -> None:
    """Write a miniature of a raw data set: colored shapes on a textured background.

    --seed determines all images. voc is a VOC devkit with palette masks; sbd adds a benchmark_RELEASE that overlaps
    it; coco is an instances JSON with images; tif is a stack of images and a stack of labels, cells and their
    membranes. The others are exports of annotation tools, in their layout and with their oddities: cvat has brush
    masks, all of them crowds; label-studio was made on Windows; roboflow has a root category. Those without splits
    get as many images as both splits together.

    \b
    Example:
      segdata sample miniature
    """
    _check_empty(directory)
    contents = _write(kind, directory, train, val, seed)
    contents.pop("root", None)
    emit(SampleReport(str(directory), kind, contents), as_json, _sample_text)


def _check_empty(directory: Path) -> None:
    """Refuse a directory with files in it: an earlier miniature has no marker that tells it from other files."""
    if directory.is_dir() and (names := sorted(path.name for path in directory.iterdir())):
        raise TargetExistsError(
            f"{directory}: contains {', '.join(names[:3])}{', …' if len(names) > 3 else ''}; expected a missing or "
            "empty directory. Choose another one, or remove this one yourself.",
            replaceable=False,
        )


def _write(kind: _Own | ToolKind, directory: Path, train: int, val: int, seed: int) -> dict[str, Any]:
    from segdata.miniature import coco, sbd, tif, tool_exports, voc

    if kind == "coco":
        return asdict(coco.write_coco(directory, images=train + val, seed=seed))
    if kind == "tif":
        return asdict(tif.write_stacks(directory, pages=train + val, seed=seed))
    if kind != "voc" and kind != "sbd":
        return asdict(tool_exports.write_export(directory, kind, train=train, val=val, seed=seed))
    devkit = asdict(voc.write_devkit(directory, train=train, val=val, seed=seed))
    if kind == "voc":
        return devkit
    release = sbd.write_release(directory, voc_train=train, voc_val=val, seed=seed)
    return devkit | {"sbd_train": release.train, "sbd_val": release.val}


def _sample_text(report: SampleReport) -> str:
    found = report.contents
    if "pages" in found:
        size = f"{found['size']} x {found['size']}"
        return f"{plural(found['pages'], 'page')} of {size} written to {found['images']} and {found['labels']}"
    if "train" in found:
        counts = f"{found['train']} train and {plural(found['val'], 'val image')}"
        if "sbd_train" in found:
            counts += f", {found['sbd_train']} train and {plural(found['sbd_val'], 'val image')} of SBD"
        return f"{counts} written to {report.path}; classes: {', '.join(found['classes'])}"
    objects = plural(found["objects"], "object") if "objects" in found else plural(found["annotations"], "annotation")
    crowds = f" ({plural(found['crowds'], 'crowd')})" if found.get("crowds") else ""
    counts = f"{plural(found['images'], 'image')} with {objects}{crowds}"
    return f"{counts} written to {report.path}; categories: {', '.join(found['categories'])}"
