"""The `predict` command: segment images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from segdata.console.location import location_option, work_dir_option
from segdata.console.options import EXISTING_DIR, json_option, overwrite_option
from segdata.console.render import FAILED, emit, progress_bar
from segdata.draw.lettering import describe_without_font
from segdata.text import plural
from segtrain.cli.instances import instances_found, unreadable
from segtrain.cli.options import INFERENCE, options_of, with_settings

if TYPE_CHECKING:
    from segtrain.inference.semantic.predict import PredictReport


def _thresholds(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, float] | None:
    """Return the probability by class; a class name may have colons. None if no threshold was given."""
    found: dict[str, float] = {}
    for value in values:
        name, _, share = value.rpartition(":")
        if name in found:
            raise click.BadParameter(f"{value}: {name} already has one; expected each class at most once")
        try:
            found[name] = float(share)
        except ValueError as error:
            raise click.BadParameter(f"{value}: expected CLASS:P, such as cell:0.3") from error
    return found or None


@click.command("predict")
@location_option(
    "--images",
    required=True,
    exists=True,
    help="Directory of images, image list, single image, record set or COCO JSON",
)
@click.option(
    "--data_root",
    type=EXISTING_DIR,
    help="For a list: folder that its paths are relative to [default: the list's folder]",
)
@location_option("--out", "--dst_path", required=True, help="Directory to write to")
@click.option("--recursive", is_flag=True, default=None, help="Also segment the images in subfolders of the directory")
@options_of(INFERENCE)
@click.option(
    "--threshold",
    "thresholds",
    metavar="CLASS:P",
    multiple=True,
    callback=_thresholds,
    help="Semantic: give a pixel this class if its probability is at least P; can be repeated [default: the most "
    "likely class]",
)
@click.option(
    "--probabilities", is_flag=True, default=None, help="Semantic: also write the probabilities of all classes as .npy"
)
@click.option("--score", type=float, help="Instances: lowest score to keep [default: 0.5]")
@click.option(
    "--cutout", is_flag=True, default=None, help="Instances: also write each image with a transparent background"
)
@work_dir_option
@overwrite_option
@json_option
@click.pass_context
def predict_command(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Segment images, each at its original size.

    Semantic networks write class ids, color masks and overlays to the folders index, palette and overlay in --out. Mask
    R-CNN writes the folders overlay and, with --cutout, cutout; results.json has boxes and masks as COCO results.

    classes.txt has the class names by id, legend.png their colors. Class ids of a TIFF are also written as TIFF, with
    its resolution and GeoTIFF tags.

    An image list has one path per line; from a list file, only the images are used. Images that cannot be read or are
    too large for the memory are listed at the end, and the exit status is 1.

    --fit tiles segments large images at full resolution, in overlapping tiles of the crop size.

    \b
    Example:
      segtrain predict --images photos --ckpt_path runs/voc/best.ckpt --out segmented
    """
    from segtrain.remote import programs

    report = programs.predict(progress=progress_bar, **with_settings(options))
    if report.task == "instance":
        emit(report, as_json, instances_found)
    else:
        emit(report, as_json, _predict_text)
    context.exit(FAILED if report.problems else 0)


def _predict_text(report: PredictReport) -> str:
    lines = [
        f"all {report.loaded} parameters loaded",
        f"{plural(report.images, 'image')} segmented into {report.path}; found {', '.join(report.class_names)}",
    ]
    return "\n".join([*lines, *describe_without_font(report.without_font), *unreadable(report.problems)])
