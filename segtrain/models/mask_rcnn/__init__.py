"""Mask R-CNN (He et al. 2017) on a feature pyramid (Lin et al. 2017): network, training loss, detection.

Boxes are float32 x1, y1, x2, y2 in pixels of the network's input, x2 and y2 exclusive: a width is x2 - x1.
Every shape is static; what may be fewer is padded and carries a mask of what is valid.
"""

from segtrain.models.mask_rcnn.detection import MaskRcnnDetector
from segtrain.models.mask_rcnn.network import MaskRcnnNetwork, set_precision
from segtrain.models.mask_rcnn.training import LOSS_PARTS, MaskRcnnLoss

__all__ = ["LOSS_PARTS", "MaskRcnnDetector", "MaskRcnnLoss", "MaskRcnnNetwork", "set_precision"]
