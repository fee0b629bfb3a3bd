"""Freezing of parts of a network, which training then leaves unchanged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import mindspore as ms
from mindspore import nn

from segdata.errors import FaultsError, InvalidInputError, suggest
from segdata.text import plural


def freeze(network: nn.Cell, parts: Iterable[str]) -> list[nn.Cell]:
    """Exclude parts of a network from training and return them.

    Their parameters get no gradient, and optimizers created afterwards do not include them. Before a training step, the
    parts must also be set to evaluation mode, after the network as a unit was set to training mode. Then BN normalizes
    with its moving statistics without updating them, dropout is off, and the parts stay unchanged bit for bit.

    Args:
        network: network whose parameters' ``requires_grad`` is changed.
        parts: name prefixes of the parameters to freeze, such as ``backbone`` or ``backbone.layer1``.

    Raises:
        InvalidInputError: when a part does not exist, or nothing is left to train.
    """
    cells = {
        name: cell for name, cell in network.cells_and_names() if name and any(True for _ in cell.get_parameters())
    }
    frozen = []
    for part in parts:
        if part not in cells:
            known = [name for name in cells if name.count(".") < 2]
            raise InvalidInputError(f"freeze = {part}: not a part of the network; {suggest(part, known)}")
        for parameter in cells[part].get_parameters():
            parameter.requires_grad = False
        frozen.append(cells[part])
    if frozen and not network.trainable_params():
        raise InvalidInputError(
            "freeze: every part of the network is frozen, so nothing is left to train. Freeze fewer parts."
        )
    return frozen


def set_train(network: nn.Cell, frozen: Iterable[nn.Cell]) -> None:
    """Set a network, or the step that trains it, to training mode, except its frozen parts."""
    network.set_train(True)
    for part in frozen:
        part.set_train(False)


def check_loaded(parts: Sequence[str], frozen: Iterable[nn.Cell], loaded: Collection[str] | None) -> None:
    """Check that no frozen part keeps random weights, from which the other parts could learn nothing.

    Args:
        parts: names of the frozen parts, for the message.
        frozen: these parts, as `freeze` returned them.
        loaded: names of the parameters that come from a checkpoint; None if training starts without one.

    Raises:
        InvalidInputError: when training starts without a checkpoint.
        FaultsError: naming the frozen weights that the checkpoint lacks.
    """
    # Counters, such as dropout's, are not weights.
    weights = [each.name for part in frozen for each in part.get_parameters() if each.dtype == ms.float32]
    listed = ", ".join(parts)
    if weights and loaded is None:
        raise InvalidInputError(
            f"freeze = {listed}: there is no checkpoint to start from, so these parts would keep random weights. Name "
            "one with --ckpt_pre_trained, or train all parts with --set freeze=[]."
        )
    if loaded is not None and (random := [name for name in weights if name not in loaded]):
        raise FaultsError(
            f"freeze = {listed}: {plural(len(random), 'weight')} of these parts would stay random; expected a "
            "checkpoint that has all of them, in the same shapes",
            random,
        )
