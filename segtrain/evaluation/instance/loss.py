"""Loss on an evaluation set: unlike average precision, it also shows how sure a network is, and overfitting early."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from mindspore import Tensor

from segdata.records.reader import RecordSet
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.data.instance.batches import Batch, eval_batches
from segtrain.distributed.ranks import ALONE, Ranks
from segtrain.models.mask_rcnn import MaskRcnnLoss, MaskRcnnNetwork


class ImageLoss:
    """Loss of one image at a time; compiles one graph, without gradients, and changes nothing in the network."""

    def __init__(self, network: MaskRcnnNetwork) -> None:
        """Compute the loss of `network`, which may be in training mode."""
        self._cell = MaskRcnnLoss(network, evaluates=True)

    def __call__(self, batch: Batch) -> float:
        """Return the sum of the parts of the loss, 0 or more, for a batch of one image."""
        self._cell.set_train(False)
        total, *_ = self._cell(*map(Tensor, batch))
        return float(total.asnumpy())


def mean_loss(
    loss: Callable[[Batch], float], records: RecordSet, config: Config, *, ranks: Ranks = ALONE
) -> float | None:
    """Return the mean loss of the images that have an object; None if there is no such image.

    An image alone, as an evaluation places it in the input, and the same sampled boxes each time give a number that can
    be compared between epochs, and that no other image, batch size or number of processes changes.

    Args:
        loss: returns the loss of a batch of one image, such as `ImageLoss`.
        records: record set to evaluate on.
        config: settings of the network.
        ranks: rank of this process among all; each handles its share of the images, and all return the same mean.

    Raises:
        InvalidInputError: naming the first row that cannot be used.
    """
    # A row for each image: whether it was counted, and its loss. Ranks add integers exactly, and zeros to each other.
    found = np.zeros((records.manifest.rows, 2))
    for row, batch in eval_batches(records, config, config.model_as(MaskRcnn), ranks):
        found[row] = 1, loss(batch)
    images, total = ranks.sum(found.view(np.int64)).view(np.float64).sum(0).tolist()
    return total / images if images else None
