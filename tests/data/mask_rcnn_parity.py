"""Box coding and RoIAlign written plainly in PyTorch by torchvision's formulas, and what Mask R-CNN's must equal.

Run by hand where torch is installed: ``python tests/data/mask_rcnn_parity.py``. RoIAlign is that of
``torchvision/csrc/ops/cpu/roi_align_kernel.cpp`` with ``aligned=True``, each box on the level of equation 1 of "Feature
Pyramid Networks"; box coding is that of ``torchvision/models/detection/_utils.py``.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from mask_rcnn_cases import BOXES, CHANNELS, FINEST_SCALE, GOLDEN, SAMPLES, SHAPES, SIZE, STDS, STRIDES
from torch import Tensor


def bilinear(plane: Tensor, y: float, x: float) -> Tensor:
    """Return a channel's values at a point; `plane` is (C, H, W)."""
    height, width = plane.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros(plane.shape[0], dtype=plane.dtype)
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    above = plane[:, top, left] * (1 - across) + plane[:, top, right] * across
    below = plane[:, bottom, left] * (1 - across) + plane[:, bottom, right] * across
    return above * (1 - down) + below * down


def roi_align(plane: Tensor, box: tuple[float, ...], stride: int) -> Tensor:
    """Return (C, SIZE, SIZE): the mean of SAMPLES x SAMPLES points in each cell."""
    x1, y1, x2, y2 = (value / stride - 0.5 for value in box)
    rows = []
    for row in range(SIZE):
        cells = []
        for column in range(SIZE):
            points = [
                bilinear(
                    plane,
                    y1 + (row + (i + 0.5) / SAMPLES) * (y2 - y1) / SIZE,
                    x1 + (column + (j + 0.5) / SAMPLES) * (x2 - x1) / SIZE,
                )
                for i in range(SAMPLES)
                for j in range(SAMPLES)
            ]
            cells.append(torch.stack(points).mean(0))
        rows.append(torch.stack(cells, 1))
    return torch.stack(rows, 1)


def level_of(box: tuple[float, ...]) -> int:
    root = math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    canonical = 4 * FINEST_SCALE
    return min(max(math.floor(4 + math.log2(root / canonical)), 2), 5) - 2


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    size, anchor_size = boxes[:, 2:] - boxes[:, :2], anchors[:, 2:] - anchors[:, :2]
    shift = (boxes[:, :2] + size / 2 - anchors[:, :2] - anchor_size / 2) / anchor_size
    return torch.cat([shift, torch.log(size / anchor_size)], 1) / torch.tensor(STDS, dtype=boxes.dtype)


def decode(offsets: Tensor, anchors: Tensor) -> Tensor:
    offsets = offsets * torch.tensor(STDS, dtype=offsets.dtype)
    anchor_size = anchors[:, 2:] - anchors[:, :2]
    center = offsets[:, :2] * anchor_size + anchors[:, :2] + anchor_size / 2
    size = torch.exp(offsets[:, 2:].clamp(max=math.log(1000 / 16))) * anchor_size
    return torch.cat([center - size / 2, center + size / 2], 1)


def main() -> None:
    random = np.random.RandomState(1)
    levels = [random.standard_normal((len(BOXES), CHANNELS, *shape)).astype(np.float32) for shape in SHAPES]
    tensors = [torch.tensor(level, dtype=torch.float64, requires_grad=True) for level in levels]
    aligned = []
    for image, boxes in enumerate(BOXES):
        for box in boxes:
            level = level_of(box)
            aligned.append(roi_align(tensors[level][image], box, STRIDES[level]))
    found = torch.stack(aligned)
    upstream = random.standard_normal(found.shape).astype(np.float32)
    (found * torch.from_numpy(upstream)).sum().backward()

    corners = random.uniform(0, 60, (2, 12, 2))
    boxes, anchors = np.concatenate([corners, corners + random.uniform(2, 40, corners.shape)], 2).astype(np.float32)
    offsets = random.normal(0, 2, (12, 4)).astype(np.float32)
    offsets[0] = 1, -1, 50, 0
    both = torch.from_numpy(boxes).double(), torch.from_numpy(anchors).double()
    golden = {f"level{i}": level for i, level in enumerate(levels)}
    golden |= {f"gradient{i}": tensor.grad.numpy() for i, tensor in enumerate(tensors)}
    golden |= {"aligned": found.detach().numpy(), "upstream": upstream}
    golden |= {"boxes": boxes, "anchors": anchors, "offsets": offsets, "encoded": encode(*both).numpy()}
    golden |= {"decoded": decode(torch.from_numpy(offsets).double(), both[1]).numpy()}
    np.savez_compressed(GOLDEN, **{name: values.astype(np.float32) for name, values in golden.items()})
    print(f"{GOLDEN}: {GOLDEN.stat().st_size} bytes; levels {[[level_of(box) for box in boxes] for boxes in BOXES]}")


if __name__ == "__main__":
    main()
