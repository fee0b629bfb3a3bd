"""Configurations in the form of earlier versions: all settings side by side, those without effect included."""

from __future__ import annotations

from typing import Any

import msgspec

from segtrain.config.config import Config
from segtrain.config.settings import flat

#: All settings, with the defaults of the time.
FORMER: dict[str, Any] = {
    "model": None, "backbone": None, "atrous_rates": [6, 12, 18], "freeze_bn": False, "sync_bn": False, "freeze": [],
    "num_classes": None, "ignore_label": None, "train_epochs": None, "repeat": 1, "batch_size": None, "crop_size": 513,
    "min_scale": 0.5, "max_scale": 2.0, "image_mean": [123.675, 116.28, 103.53], "image_std": [58.395, 57.12, 57.375],
    "loss": "cross_entropy", "ohem_share": 0.2, "class_weights": None, "lr_type": "cos", "base_lr": None,
    "lr_decay_step": 40000, "lr_decay_rate": 0.1, "warmup_steps": 0, "warmup_start": 0.0, "optimizer": "momentum",
    "momentum": 0.9, "head_lr_factor": 1.0, "weight_decay": 1e-4, "weight_decay_filter": "norm", "ema_decay": 0.0,
    "amp": "O0", "loss_scale": 1.0, "ckpt_pre_trained": None, "save_steps": None, "keep_checkpoint_max": None,
    "mask_rcnn": None, "unet": None, "device_target": "CPU", "seed": 1, "workers": None,
}  # fmt: skip

#: Settings that came later.
NEWER = {"early_stopping", "early_stopping_by", "form"}

#: Former names of the choices.
CHOICES = {"model.name": "model", "model.loss.name": "loss", "schedule.name": "lr_type", "optimizer.name": "optimizer"}


def former(config: Config) -> dict[str, Any]:
    """Return a configuration as earlier versions wrote it."""
    values, group = dict(FORMER), {}
    for path, value in flat(msgspec.to_builtins(config)):
        name = CHOICES.get(path, path.rpartition(".")[2])
        if name in NEWER:
            continue
        (values if name in FORMER else group)[name] = value
    return values | {config.model.FAMILY: group or None} if group else values
