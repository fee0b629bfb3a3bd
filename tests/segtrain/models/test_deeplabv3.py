from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn
from tiny_networks import deeplab

from segdata.errors import InvalidInputError

CLASSES = 3


def _small(model: str = "DeepLabV3_s16") -> nn.Cell:
    return deeplab(model, num_classes=CLASSES, backbone="resnet18", atrous_rates=(1, 2))


@pytest.mark.parametrize("model", ["DeepLabV3_s16", "DeepLabV3_s8"])
def test_logits_have_the_size_of_the_image(model: str) -> None:
    logits = _small(model).set_train(False)(Tensor(np.zeros((2, 3, 40, 47), np.float32)))
    assert logits.shape == (2, CLASSES, 40, 47)
    assert logits.dtype == ms.float32


@pytest.mark.parametrize(("model", "side"), [("DeepLabV3_s16", 5), ("DeepLabV3_s8", 9)])
def test_the_name_decides_the_output_stride(model: str, side: int) -> None:
    _, features = _small(model).set_train(False).backbone(Tensor(np.zeros((1, 3, 65, 65), np.float32)))
    assert features.shape[2:] == (side, side)


def test_the_form_of_torchvision_has_another_convolution_and_only_at_output_stride_8() -> None:
    published, torchvision = (
        deeplab("DeepLabV3_s8", num_classes=CLASSES, backbone="resnet18", atrous_rates=(1, 2), form=form)
        for form in ("published", "torchvision")
    )
    more = {p.name for p in torchvision.get_parameters()} - {p.name for p in published.get_parameters()}
    assert more == {
        "head.0.weight",
        *(f"head.1.{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")),
    }
    assert (published.aspp.dropout.keep, torchvision.aspp.dropout.keep) == pytest.approx((0.3, 0.5))
    with pytest.raises(InvalidInputError, match="form: not a setting of DeepLabV3_s16; only DeepLabV3_s8 has it"):
        deeplab("DeepLabV3_s16", num_classes=CLASSES, form="torchvision")


def test_published_model_has_the_published_number_of_parameters() -> None:
    net = deeplab("DeepLabV3_s16", num_classes=21, backbone="resnet101", atrous_rates=(6, 12, 18))
    trained = sum(p.size for p in net.trainable_params())
    statistics = sum(p.size for p in net.get_parameters() if p.name.endswith(("moving_mean", "moving_variance")))
    # DeepLabV3+ has 59,344,288: 1,303,648 in its decoder, and 21 less in its classifier, which has no bias.
    assert (trained, statistics) == (59_344_288 - 1_303_648 + 21, 108_416)
    # Published are "58.2" million and a checkpoint of 443 MB. With the statistics these are 58.15 million (so mindcv
    # counts them); the checkpoint, which also has the momentum of every trained number, fits exactly.
    assert round((trained + statistics) / 1e6, 2) == 58.15
    assert round(4 * (2 * trained + statistics) / 2**20) == 443


def test_only_the_classifier_has_a_bias_and_it_begins_at_zero() -> None:
    net = _small()
    biased = [name for name, cell in net.cells_and_names() if isinstance(cell, nn.Conv2d) and cell.has_bias]
    assert biased == ["classifier"]
    assert (net.classifier.bias.asnumpy() == 0).all()


def test_backbone_and_aspp_have_the_names_of_deeplabv3plus() -> None:
    names, plus = (
        {p.name: p.shape for p in _small(model).get_parameters()} for model in ("DeepLabV3_s8", "DeepLabV3plus_s8")
    )
    shared = {name: shape for name, shape in names.items() if not name.startswith("classifier.")}
    assert shared == {name: shape for name, shape in plus.items() if not name.startswith("decoder.")}
    assert set(names) - set(shared) == {"classifier.weight", "classifier.bias"}
