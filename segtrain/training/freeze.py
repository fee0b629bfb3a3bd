"""Freezing of parts of a network, which training then leaves unchanged."""

from __future__ import annotations

from collections.abc import Iterable

from mindspore import nn

from segdata.errors import InvalidInputError, suggest


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
            raise InvalidInputError(f"{part!r} is not a part of the network that can be frozen; {suggest(part, known)}")
        for parameter in cells[part].get_parameters():
            parameter.requires_grad = False
        frozen.append(cells[part])
    if frozen and not network.trainable_params():
        raise InvalidInputError("every part of the network is frozen, so nothing is left to train. Freeze fewer parts.")
    return frozen
