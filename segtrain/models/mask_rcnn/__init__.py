"""Mask R-CNN (He et al. 2017) on a feature pyramid (Lin et al. 2017): network, training loss, detection.

Boxes are float32 x1, y1, x2, y2 in pixels of the network's input, x2 and y2 exclusive: a width is x2 - x1.
All shapes are static; results of variable number are padded and come with a mask of the valid rows.
"""

from segtrain.models.mask_rcnn.detection import MaskRcnnDetector
from segtrain.models.mask_rcnn.network import MaskRcnnNetwork, set_precision
from segtrain.models.mask_rcnn.training import LOSS_PARTS, MaskRcnnLoss

__all__ = ["LOSS_PARTS", "MaskRcnnDetector", "MaskRcnnLoss", "MaskRcnnNetwork", "set_precision"]
