"""Parts of a network that a training leaves as they are."""

from __future__ import annotations

from collections.abc import Iterable

from mindspore import nn

from segdata.errors import InvalidInputError, suggest


def freeze(network: nn.Cell, parts: Iterable[str]) -> list[nn.Cell]:
    """Take parts of a network out of its training and return them.

    Their parameters get no gradient, and no optimizer that is made afterwards knows them. For a training step they must
    also be set to evaluation, after the whole was set to training, so that BN normalizes by its moving statistics and
    leaves these alone, and nothing is dropped out: then they stay bit for bit what they are.

    Args:
        network: its parameters' ``requires_grad`` is changed.
        parts: what the names of a part's parameters begin with, such as ``backbone`` or ``backbone.layer1``.

    Raises:
        InvalidInputError: when there is no such part, or nothing is left to train.
    """
    cells = {
        name: cell for name, cell in network.cells_and_names() if name and any(True for _ in cell.get_parameters())
    }
    frozen = []
    for part in parts:
        if part not in cells:
            known = [name for name in cells if name.count(".") < 2]
            raise InvalidInputError(
                f"no part of the network that could be frozen is called {part!r}; {suggest(part, known)}"
            )
        for parameter in cells[part].get_parameters():
            parameter.requires_grad = False
        frozen.append(cells[part])
    if frozen and not network.trainable_params():
        raise InvalidInputError("every part of the network is frozen; nothing is left to train")
    return frozen
