"""U-Net written plainly in PyTorch, and the golden numbers that MindSpore is compared with.

Run by hand where torch is installed (extra ``parity``): ``python tests/data/unet_parity.py``. The numbers are those of
float64; what float32 makes of the same network in PyTorch is printed beside them, as a measure for any tolerance.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from parity_cases import digest, digests, relative_error
from torch import Tensor, nn
from torch.nn import functional
from unet_cases import (
    CLASSES,
    GOLDEN,
    IGNORE,
    MODELS,
    POOLINGS,
    WIDTH,
    batch,
    parameter,
)

#: MindSpore's names of what a batch normalization has.
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def conv(inputs: int, outputs: int, simple: bool) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1 if simple else 0, bias=not simple)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU()] if simple else [layer, nn.ReLU()]


def double(inputs: int, outputs: int, simple: bool) -> nn.Sequential:
    return nn.Sequential(*conv(inputs, outputs, simple), *conv(outputs, outputs, simple))


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convs = double(inputs, outputs, True)[:-1]
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.convs(x) + self.shortcut(x))


class UNet(nn.Module):
    def __init__(
        self, classes: int, width: int = 64, poolings: int = 4, *, simple: bool = False, residual: bool = False
    ) -> None:
        super().__init__()
        sizes = [width * 2**level for level in range(poolings + 1)]
        block = Residual if residual else partial(double, simple=simple)
        self.down = nn.ModuleList(block(inputs, outputs) for inputs, outputs in zip([1, *sizes], sizes, strict=False))
        self.up, self.joint = nn.ModuleList(), nn.ModuleList()
        for outputs in reversed(sizes[:-1]):
            self.up.append(nn.Sequential(nn.ConvTranspose2d(2 * outputs, outputs, 2, 2), nn.ReLU()))
            self.joint.append(block(2 * outputs, outputs))
        self.classifier = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skipped = []
        for level, block in enumerate(self.down):
            if level:
                skipped.append(x)
                x = functional.max_pool2d(x, 2)
            x = block(x)
        for up, joint in zip(self.up, self.joint, strict=True):
            x, skip = up(x), skipped.pop()
            top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
            skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
            x = joint(torch.cat([skip, x], 1))
        return self.classifier(x)


def tensors(network: nn.Module) -> dict[str, Tensor]:
    """Return parameters and statistics by the names that MindSpore gives them."""
    found = {}
    for prefix, module in network.named_modules():
        names = NORM if isinstance(module, nn.BatchNorm2d) else {"weight": "weight", "bias": "bias"}
        own = {**module._parameters, **module._buffers}
        found |= {f"{prefix}.{names[name]}": own[name] for name in names if own.get(name) is not None}
    return found


def run(model: str, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """Return digests of logits and gradients, and the losses without and with weights of pixels."""
    network = UNet(CLASSES, WIDTH, POOLINGS, simple=model == "unet_simple", residual=model == "unet_residual").to(dtype)
    state = tensors(network)
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(torch.from_numpy(parameter(name, tuple(tensor.shape))))
    images, labels, weights = (torch.from_numpy(array) for array in batch(model))
    network.eval()
    with torch.no_grad():
        logits = network(images.to(dtype))
    network.train()
    trained = {name: tensor for name, tensor in state.items() if tensor.requires_grad}
    each = functional.cross_entropy(network(images.to(dtype)), labels.long(), ignore_index=IGNORE, reduction="none")
    counted = weights.to(dtype) * (labels != IGNORE)
    loss = (each * counted).sum() / counted.sum()
    loss.backward()
    gradients = {name: tensor.grad.numpy() for name, tensor in trained.items()}
    return {"logits": digest(logits.numpy()), "loss": np.array(float(loss.detach())), "gradients": digests(gradients)}


def main() -> None:
    golden = {}
    for model in MODELS:
        exact, single = run(model, torch.float64), run(model, torch.float32)
        errors = {name: relative_error(single[name], exact[name]) for name in ("logits", "gradients")}
        errors["loss"] = float(abs(single["loss"] / exact["loss"] - 1))
        print(model, float(exact["loss"]), "; float32:", {name: f"{error:.1e}" for name, error in errors.items()})
        golden |= {f"{model}/{name}": values.astype(np.float32) for name, values in exact.items()}
    np.savez_compressed(GOLDEN, **golden)
    print(f"{GOLDEN}: {GOLDEN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
