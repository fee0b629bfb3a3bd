"""Instance segmentation: a box, a class and a mask for each object."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from mindspore import nn

from segdata.errors import InvalidInputError
from segdata.records.manifest import Manifest
from segdata.records.reader import RecordSet
from segdata.text import plural
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.recipes import override
from segtrain.data.instance.batches import instance_batches
from segtrain.data.instance.rows import check_instance_set
from segtrain.data.instance.trainable import TrainableRows, trainable_rows
from segtrain.distributed.ranks import Ranks
from segtrain.evaluation.instance.coco import InstanceReport
from segtrain.evaluation.instance.evaluate import evaluate_instances as evaluate, score_detector
from segtrain.evaluation.instance.loss import ImageLoss, mean_loss
from segtrain.inference.instance.detector import Detector
from segtrain.inference.instance.predict import predict_instances as predict
from segtrain.models.mask_rcnn import LOSS_PARTS, MaskRcnnLoss, set_precision
from segtrain.tasks.task import Evaluator, TrainingSet

__all__ = [
    "LOSSES",
    "SCORE",
    "evaluate",
    "evaluator",
    "predict",
    "resolve_config",
    "training_set",
    "with_loss",
]

SCORE = "mask_ap"
LOSSES: tuple[str, ...] = LOSS_PARTS


def resolve_config(config: Config, manifest: Manifest) -> Config:
    """Return `config` with the number of classes of the record set, background included.

    Raises:
        InvalidInputError: when the configuration and the manifest disagree on this number, or the set is semantic.
    """
    check_instance_set(manifest)
    found = manifest.num_classes + 1
    if config.num_classes not in (None, found):
        raise InvalidInputError(
            f"num_classes = {config.num_classes}: does not match record set {manifest.name}; expected {found}, "
            "background included. Leave num_classes out to use the record set's."
        )
    return override(config, {"num_classes": found})


def training_set(records: RecordSet, config: Config) -> TrainingSet:
    """Return the rows with instances; nothing can be learned from the others, which only evaluation counts.

    Raises:
        InvalidInputError: when no row has an instance.
    """
    settings = config.model_as(MaskRcnn)
    found = trainable_rows(records, settings.max_instances)
    batches = partial(instance_batches, records, config, settings, rows=found.rows)
    return TrainingSet(len(found.rows), _left_out(found, records.manifest.rows, settings.max_instances), batches)


def _left_out(found: TrainableRows, rows: int, limit: int) -> tuple[str, ...]:
    """Return a sentence on each kind of image or instance that is not trained on."""
    images = {"no instances": found.empty, "only crowd regions": found.crowd_only}
    sentences = [
        f"left out {count} of {plural(rows, 'image')}, which {'has' if count == 1 else 'have'} {content}"
        for content, count in images.items()
        if count
    ]
    if found.excess:
        sentences.append(
            f"left out {plural(found.excess, 'instance')} in {plural(found.crowded, 'image')}: the smallest ones where "
            f"an image has more than mask_rcnn.max_instances = {limit}"
        )
    return tuple(sentences)


def with_loss(network: nn.Cell, config: Config) -> nn.Cell:
    """Return a cell that maps the columns of `segtrain.data.instance.batches.Batch` to the loss and its parts."""
    set_precision(network, config.amp)
    return MaskRcnnLoss(network)


def evaluator(network: nn.Cell, config: Config, class_names: tuple[str, ...]) -> Evaluator:
    """Return a function that evaluates `network`."""
    detector, loss = Detector(network), ImageLoss(network)

    def evaluate_set(records: RecordSet, ranks: Ranks) -> InstanceReport:
        scores = score_detector(detector, records, config, config.model_as(MaskRcnn), ranks=ranks)
        return replace(scores, loss=mean_loss(loss, records, config, ranks=ranks))

    return evaluate_set
