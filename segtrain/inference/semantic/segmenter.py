"""Segmentation of images of any size by a network with a fixed square input.

At each scale, the image is resized and passed through the network, and the class probabilities are resized to the
original size. The probabilities of all scales, and of the mirrored and rotated images, are averaged; each pixel gets
the class with the highest mean.

A U-Net processes an image in tiles (`segtrain.inference.semantic.tiling`), and scales are factors of the image's size.
The other networks follow the published protocol: the longer side is resized to ``int((crop - 1) * scale) + 1``, and
the image is padded at the bottom and on the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn, ops

from segdata.errors import InvalidInputError
from segtrain.checkpoints.checkpoint import CheckpointInfo, LoadReport, load_network, read_info
from segtrain.config.config import MIN_CROP, Config, DeviceTarget
from segtrain.config.unet import UNetSettings, center_size
from segtrain.data.arrays import Pixels, RgbImage, normalize, resize_long_side
from segtrain.data.semantic.tile_transforms import with_channels
from segtrain.distributed.device import prepare_device
from segtrain.inference.semantic.tiling import tiled, with_test_time_augmentation


@dataclass(frozen=True, kw_only=True)
class EvalSettings:
    """Settings for passing an image through the network.

    Attributes:
        crop_size: side of the network's input at scale 1, in pixels.
        scales: factors of `crop_size` (for U-Net, of the image's size), each above 0.
        flip: average with the mirrored image.
        turn: average with the image rotated by 90, 180 and 270 degrees; with `flip`, over all eight symmetries of a
            square.
    """

    crop_size: int
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    turn: bool = False

    def __post_init__(self) -> None:
        """Reject inputs that are too small."""
        if not self.scales or min(map(self.target, self.scales)) < MIN_CROP:
            raise InvalidInputError(
                f"scales are {list(self.scales)} of crop_size = {self.crop_size}; expected inputs of at least "
                f"{MIN_CROP} pixels"
            )

    def target(self, scale: float) -> int:
        """Return the side of the network's input at `scale`, in pixels."""
        return int((self.crop_size - 1) * scale) + 1


class Segmenter:
    """Segments images; compiles one graph for each input size and caches it."""

    def __init__(self, network: nn.Cell, config: Config, settings: EvalSettings, *, batch_size: int) -> None:
        """Segment with `network`, normalizing its input as `config` specifies.

        The network processes `batch_size` images at a time; their full-size probabilities, ``K x H x W`` float32 each,
        are in memory together.
        """
        self.config = config
        self.settings = settings
        self.batch_size = batch_size
        self._cell = _Probabilities(network)
        self._network = with_test_time_augmentation(self._run, flip=settings.flip, turn=settings.turn)
        if config.unet:
            self._center = center_size(settings.crop_size, config.unet.halvings, same_padding=config.same_padding)

    def __call__(self, images: Sequence[RgbImage]) -> list[npt.NDArray[np.uint8]]:
        """Return class ids, uint8 ``(H, W)``, for up to `batch_size` images, uint8 RGB ``(H, W, 3)``."""
        return [likeliest(scores) for scores in self.probabilities(images)]

    def probabilities(self, images: Sequence[RgbImage]) -> list[Pixels]:
        """Return class probabilities, float32 ``(H, W, K)``, for each image; see `__call__`."""
        # The network may be in training mode: evaluation must not normalize by batch statistics or update moving ones.
        self._cell.set_train(False)
        means: list[Pixels | None] = [None] * len(images)
        for scale in self.settings.scales:
            for index, scores in enumerate(self._at_scale(images, scale)):
                height, width = images[index].shape[:2]
                # Copying the probabilities of a large image is expensive.
                if scores.shape[:2] != (height, width):
                    scores = cv2.resize(scores, (width, height), interpolation=cv2.INTER_LINEAR)
                total = means[index]
                means[index] = scores if total is None else np.add(total, scores, out=total)
        count = np.float32(len(self.settings.scales))
        return [total if count == 1 else np.divide(total, count, out=total) for total in means if total is not None]

    def _by_tiles(self, image: RgbImage, scale: float, unet: UNetSettings) -> Pixels:
        resized = resize_long_side(image, round(max(image.shape[:2]) * scale))
        channels = with_channels(resized, unet.channels)
        planes = np.empty((unet.channels, *channels.shape[:2]), np.float32)
        mean, std = self.config.image_mean[: unet.channels], self.config.image_std[: unet.channels]
        normalize(channels, mean, std, planes)
        size = self.settings.crop_size
        return tiled(self._network, planes, input_size=size, output_size=self._center, fill=unet.fill)

    def _at_scale(self, images: Sequence[RgbImage], scale: float) -> list[Pixels]:
        """Return the probabilities ``(h, w, K)`` of each image at its size for `scale`."""
        if self.config.unet:
            return [self._by_tiles(image, scale, self.config.unet) for image in images]
        target = self.settings.target(scale)
        # The shape is static, so an incomplete batch is padded with zeros, whose results are ignored.
        batch = np.zeros((self.batch_size, 3, target, target), np.float32)
        sizes = []
        for slot, image in zip(batch, images, strict=False):
            resized = resize_long_side(image, target)
            sizes.append(resized.shape[:2])
            normalize(resized, self.config.image_mean, self.config.image_std, slot)
        return [
            np.ascontiguousarray(planes[:, :height, :width].transpose(1, 2, 0))
            for planes, (height, width) in zip(self._network(batch), sizes, strict=False)
        ]

    def _run(self, batch: Pixels) -> Pixels:
        scores: Pixels = self._cell(Tensor(batch)).asnumpy()
        return scores


def load_segmenter(
    ckpt_path: Path,
    *,
    scales: tuple[float, ...],
    flip: bool,
    turn: bool,
    crop_size: int | None,
    batch_size: int | None,
    device_target: DeviceTarget,
) -> tuple[Segmenter, CheckpointInfo, LoadReport]:
    """Return the network of a checkpoint as a segmenter, its side file and the report on loading all parameters.

    None for `crop_size` or `batch_size` keeps the value used in training.

    Raises:
        InvalidInputError: when the checkpoint is damaged or an input would be too small.
    """
    config = read_info(ckpt_path).config
    settings = EvalSettings(crop_size=crop_size or config.crop_size, scales=scales, flip=flip, turn=turn)
    prepare_device(device_target, seed=config.seed)
    network, info, report = load_network(ckpt_path)
    return Segmenter(network, config, settings, batch_size=batch_size or config.batch_size), info, report


def likeliest(probabilities: Pixels) -> npt.NDArray[np.uint8]:
    """Return class ids ``(H, W)``, the argmax of the probabilities ``(H, W, K)``."""
    ids: npt.NDArray[np.uint8] = np.argmax(probabilities, axis=2).astype(np.uint8)
    return ids


class _Probabilities(nn.Cell):
    """Maps images ``(N, 3, H, W)`` to class probabilities ``(N, K, H, W)``."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images: Tensor) -> Tensor:
        return ops.softmax(self.network(images).astype(ms.float32), 1)
