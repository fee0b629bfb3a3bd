"""Evaluation of a semantic network on all samples of a data set, in one confusion matrix."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from segdata.arguments import FilePath, check_choice, local_path
from segdata.draw.page import PAGE
from segdata.lists import read_list
from segdata.parallel import Progress, silent
from segdata.records.reader import open_set
from segtrain.checkpoints.info import CheckpointInfo, check_expected
from segtrain.config.config import DeviceTarget
from segtrain.data.classes import check_classes, check_labeled, check_value_range, class_id
from segtrain.data.semantic.crops import (
    EncodedSample,
    SampleList,
    ignore_label_of,
    list_samples,
    record_samples,
)
from segtrain.distributed.ranks import Ranks, current
from segtrain.evaluation.results import ResultFiles
from segtrain.evaluation.semantic.confusion import SegmentationReport
from segtrain.evaluation.semantic.images import ImageScores
from segtrain.evaluation.semantic.page import semantic_facts, semantic_sections
from segtrain.evaluation.semantic.scoring import score_samples
from segtrain.inference.semantic.segmenter import load_segmenter
from segtrain.inference.settings import AS_IN_TRAINING, EvalSettings


@dataclass(frozen=True, kw_only=True)
class EvalReport:
    """Result of `evaluate_semantic`.

    Attributes:
        task: of the network.
        path: the evaluated checkpoint.
        epoch: number of epochs that it was trained for.
        step: number of steps that it was trained for.
        loaded: number of parameters loaded from the checkpoint, always all of them.
        model: the network's published name.
        data: data set that it was evaluated on.
        settings: settings of the evaluation, with the defaults that applied.
        samples: number of evaluated images.
        trained_on: whether this is the record set that the network was trained on.
        images_per_s: throughput, including compilation.
        scores: IoU by class, mean IoU, pixel accuracy.
        html: page that was written, if any.
        per_image: table of all images that was written, if any.
    """

    task: Literal["semantic"] = "semantic"
    path: str
    epoch: int
    step: int
    loaded: int
    model: str
    data: str
    settings: EvalSettings
    samples: int
    trained_on: bool
    images_per_s: float
    scores: SegmentationReport
    html: str | None = None
    per_image: str | None = None


def evaluate_semantic(
    ckpt_path: Path,
    data: Path | SampleList,
    settings: EvalSettings = AS_IN_TRAINING,
    *,
    membrane: str | None = None,
    html: FilePath | None = None,
    per_image: FilePath | None = None,
    device_target: DeviceTarget = "CPU",
    overwrite: bool = False,
    expected: dict[str, object] | None = None,
    progress: Progress = silent,
) -> EvalReport:
    """Evaluate a checkpoint on every row of a record set, or on every sample of a list file.

    When several processes evaluate together, each handles its share of the samples, and all return the same scores;
    then there is no page and no table of the images.

    Args:
        ckpt_path: checkpoint, with its side file next to it.
        data: list file, or record set, given as its directory, its manifest or one of its shards.
        settings: input size, scales, test-time augmentation, way of fitting.
        membrane: class that separates cells, to score how well they are separated; None skips this score.
        html: directory of a page with the scores, the worst and the best images, ``index.html``, to write, too.
        per_image: CSV file with the scores of each image to write, too.
        device_target: device to run the network on.
        overwrite: replace an earlier page and an existing `per_image` file.
        expected: settings that the checkpoint must have been trained with.
        progress: reports the number of finished samples.

    Raises:
        InvalidInputError: when checkpoint and data do not match, or naming the first invalid sample.
        OptionError: when a setting has no effect on this network, or is out of range for it.
        TargetExistsError: when the page or the `per_image` file already exists.
    """
    html, per_image = local_path(html), local_path(per_image)
    check_choice("device_target", device_target, DeviceTarget)
    results = ResultFiles(html, per_image, overwrite)
    results.check(ckpt_path, data.data_lst if isinstance(data, SampleList) else None)
    segmenter, info, loaded = load_segmenter(ckpt_path, settings, device_target)
    # The processes of a run connect when the network is loaded; before, each seems to be alone.
    ranks = current()
    results.check_alone(ranks)
    config = info.config
    check_expected(ckpt_path, config, expected or {})
    ignore_label, rows, trained_on, samples = _open(data, info, ranks)
    images = ImageScores(info.class_names, ignore_label) if html or per_image else None
    started = time.perf_counter()
    scores = score_samples(
        segmenter,
        samples,
        rows=rows,
        ignore_label=ignore_label,
        names=info.class_names,
        membrane=None if membrane is None else class_id(membrane, info.class_names),
        images=images,
        ranks=ranks,
        progress=progress,
    )
    report = EvalReport(
        path=str(ckpt_path),
        epoch=info.epoch,
        step=info.step,
        loaded=len(loaded.loaded),
        model=config.model.name,
        data=str(data.data_lst if isinstance(data, SampleList) else data),
        settings=segmenter.settings,
        samples=rows,
        trained_on=trained_on,
        images_per_s=rows / (time.perf_counter() - started),
        scores=scores,
        html=str(html / PAGE) if html else None,
        per_image=str(per_image) if per_image else None,
    )
    if images:
        what = f"{config.model.name}, {ckpt_path.name} (epoch {info.epoch}, step {info.step})"
        what += "; this is the training set" if trained_on else ""
        sections = semantic_sections(scores, images, ignore_label)
        results.write_page(Path(report.data).name, what, semantic_facts(scores, rows), sections)
        results.write_table(*images.table())
    return report


def _open(
    data: Path | SampleList, info: CheckpointInfo, ranks: Ranks
) -> tuple[int, int, bool, Iterator[EncodedSample]]:
    """Return the ignore label, the number of rows, whether it is the training set, and this rank's samples."""
    if isinstance(data, SampleList):
        assert info.ignore_label is not None
        return (
            info.ignore_label,
            len(read_list(data.data_lst)),
            False,
            list_samples(data.data_root, data.data_lst, ranks, value_range=info.image_range),
        )
    records = open_set(data)
    manifest, ignore_label = records.manifest, ignore_label_of(records.manifest)
    check_classes(info.class_names, manifest)
    check_labeled(manifest)
    check_value_range(info.value_range, manifest)
    return ignore_label, manifest.rows, manifest.inputs == info.inputs, record_samples(records, ranks)
