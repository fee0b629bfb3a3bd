"""Semantic segmentation: a class for each pixel."""

from __future__ import annotations

from functools import partial

import mindspore as ms
from mindspore import Tensor, nn

from segdata.errors import InvalidInputError
from segdata.records.manifest import Manifest
from segdata.records.reader import RecordSet
from segdata.text import plural
from segtrain.config.config import Config
from segtrain.config.networks import DeepLab, SemanticNetwork
from segtrain.config.recipes import override
from segtrain.config.settings import setting
from segtrain.config.unet import UNet
from segtrain.data.classes import check_labeled
from segtrain.data.semantic.crops import crop_batches, ignore_label_of, record_samples
from segtrain.data.semantic.tiles import tile_batches
from segtrain.distributed.ranks import Ranks
from segtrain.evaluation.semantic.confusion import SegmentationReport
from segtrain.evaluation.semantic.evaluate import evaluate_semantic as evaluate
from segtrain.evaluation.semantic.scoring import score_samples
from segtrain.inference.semantic.predict import predict_semantic as predict
from segtrain.inference.semantic.segmenter import Segmenter
from segtrain.inference.settings import AS_IN_TRAINING
from segtrain.losses import build_loss
from segtrain.tasks.task import Batches, Evaluator, TrainingSet

__all__ = [
    "LOSSES",
    "SCORE",
    "evaluate",
    "evaluator",
    "left_out",
    "predict",
    "resolve_config",
    "training_set",
    "with_loss",
]

SCORE = "miou"
LOSSES: tuple[str, ...] = ()


def resolve_config(config: Config, manifest: Manifest) -> Config:
    """Return `config` with the number of classes and the ignore label of the record set.

    Raises:
        InvalidInputError: when the configuration and the manifest disagree, the set is not semantic, or a network could
            learn nothing from it.
    """
    given = {"num_classes": manifest.num_classes, "ignore_label": ignore_label_of(manifest)}
    _check_learnable(manifest)
    for key, found in given.items():
        wanted = setting(config, key)
        if wanted not in (None, found):
            raise InvalidInputError(
                f"{key} = {wanted}: does not match record set {manifest.name}; expected {found}. Leave {key} out to "
                "use the record set's."
            )
    _check_weights(config.model_as(SemanticNetwork).loss.class_weights, manifest)
    if isinstance(config.model, UNet):
        _check_background(config.model, manifest)
    return override(config, given)


def _check_learnable(manifest: Manifest) -> None:
    if manifest.num_classes == 1:
        raise InvalidInputError(
            f"record set {manifest.name}: has only the class {manifest.class_names[0]}; expected 2 classes or more, "
            "among which a network can choose. Write it again with a class for all other pixels, such as background."
        )
    check_labeled(manifest)


def _check_background(model: UNet, manifest: Manifest) -> None:
    if model.border_weight and model.background >= manifest.num_classes:
        raise InvalidInputError(
            f"background = {model.background}: not a class of record set {manifest.name}, so border_weight would have "
            f"no effect; expected 0 to {manifest.num_classes - 1}, the id of the area between cells"
        )


def _check_weights(weights: tuple[float, ...] | None, manifest: Manifest) -> None:
    if weights is None:
        return
    if len(weights) != manifest.num_classes:
        raise InvalidInputError(
            f"class_weights: has {plural(len(weights), 'number')}, but record set {manifest.name} has "
            f"{manifest.num_classes} classes; expected one number for each"
        )
    if not any(weight and each.pixels for weight, each in zip(weights, manifest.classes, strict=True)):
        raise InvalidInputError(
            f"class_weights: are 0 for all classes that have pixels in record set {manifest.name}, so no pixel would "
            "count; expected at least one above 0"
        )


def training_set(records: RecordSet, config: Config) -> TrainingSet:
    """Return all rows, as tiles for U-Net, and as random crops for all other networks."""
    batches: Batches
    if isinstance(config.model, UNet):
        batches = partial(tile_batches, records, config, config.model)
    else:
        batches = partial(crop_batches, records, config, config.model_as(DeepLab))
    return TrainingSet(records.manifest.rows, left_out(records, config), batches)


def left_out(records: RecordSet, config: Config) -> tuple[str, ...]:
    """Return a sentence if colors are lost: U-Net sees gray unless it is told otherwise."""
    images = records.manifest.images
    if not (isinstance(config.model, UNet) and config.model.channels == 1 and images and images.color):
        return ()
    total = plural(sum(images.samples.values()), "image")
    return (
        f"converted {images.color} of {total} from color to gray, which is all that the network reads. Use --set "
        "unet.channels=3 to train on color.",
    )


class WithLoss(nn.Cell):
    """Loss of images and labels; it has no parts."""

    def __init__(self, network: nn.Cell, loss: nn.Cell) -> None:
        """Compare the output of `network` with the labels using `loss`."""
        super().__init__(auto_prefix=False)
        self.network = network
        self.loss = loss

    def construct(self, images: Tensor, *truth: Tensor) -> tuple[Tensor]:
        """Return the loss, a float32 scalar; `truth` holds the labels and, if there are any, pixel weights."""
        return (self.loss(self.network(images), *truth),)


def with_loss(network: nn.Cell, config: Config) -> nn.Cell:
    """Return a cell that maps images and labels to the loss; see `crop_batches`."""
    settings = config.model_as(SemanticNetwork)
    assert settings.ignore_label is not None
    loss = build_loss(settings.loss, settings.ignore_label)
    return WithLoss(ms.amp.auto_mixed_precision(network, config.amp, ms.float16), loss)


def evaluator(network: nn.Cell, config: Config, class_names: tuple[str, ...]) -> Evaluator:
    """Return a function that evaluates `network` at scale 1."""
    segmenter = Segmenter(network, config, AS_IN_TRAINING)

    def evaluate_set(records: RecordSet, ranks: Ranks) -> SegmentationReport:
        return score_samples(
            segmenter,
            record_samples(records, ranks),
            rows=records.manifest.rows,
            ignore_label=ignore_label_of(records.manifest),
            names=class_names,
            ranks=ranks,
        )

    return evaluate_set
