"""Scenes with numbered objects, which the miniature exports of annotation tools share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.labels.colormap import IGNORE
from segdata.miniature.scene import SHAPES, draw
from segdata.sources.instance_masks.regions import number_parts
from segdata.sources.instance_masks.values import Values

#: Name of each drawn class.
NAMES = {id_: name for id_, name, _ in SHAPES}


@dataclass(frozen=True)
class Scene:
    """An image with its objects.

    Attributes:
        split: train or val.
        name: file name without suffix.
        image: ``(H, W, 3)`` RGB.
        label: class ids ``(H, W)``; the outlines of objects are 255.
        parts: objects ``(H, W)``, numbered from 1.
        class_of: class of each object.
    """

    split: str
    name: str
    image: npt.NDArray[np.uint8]
    label: npt.NDArray[np.uint8]
    parts: Values
    class_of: list[int]

    def outlines(self) -> Iterator[tuple[int, npt.NDArray[np.int32]]]:
        """Yield the class and the outline ``(N, 2)``, x and y, of each object."""
        import cv2

        for number, id_ in enumerate(self.class_of, start=1):
            part = (self.parts == number).astype(np.uint8)
            found, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            if len(found[0]) >= 3:
                yield id_, found[0].reshape(-1, 2)


def draw_scenes(train: int, val: int, seed: int) -> list[Scene]:
    """Return the scenes of both splits; the same seed gives the same scenes."""
    scenes = []
    for index in range(train + val):
        image, label = draw(np.random.default_rng((seed, index)))
        split = "train" if index < train else "val"
        scenes.append(Scene(split, f"{index + 1:06}", image, label, *number_parts(label.astype(np.int32), IGNORE)))
    return scenes
