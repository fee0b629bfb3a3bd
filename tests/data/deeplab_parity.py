"""DeepLabV3 and V3+ written plainly in PyTorch, and the golden numbers that MindSpore is compared with.

Run by hand where torch is installed (extra ``parity``): ``python tests/data/deeplab_parity.py``. The numbers are those
of float64; what float32 makes of the same network in PyTorch is printed beside them, as a measure for any tolerance.
Dropout is left out: its masks are random.
"""

from __future__ import annotations

import numpy as np
import torch
from parity_cases import (
    BACKBONE,
    CLASSES,
    GOLDEN,
    IGNORE,
    LEARNING_RATE,
    MODELS,
    RATES,
    WEIGHT_DECAY,
    batch,
    digest,
    digests,
    parameter,
    relative_error,
)
from torch import Tensor, nn
from torch.nn import functional

BLOCKS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}

#: The least magnitude that met a ReLU in training.
margin = float("inf")

#: MindSpore's names of what a batch normalization has.
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def conv(inputs: int, outputs: int, size: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, dilation * (size // 2), dilation, bias=False)


def conv_bn_relu(inputs: int, outputs: int, size: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(conv(inputs, outputs, size, dilation=dilation), nn.BatchNorm2d(outputs), ReLU())


def resize(x: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=True)


def relu(x: Tensor) -> Tensor:
    """Rectify, and keep in mind how near an element of a float64 training batch was to the kink."""
    global margin
    if x.dtype == torch.float64 and x.requires_grad:
        margin = min(margin, float(x.detach().abs().min()))
    return functional.relu(x)


class ReLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return relu(x)


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride, dilation), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(conv(inputs, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))
        else:
            self.downsample = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = relu(self.bn1(self.conv1(x)))
        y = relu(self.bn2(self.conv2(y)))
        return relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self, output_stride: int) -> None:
        super().__init__()
        counts = BLOCKS[BACKBONE]
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._stage(64, 64, 1, [1] * counts[0])
        self.layer2 = self._stage(256, 128, 2, [1] * counts[1])
        if output_stride == 16:
            self.layer3 = self._stage(512, 256, 2, [1] * counts[2])
            self.layer4 = self._stage(1024, 512, 1, [2, 4, 8])
        else:
            self.layer3 = self._stage(512, 256, 1, [2] * counts[2])
            self.layer4 = self._stage(1024, 512, 1, [4, 8, 16])

    def _stage(self, inputs: int, width: int, stride: int, dilations: list[int]) -> nn.Sequential:
        first = Bottleneck(inputs, width, stride, dilations[0])
        return nn.Sequential(first, *(Bottleneck(4 * width, width, 1, dilation) for dilation in dilations[1:]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        low_level = self.layer1(self.maxpool(relu(self.bn1(self.conv1(x)))))
        return low_level, self.layer4(self.layer3(self.layer2(low_level)))


class ImagePooling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = conv(2048, 256, 1), nn.BatchNorm2d(256)

    def forward(self, x: Tensor) -> Tensor:
        y = relu(self.bn(self.conv(x.mean((2, 3), keepdim=True))))
        return y.expand(-1, -1, *x.shape[2:])


class ASPP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        atrous = [conv_bn_relu(2048, 256, 3, rate) for rate in RATES]
        self.branches = nn.ModuleList([conv_bn_relu(2048, 256, 1), *atrous, ImagePooling()])
        self.project = conv_bn_relu(5 * 256, 256, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(torch.cat([branch(x) for branch in self.branches], 1))


class DeepLabV3(nn.Module):
    def __init__(self, output_stride: int) -> None:
        super().__init__()
        self.backbone, self.aspp = ResNet(output_stride), ASPP()
        self.classifier = nn.Conv2d(256, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        return resize(self.classifier(self.aspp(self.backbone(x)[1])), x.shape[2:])


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reduce = conv_bn_relu(256, 48, 1)
        self.fuse = nn.Sequential(conv_bn_relu(304, 256, 3), conv_bn_relu(256, 256, 3))
        self.classifier = nn.Conv2d(256, CLASSES, 1, bias=False)

    def forward(self, low_level: Tensor, features: Tensor) -> Tensor:
        joint = torch.cat([resize(features, low_level.shape[2:]), self.reduce(low_level)], 1)
        return self.classifier(self.fuse(joint))


class DeepLabV3Plus(nn.Module):
    def __init__(self, output_stride: int) -> None:
        super().__init__()
        self.backbone, self.aspp, self.decoder = ResNet(output_stride), ASPP(), Decoder()

    def forward(self, x: Tensor) -> Tensor:
        low_level, features = self.backbone(x)
        return resize(self.decoder(low_level, self.aspp(features)), x.shape[2:])


def tensors(network: nn.Module) -> dict[str, Tensor]:
    """Return parameters and statistics by the names that MindSpore gives them."""
    found = {}
    for prefix, module in network.named_modules():
        names = NORM if isinstance(module, nn.BatchNorm2d) else {"weight": "weight", "bias": "bias"}
        own = {**module._parameters, **module._buffers}
        found |= {f"{prefix}.{names[name]}": own[name] for name in names if own.get(name) is not None}
    return found


def run(model: str, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """Return digests of the logits, of one training step's momentum and of the statistics after it; and the loss."""
    kind, stride = model.rsplit("_s", 1)
    network = {"DeepLabV3": DeepLabV3, "DeepLabV3plus": DeepLabV3Plus}[kind](int(stride)).to(dtype)
    state = tensors(network)
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(torch.from_numpy(parameter(name, tuple(tensor.shape))))
    images, labels = (torch.from_numpy(array) for array in batch())

    network.eval()
    with torch.no_grad():
        logits = network(images.to(dtype))
    network.train()
    trained = {name: tensor for name, tensor in state.items() if tensor.requires_grad}
    decay = [tensor for name, tensor in trained.items() if not name.endswith(("gamma", "beta"))]
    plain = [tensor for name, tensor in trained.items() if name.endswith(("gamma", "beta"))]
    optimizer = torch.optim.SGD(
        [{"params": decay, "weight_decay": WEIGHT_DECAY}, {"params": plain}], lr=LEARNING_RATE, momentum=0.9
    )
    loss = functional.cross_entropy(network(images.to(dtype)), labels.long(), ignore_index=IGNORE)
    loss.backward()
    optimizer.step()
    # After the first step the momentum is the gradient, weight decay included.
    momentum = {name: optimizer.state[tensor]["momentum_buffer"].numpy() for name, tensor in trained.items()}
    statistics = {name: tensor.numpy() for name, tensor in state.items() if not tensor.requires_grad}
    return {
        "logits": digest(logits.numpy()),
        "loss": np.array(float(loss.detach())),
        "momentum": digests(momentum),
        "statistics": digests(statistics),
    }


def main() -> None:
    golden = {}
    for model in MODELS:
        exact, single = run(model, torch.float64), run(model, torch.float32)
        errors = {name: relative_error(single[name], exact[name]) for name in exact if name != "loss"}
        errors["loss"] = float(abs(single["loss"] / exact["loss"] - 1))
        print(
            model, "loss", float(exact["loss"]), "; float32:", {name: f"{error:.1e}" for name, error in errors.items()}
        )
        golden |= {f"{model}/{name}": values.astype(np.float32) for name, values in exact.items()}
    print(f"no unit nearer than {margin:.1e} to its ReLU's kink")
    np.savez_compressed(GOLDEN, **golden)
    print(f"{GOLDEN}: {GOLDEN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
