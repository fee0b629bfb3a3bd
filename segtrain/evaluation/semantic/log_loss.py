"""Cross entropy of predictions: unlike IoU, it also tells how sure a network is, so it shows overfitting early."""

from __future__ import annotations

import numpy as np

from segtrain.data.arrays import Label, Pixels

#: Smallest probability that is counted: that of a class which float32 rounds to 0 would be infinitely wrong.
_LEAST = np.finfo(np.float32).tiny


class LogLoss:
    """Mean cross entropy of one image, which is passed over strip by strip. Class weights are not applied."""

    def __init__(self, ignore_label: int) -> None:
        """Start without pixels; those labeled `ignore_label` do not count."""
        self._ignore_label = ignore_label
        self._sum = 0.0
        self._pixels = 0

    def update(self, strip: Pixels, labels: Label) -> None:
        """Add rows of an image: probabilities, float32 ``(K, rows, W)``, and labels, uint8 ``(rows, W)``."""
        counted = np.flatnonzero(labels != self._ignore_label)
        places = labels.ravel()[counted].astype(np.intp) * labels.size + counted
        self._sum -= float(np.log(np.maximum(strip.take(places), _LEAST)).sum(dtype=np.float64))
        self._pixels += len(counted)

    def mean(self) -> float | None:
        """Return the mean over the counted pixels in nats, 0 or more; None without any."""
        return self._sum / self._pixels if self._pixels else None
