from __future__ import annotations

import pytest

from segtrain.config.mask_rcnn import MaskRcnn


@pytest.fixture(scope="session")
def tiny() -> MaskRcnn:
    """Return settings of a network that a test can train; every sample takes all there is."""
    return MaskRcnn(
        backbone="resnet18",
        freeze_bn=True,
        image_height=64,
        image_width=96,
        max_instances=3,
        mask_crop_size=8,
        fpn_channels=4,
        anchor_scales=(4.0,),
        anchor_ratios=(1.0,),
        rpn_samples=1000,
        rpn_positives=1000,
        rpn_candidates=40,
        rpn_proposals=60,
        rpn_test_candidates=20,
        rpn_test_proposals=12,
        roi_positives=63,
        roi_negatives=63,
        roi_size=3,
        mask_roi_size=4,
        finest_scale=14.0,
        box_head_width=8,
        mask_head_width=4,
        mask_head_convs=1,
        max_detections=6,
    )
