"""Segmentation of images of any size by a network with a fixed square input.

At each scale, the image is fitted to the network (`segtrain.inference.semantic.fitting`), and the class probabilities
are resized to the original size. The probabilities of all scales, and of the mirrored and rotated images, are averaged;
each pixel gets the class with the highest mean. Probabilities exist only a few rows at a time
(`segtrain.inference.semantic.strips`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn, ops

from segtrain.checkpoints.checkpoint import LoadReport, load_network
from segtrain.checkpoints.info import CheckpointInfo, read_info
from segtrain.config.config import Config, DeviceTarget
from segtrain.data.arrays import Label, Pixels, RgbImage
from segtrain.distributed.device import prepare_device
from segtrain.inference.semantic.fitting import LongerSide, completed, fitting_of, input_form
from segtrain.inference.semantic.strips import class_map, mean_of, resized
from segtrain.inference.semantic.symmetries import with_test_time_augmentation
from segtrain.inference.settings import EvalSettings


class Segmenter:
    """Segments images; compiles one graph for each input size and caches it.

    Attributes:
        config: settings of the network's training.
        settings: settings with nothing left to default.
        together: images to pass in one call; the network may process more tiles at a time.
    """

    def __init__(self, network: nn.Cell, config: Config, settings: EvalSettings) -> None:
        """Segment with `network`, normalizing its input as `config` specifies.

        Raises:
            InvalidInputError: when the settings do not suit the network.
        """
        self.config = config
        self.settings = completed(settings, config)
        self._fitting = fitting_of(self.settings, config)
        self._form = input_form(config)
        self._batch_size = self.settings.batch_size or 1
        self.together = self._batch_size if isinstance(self._fitting, LongerSide) else 1
        self._cell = _Probabilities(network)
        self._network = with_test_time_augmentation(self._run, flip=settings.flip, turn=settings.turn)

    def __call__(self, images: Sequence[RgbImage]) -> list[Label]:
        """Return class ids, uint8 ``(H, W)``, for up to `together` images, uint8 RGB ``(H, W, 3)``."""
        return [class_map(strips) for strips in self.strips(images)]

    def strips(self, images: Sequence[RgbImage]) -> list[Iterator[Pixels]]:
        """Return the class probabilities of each image, as strips from top to bottom, float32 ``(K, rows, W)``."""
        # The network may be in training mode: evaluation must not normalize by batch statistics or update moving ones.
        self._cell.set_train(False)
        by_scale = [
            self._fitting.strips(self._network, images, scale, self._form, self._batch_size)
            for scale in self.settings.scales
        ]
        return [
            mean_of([resized(source, *image.shape[:2]) for source in sources])
            for image, *sources in zip(images, *by_scale, strict=True)
        ]

    def _run(self, batch: Pixels) -> Pixels:
        scores: Pixels = self._cell(Tensor(batch)).asnumpy()
        return scores


def load_segmenter(
    ckpt_path: Path, settings: EvalSettings, device_target: DeviceTarget
) -> tuple[Segmenter, CheckpointInfo, LoadReport]:
    """Return the network of a checkpoint as a segmenter, its side file and the report on loading all parameters.

    Raises:
        InvalidInputError: when the checkpoint is damaged, or the settings do not suit the network.
    """
    config = read_info(ckpt_path).config
    completed(settings, config)
    prepare_device(device_target, seed=config.seed)
    network, info, report = load_network(ckpt_path)
    return Segmenter(network, config, settings), info, report


class _Probabilities(nn.Cell):
    """Maps images ``(N, 3, H, W)`` to class probabilities ``(N, K, H, W)``."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images: Tensor) -> Tensor:
        return ops.softmax(self.network(images).astype(ms.float32), 1)
