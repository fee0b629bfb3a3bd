"""Text reports for instances, and what those of both tasks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from segdata.console.render import table
from segdata.draw.lettering import describe_without_font
from segdata.errors import name_first
from segdata.text import plural

if TYPE_CHECKING:
    from segtrain.evaluation.instance.coco import AveragePrecision
    from segtrain.evaluation.instance.evaluate import InstanceEvalReport
    from segtrain.evaluation.semantic.evaluate import EvalReport
    from segtrain.inference.instance.predict import InstancePredictReport

#: COCO's names of its twelve metrics.
_NAMES = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_small": "AP small",
    "ap_medium": "AP medium",
    "ap_large": "AP large",
    "ar_1": "AR 1",
    "ar_10": "AR 10",
    "ar_100": "AR 100",
    "ar_small": "AR small",
    "ar_medium": "AR medium",
    "ar_large": "AR large",
}


def instance_scores(report: InstanceEvalReport) -> str:
    """Return the report of an evaluation as text."""
    scores, (height, width) = report.scores, report.image_size
    images = plural(report.samples, "image")
    instances = plural(scores.instances, "instance")
    crowds = f", {plural(scores.crowds, 'crowd region')}" if scores.crowds else ""
    detections = plural(scores.detections, "detection")
    rows = [(each.name, str(each.instances), _percent(each.box_ap), _percent(each.mask_ap)) for each in scores.classes]
    return "\n".join(
        [
            f"{report.model}, {report.path} (epoch {report.epoch}, step {report.step}, "
            f"all {report.loaded} parameters loaded) on {report.data}",
            f"{images} fitted into {width} x {height}; {report.images_per_s:.1f} images/s",
            *trained_on(report),
            f"{instances}{crowds}; {detections}",
            "",
            table([("class", "instances", "box AP", "mask AP"), *rows], right=(1, 2, 3)),
            "",
            table([("", "box", "mask"), *_precisions(scores.box, scores.mask)], right=(1, 2)),
            *written_files({"results": report.results, "page": report.html, "images": report.per_image}),
        ]
    )


def trained_on(report: EvalReport | InstanceEvalReport) -> list[str]:
    """Return a line if a network was evaluated on its training set."""
    return ["this is the training set: the scores say nothing about new images"] if report.trained_on else []


def written_files(files: Mapping[str, object]) -> list[str]:
    """Return a line for each file that was written, by what it is; None stands for none."""
    return [f"{what:<16}{path}" for what, path in files.items() if path]


def _precisions(box: AveragePrecision, mask: AveragePrecision) -> list[tuple[str, str, str]]:
    return [(title, _percent(getattr(box, name)), _percent(getattr(mask, name))) for name, title in _NAMES.items()]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def instances_found(report: InstancePredictReport) -> str:
    """Return the report of a prediction as text."""
    found = ", ".join(f"{count} {name}" for name, count in report.instances.items()) or "nothing"
    lines = [
        f"all {report.loaded} parameters loaded",
        f"{plural(report.images, 'image')} processed, results in {report.path}; found {found}",
    ]
    return "\n".join([*lines, *describe_without_font(report.without_font), *unreadable(report.problems)])


def unreadable(faults: Sequence[str]) -> list[str]:
    """Return the lines that report images that cannot be read or are too large."""
    images = plural(len(faults), "image")
    return [f"{images} cannot be segmented:", name_first(faults)] if faults else []
