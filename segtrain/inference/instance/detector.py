"""Detector: a trained network as a function from images to detections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn

from segtrain.checkpoints.checkpoint import LoadReport, load_network
from segtrain.checkpoints.info import CheckpointInfo, read_info
from segtrain.config.config import DeviceTarget
from segtrain.distributed.device import prepare_device
from segtrain.inference.instance.detections import RawDetections
from segtrain.models.mask_rcnn import MaskRcnnDetector


class Detector:
    """Detects instances; compiles one graph for each batch size and caches it."""

    def __init__(self, network: nn.Cell) -> None:
        """Detect with `network`, which may be in training mode."""
        self._cell = MaskRcnnDetector(network)

    def __call__(self, images: npt.NDArray[np.float32], sizes: npt.NDArray[np.float32]) -> RawDetections:
        """Return the detections in images ``(N, 3, H, W)`` whose contents have the `sizes` ``(N, 2)``."""
        self._cell.set_train(False)
        return RawDetections(*(column.asnumpy() for column in self._cell(Tensor(images), Tensor(sizes))))


def load_detector(ckpt_path: Path, device_target: DeviceTarget) -> tuple[Detector, CheckpointInfo, LoadReport]:
    """Return the network of a checkpoint as a detector, its side file and the report on loading all parameters.

    Raises:
        InvalidInputError: when the checkpoint is damaged.
    """
    prepare_device(device_target, seed=read_info(ckpt_path).config.seed)
    network, info, report = load_network(ckpt_path)
    return Detector(network), info, report
