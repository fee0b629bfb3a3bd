"""The `eval` command: evaluate a checkpoint."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from segdata.console.location import location_option, work_dir_option
from segdata.console.options import ANY_PATH, EXISTING_DIR, EXISTING_FILE, json_option, overwrite_option, png_name
from segdata.console.render import emit, progress_bar, table
from segdata.files.ownership import check_target_file
from segdata.files.publishing import write_file
from segdata.text import plural
from segtrain.cli.instances import instance_scores, trained_on, written_files
from segtrain.cli.options import INFERENCE, NameChoice, once, options_of, with_settings
from segtrain.cli.scores import titled
from segtrain.config.config import Model

if TYPE_CHECKING:
    from segdata.store.url import Location
    from segtrain.data.semantic.crops import SampleList
    from segtrain.evaluation.semantic.confusion import SegmentationReport
    from segtrain.evaluation.semantic.evaluate import EvalReport
    from segtrain.inference.settings import EvalSettings


@click.command("eval")
@location_option("--data_file", "--data_url", exists=True, help="Record set: directory, manifest or any shard")
@click.option(
    "--data_root", type=EXISTING_DIR, help="Instead of a record set: folder that the list's paths are relative to"
)
@click.option("--data_lst", type=EXISTING_FILE, help="With --data_root: list file")
@options_of(INFERENCE)
@click.option(
    "--batch_size",
    type=int,
    help="Images per batch [default: as in training]; with tiles: tiles per batch [default: 1]",
)
@click.option("--model", type=NameChoice(get_args(Model)), help="Refuse a checkpoint of another network")
@click.option("--num_classes", type=int, help="Refuse a checkpoint with another number of classes")
@click.option("--ignore_label", type=int, help="Refuse a checkpoint with another ignore label")
# The published evaluation scripts pass this flag, although their training runs never froze anything.
@click.option(
    "--freeze_bn",
    is_flag=True,
    expose_value=False,
    help="Accepted, but without effect: evaluation never changes the normalization statistics",
)
@click.option("--plot", type=ANY_PATH, callback=png_name, metavar="FILE.png", help="Also plot the confusion matrix")
@click.option(
    "--html",
    "--dst_path",
    type=ANY_PATH,
    metavar="DIR",
    help="Also write a page, index.html, with the worst and best images",
)
@click.option("--per_image", type=ANY_PATH, metavar="FILE.csv", help="Also write the scores of each image")
@click.option("--membrane", metavar="CLASS", help="Also score how well this class separates cells (ISBI 2012 scores)")
@click.option("--annotations", type=EXISTING_FILE, help="Instances: take the ground truth from this COCO JSON")
@click.option("--results", type=ANY_PATH, metavar="FILE.json", help="Instances: also write a COCO results file")
@work_dir_option
@overwrite_option
@json_option
def eval_command(
    data_file: Location | None,
    data_root: Path | None,
    data_lst: Path | None,
    ckpt_path: Location,
    plot: Path | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Evaluate a checkpoint on every row of a record set, or every sample of a list file.

    Semantic networks: the longer side of an image is resized to crop size times scale. The probabilities of all scales,
    and of the mirrored image, are averaged at the original image size. One confusion matrix covers the entire set.
    With --fit tiles, and always for U-Net, images are processed in overlapping tiles of the crop size; scales are then
    factors of the original size.

    Mask R-CNN: COCO average precision of boxes and masks, computed by pycocotools.

    --html writes one page that opens without internet access: scores, confusion matrix or precision and recall, and the
    worst and best images with their ground truth, prediction and errors side by side.

    \b
    Example:
      segtrain eval --data_file records/voc_val --ckpt_path runs/voc/best.ckpt --scales 0.75 --scales 1.0 --flip
    """
    from segtrain.remote import programs

    data = _data(data_file, data_root, data_lst)
    if plot:
        check_target_file(plot, overwrite=overwrite)
        _check_confusion(ckpt_path, options["work_dir"])
    options["expected"] = {key: options.pop(key) for key in ("model", "num_classes", "ignore_label")}
    report = programs.evaluate(ckpt_path, data, overwrite=overwrite, progress=progress_bar, **with_settings(options))
    if report.task == "instance":
        once(emit, report, as_json, instance_scores)
        return
    if plot:
        once(_draw, report, plot, overwrite)
    once(emit, report, as_json, partial(_eval_text, plot=plot))


def _check_confusion(ckpt_path: Location, work_dir: Path | None) -> None:
    """Refuse to plot the scores of a network for instances before anything is evaluated."""
    from segtrain.checkpoints.reading import reading_info
    from segtrain.config.networks import SemanticNetwork

    model = reading_info(ckpt_path, work_dir=work_dir).config.model
    if not isinstance(model, SemanticNetwork):
        raise click.UsageError(
            f"--plot draws a confusion matrix, which {model.name} does not have. Use --html for precision and recall."
        )


def _data(data_file: Location | None, data_root: Path | None, data_lst: Path | None) -> Location | SampleList:
    from segtrain.data.semantic.crops import SampleList

    if data_file and not data_root and not data_lst:
        return data_file
    if data_root and data_lst and not data_file:
        return SampleList(data_root, data_lst)
    raise click.UsageError("give either --data_file, or --data_root and --data_lst")


def _draw(report: EvalReport, path: Path, overwrite: bool) -> None:
    from segdata.draw.figures import to_png
    from segtrain.evaluation.semantic.confusion_plot import confusion_figure

    title = f"{report.model} on {Path(report.data).name}, {plural(report.samples, 'image')}"
    write_file(path, to_png(confusion_figure(report.scores, title)), overwrite=overwrite)


def _eval_text(report: EvalReport, plot: Path | None) -> str:
    settings = report.settings
    images = plural(report.samples, "image")
    scales = f"scale{'s' if len(settings.scales) != 1 else ''} " + ", ".join(f"{scale:g}" for scale in settings.scales)
    flip = (", also mirrored" if settings.flip else "") + (", also rotated" if settings.turn else "")
    return "\n".join(
        [
            f"{report.model}, {report.path} (epoch {report.epoch}, step {report.step}, "
            f"all {report.loaded} parameters loaded) on {report.data}",
            f"{images}, {scales} {_fit(settings)}{flip}; {report.images_per_s:.1f} images/s",
            *trained_on(report),
            "",
            _score_table(report.scores),
            "",
            *(f"{title:<16}{value:{form}}" for title, value, form in titled(report.scores.numbers)),
            *written_files({"plot": plot, "page": report.html, "images": report.per_image}),
        ]
    )


def _fit(settings: EvalSettings) -> str:
    if settings.fit == "tiles":
        return f"in tiles of {settings.crop_size} that overlap by {settings.overlap}"
    return f"of {settings.crop_size}"


def _score_table(scores: SegmentationReport) -> str:
    rows = [
        (str(id_), score.name, str(score.pixels), "-" if score.iou is None else f"{score.iou:.2%}")
        for id_, score in enumerate(scores.classes)
    ]
    return table([("id", "class", "pixels", "IoU"), *rows], right=(0, 2, 3))
