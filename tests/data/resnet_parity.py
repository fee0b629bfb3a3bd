"""ResNet-18 written plainly in PyTorch, with torchvision's names, and the features that a converted one must give.

Run by hand where torch is installed: ``python tests/data/resnet_parity.py``. The dilation is that of output stride 16
with multi-grid 1, 2; it changes no name and no shape.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_resnet import GOLDEN, image, seeded


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1, 1), BasicBlock(64, 64, 1, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2, 1), BasicBlock(128, 128, 1, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2, 1), BasicBlock(256, 256, 1, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 1, 2), BasicBlock(512, 512, 1, 4))
        self.fc = nn.Linear(512, 1000)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        low_level = self.layer1(functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1))
        return low_level, self.layer4(self.layer3(self.layer2(low_level)))


def main() -> None:
    network = ResNet18().eval().double()
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in seeded("resnet18").items()})
    with torch.no_grad():
        low_level, features = network(torch.from_numpy(image()).double())
    # Every sixteenth channel says as much as all of them.
    golden = {"low_level": low_level[:, ::16], "features": features[:, ::16]}
    np.savez_compressed(GOLDEN, **{name: values.numpy().astype(np.float32) for name, values in golden.items()})
    print(f"{GOLDEN}: {GOLDEN.stat().st_size} bytes; features {features.min():.3f} to {features.max():.3f}")


if __name__ == "__main__":
    main()
