"""Circumstances of published trainings besides their settings, and what it means to do without them."""

from __future__ import annotations

from dataclasses import dataclass

from segdata.text import plural
from segtrain.config.config import Config
from segtrain.config.recipes import recipe

_RESNET50, _RESNET101 = "an ImageNet ResNet-50", "an ImageNet ResNet-101"


@dataclass(frozen=True)
class Circumstances:
    """Circumstances of a published training.

    Attributes:
        devices: number of devices that trained together.
        start: weights that it started from.
    """

    devices: int
    start: str


#: Sources: the first lines of the recipes. Recipes without an entry start from new weights, on one device.
PUBLISHED = {
    "deeplabv3_course": Circumstances(1, _RESNET50),
    "deeplabv3_s16": Circumstances(8, _RESNET101),
    "deeplabv3_s8": Circumstances(8, "the result of deeplabv3_s16"),
    "deeplabv3plus_alone": Circumstances(1, _RESNET101),
    "deeplabv3plus_s16_r1": Circumstances(8, _RESNET101),
    "deeplabv3plus_s8_r1": Circumstances(8, "the result of deeplabv3plus_s16_r1"),
    "deeplabv3plus_s8_r2": Circumstances(8, "the result of deeplabv3plus_s8_r1"),
    "mask_rcnn_coco": Circumstances(8, _RESNET50),
    "mask_rcnn_coco_subset": Circumstances(1, "a ResNet-50 or Mask R-CNN"),
}


def differences(name: str, config: Config, devices: int) -> tuple[str, ...]:
    """Return what keeps a training with the recipe `name` from reaching the published result, one sentence each."""
    published, settings, found = PUBLISHED.get(name), recipe(name), []
    if not published:
        return ()
    if not config.ckpt_pre_trained:
        found.append(
            f"recipe {name} was published with weights to start from: {published.start}. Without --ckpt_pre_trained, "
            "training starts from new weights; expect far lower scores after as many epochs."
        )
    before, now = settings.batch_size * published.devices, config.batch_size * devices
    if before != now and config.schedule.base_lr == settings.schedule.base_lr:
        found.append(
            f"recipe {name} was published with {plural(published.devices, 'device')} and {before} images per step; "
            f"this run has {plural(devices, 'device')} and {now}, so the learning rate does not fit. Try "
            f"--base_lr {settings.schedule.base_lr * now / before:.2g}, in proportion to the images per step."
        )
    return tuple(found)
