"""Instance segmentation: a box, a class and a mask for each object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mindspore import nn

from segdata.errors import InvalidInputError
from segdata.records.manifest import Manifest, RecordSet
from segdata.text import plural
from segtrain.config.config import Config
from segtrain.config.recipes import override
from segtrain.data.instance import batches as data
from segtrain.distributed.ranks import ALONE, Ranks
from segtrain.evaluation.instance.coco import InstanceReport
from segtrain.evaluation.instance.evaluate import evaluate_instances as evaluate, score_detector
from segtrain.inference.instance.detector import Detector, settings_of
from segtrain.inference.instance.predict import predict_instances as predict
from segtrain.models.mask_rcnn import LOSS_PARTS, MaskRcnnLoss, set_precision
from segtrain.tasks.task import Evaluator

__all__ = [
    "LOSSES",
    "SCORE",
    "evaluate",
    "evaluator",
    "left_out",
    "predict",
    "resolve_config",
    "training_batches",
    "with_loss",
]

SCORE = "mask_ap"
LOSSES: tuple[str, ...] = LOSS_PARTS


def resolve_config(config: Config, manifest: Manifest) -> Config:
    """Return `config` with the number of classes of the record set, background included.

    Raises:
        InvalidInputError: when the configuration and the manifest disagree on this number, or the set is semantic.
    """
    data.check_instance_set(manifest)
    found = manifest.num_classes + 1
    if config.num_classes not in (None, found):
        raise InvalidInputError(
            f"num_classes = {config.num_classes} does not match record set {manifest.name}; expected {found}, "
            "background included"
        )
    return override(config, {"num_classes": found})


def left_out(records: RecordSet, config: Config) -> tuple[str, ...]:
    """Return a sentence on the instances that exceed the rows of a batch, if there are any."""
    limit = settings_of(config).max_instances
    left = data.count_left_out(records, limit)
    if not left.instances:
        return ()
    return (
        f"left out {plural(left.instances, 'instance')} in {left.images} "
        f"image{'s' if left.images != 1 else ''}: the smallest ones where an image has more than "
        f"mask_rcnn.max_instances = {limit}",
    )


def with_loss(network: nn.Cell, config: Config) -> nn.Cell:
    """Return a cell that maps the columns of `segtrain.data.instance.batches.Batch` to the loss and its parts."""
    set_precision(network, config.amp)
    return MaskRcnnLoss(network)


def training_batches(
    records: RecordSet, config: Config, *, epoch: int, first_step: int = 0, ranks: Ranks = ALONE
) -> Iterator[tuple[Any, ...]]:
    """Yield this rank's batches of one epoch; see `segtrain.data.instance.batches.instance_batches`."""
    return data.instance_batches(records, config, settings_of(config), epoch=epoch, first_step=first_step, ranks=ranks)


def evaluator(network: nn.Cell, config: Config, class_names: tuple[str, ...]) -> Evaluator:
    """Return a function that evaluates `network`."""
    detector = Detector(network)

    def evaluate_set(records: RecordSet, ranks: Ranks) -> InstanceReport:
        return score_detector(detector, records, config, settings_of(config), ranks=ranks)

    return evaluate_set
