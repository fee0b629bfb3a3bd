"""Evaluation of instance segmentation on all images of a record set, with COCO's metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segdata.arguments import FilePath, check_choice, local_path
from segdata.draw.page import PAGE
from segdata.errors import OptionError
from segdata.files.ownership import check_target_file
from segdata.parallel import Progress, silent
from segdata.records.reader import RecordSet, open_set
from segtrain.checkpoints.info import check_expected, read_info
from segtrain.config.config import Config, DeviceTarget
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.data.classes import check_classes, check_value_range
from segtrain.data.instance.rows import check_instance_set
from segtrain.data.semantic.crops import SampleList
from segtrain.distributed.ranks import ALONE, Ranks, current
from segtrain.evaluation.instance.coco import InstanceReport, precision_tables, report_of, score_results
from segtrain.evaluation.instance.detecting import Detect, detect_all
from segtrain.evaluation.instance.images import image_table, match_images
from segtrain.evaluation.instance.page import instance_facts, instance_sections
from segtrain.evaluation.instance.truth import Truth, ground_truth, read_ground_truth
from segtrain.evaluation.results import ResultFiles
from segtrain.inference.instance.detections import Result, write_results
from segtrain.inference.instance.detector import load_detector
from segtrain.inference.settings import AS_IN_TRAINING, EvalSettings


@dataclass(frozen=True, kw_only=True)
class InstanceEvalReport:
    """Result of `evaluate_instances`.

    Attributes:
        task: of the network.
        path: the evaluated checkpoint.
        epoch: number of epochs that it was trained for.
        step: number of steps that it was trained for.
        loaded: number of parameters loaded from the checkpoint, always all of them.
        model: name of the network.
        data: data set that it was evaluated on.
        image_size: height and width of the network's input, in pixels.
        samples: number of evaluated images.
        trained_on: whether this is the record set that the network was trained on.
        images_per_s: throughput, including compilation.
        results: COCO result file that was written, if any.
        scores: average precision of boxes and masks.
        html: page that was written, if any.
        per_image: table of all images that was written, if any.
    """

    task: Literal["instance"] = "instance"
    path: str
    epoch: int
    step: int
    loaded: int
    model: str
    data: str
    image_size: tuple[int, int]
    samples: int
    trained_on: bool
    images_per_s: float
    results: str | None
    scores: InstanceReport
    html: str | None = None
    per_image: str | None = None


def evaluate_instances(
    ckpt_path: Path,
    data: Path | SampleList,
    settings: EvalSettings = AS_IN_TRAINING,
    *,
    device_target: DeviceTarget = "CPU",
    annotations: FilePath | None = None,
    results: FilePath | None = None,
    html: FilePath | None = None,
    per_image: FilePath | None = None,
    overwrite: bool = False,
    expected: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> InstanceEvalReport:
    """Evaluate a checkpoint on every image of a record set; see `truth_and_results`.

    Args:
        ckpt_path: checkpoint, with its side file next to it.
        data: record set, given as its directory, its manifest or one of its shards.
        settings: `batch_size`; the others are for semantic networks.
        device_target: device to run the network on.
        annotations: COCO JSON with the ground truth; None uses that of the record set.
        results: COCO result file to write, too.
        html: directory of a page with the scores, the worst and the best images, ``index.html``, to write, too.
        per_image: CSV file to write, too, with the number of matched, missed and false instances of each image.
        overwrite: replace an existing `results` or `per_image` file and an earlier page.
        expected: settings that the checkpoint must have been trained with.
        progress: reports the number of finished images.

    Raises:
        OptionError: when `data` is a list file, another setting than `batch_size` is given, or several processes are
            to write a page or a table of the images.
        InvalidInputError: when checkpoint and data do not match, or naming the first invalid image.
        TargetExistsError: when a file to write already exists.
    """
    annotations, results = local_path(annotations), local_path(results)
    html, per_image = local_path(html), local_path(per_image)
    check_choice("device_target", device_target, DeviceTarget)
    if isinstance(data, SampleList):
        raise OptionError(f"{data.data_lst}: a list file has no instances; expected a record set for {ckpt_path}")
    settings.check_only(["batch_size"], read_info(ckpt_path).config.model.name)
    files = ResultFiles(html, per_image, overwrite)
    files.check(ckpt_path, annotations)
    detector, info, loaded = load_detector(ckpt_path, device_target)
    # The processes of a run connect when the network is loaded; before, each seems to be alone.
    ranks = current()
    files.check_alone(ranks)
    check_expected(ckpt_path, info.config, expected or {})
    records = open_set(data)
    check_instance_set(records.manifest)
    check_classes(info.class_names, records.manifest)
    check_value_range(info.value_range, records.manifest)
    input_size = info.config.model_as(MaskRcnn)
    started = time.perf_counter()
    truth, found = truth_and_results(
        detector,
        records,
        info.config,
        input_size,
        batch_size=settings.batch_size,
        annotations=annotations,
        results=results,
        overwrite=overwrite,
        ranks=ranks,
        progress=progress,
    )
    trained_on = records.manifest.inputs == info.inputs
    tables = precision_tables(truth, found)
    scores = report_of(truth, found, *tables)
    elapsed = time.perf_counter() - started
    if html or per_image:
        images = match_images(truth, found)
        files.write_table(*image_table(images))
    if html:
        what = f"{info.config.model.name}, {ckpt_path.name} (epoch {info.epoch}, step {info.step})"
        what += "; this is the training set" if trained_on else ""
        sections = instance_sections(scores, tables, images, records)
        files.write_page(Path(data).name, what, instance_facts(scores, images), sections)
    return InstanceEvalReport(
        path=str(ckpt_path),
        epoch=info.epoch,
        step=info.step,
        loaded=len(loaded.loaded),
        model=info.config.model.name,
        data=str(data),
        image_size=(input_size.image_height, input_size.image_width),
        samples=records.manifest.rows,
        trained_on=trained_on,
        images_per_s=records.manifest.rows / elapsed,
        results=str(results) if results else None,
        scores=scores,
        html=str(html / PAGE) if html else None,
        per_image=str(per_image) if per_image else None,
    )


def score_detector(
    detect: Detect, records: RecordSet, config: Config, settings: MaskRcnn, *, ranks: Ranks = ALONE
) -> InstanceReport:
    """Evaluate a network on every image of a record set; see `truth_and_results`."""
    return score_results(*truth_and_results(detect, records, config, settings, ranks=ranks))


def truth_and_results(
    detect: Detect,
    records: RecordSet,
    config: Config,
    settings: MaskRcnn,
    *,
    batch_size: int | None = None,
    annotations: Path | None = None,
    results: Path | None = None,
    overwrite: bool = False,
    ranks: Ranks = ALONE,
    progress: Progress = silent,
) -> tuple[Truth, list[Result]]:
    """Return the ground truth of a record set and what a network finds in every image.

    When several processes evaluate together, each handles its share of the images, and all return the same results.
    Besides a batch of images, memory holds the detections of the complete set, with masks as RLE.

    Args:
        detect: network that processes batches of `batch_size` images.
        records: record set.
        config: mean and standard deviation of the colors, and the number of workers.
        settings: size of the network's input.
        batch_size: images per batch; None keeps that used in training. It does not affect the result.
        annotations: COCO JSON with the ground truth; None uses that of the record set.
        results: COCO result file to write, too.
        overwrite: replace an existing `results` file.
        ranks: rank of this process among all; only rank 0 reports progress and writes.
        progress: reports the number of finished images.

    Raises:
        InvalidInputError: naming the first invalid image; when detections are NaN or infinite; or when `annotations`
            do not belong to the set.
        TargetExistsError: when `results` already exists.
    """
    if results:
        check_target_file(results, overwrite=overwrite, inputs=[annotations])
    truth = read_ground_truth(annotations, records) if annotations else ground_truth(records)
    size = batch_size or config.batch_size
    entries = detect_all(detect, records, config, settings, batch_size=size, ranks=ranks, progress=progress)
    if results and ranks.is_main:
        write_results(results, entries, overwrite=overwrite)
    return truth, entries
