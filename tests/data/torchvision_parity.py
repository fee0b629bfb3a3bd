"""Logits of torchvision's DeepLabV3, which a converted one must compute, too.

Run by hand where torch and torchvision are installed: ``python tests/data/torchvision_parity.py``. The numbers are
those of float64; how far float32 deviates from them in PyTorch is printed, as a measure for any tolerance.
"""

from __future__ import annotations

import numpy as np
import torch
from torchvision.models.segmentation import deeplabv3_resnet50
from torchvision_cases import CLASSES, GOLDEN, SIZES, deeplabv3, image, sampled


def main() -> None:
    network = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=False).eval()
    # All names and all shapes must be those of torchvision.
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in deeplabv3().items()})
    golden = {}
    for size in SIZES:
        found = {}
        for dtype in (torch.float32, torch.float64):
            with torch.no_grad():
                found[dtype] = sampled(network.to(dtype)(torch.from_numpy(image(size)).to(dtype))["out"].numpy())
        exact = found[torch.float64]
        error = np.abs(found[torch.float32] - exact).max() / np.abs(exact).max()
        print(f"{size}: logits {exact.min():.3f} to {exact.max():.3f}; float32 deviates by {error:.1e} of the largest")
        golden[f"{size[0]}x{size[1]}"] = exact.astype(np.float32)
    np.savez_compressed(GOLDEN, **golden)
    print(f"{GOLDEN}: {GOLDEN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
