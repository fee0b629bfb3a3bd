from __future__ import annotations

import numpy as np
import pytest

from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.models.mask_rcnn.anchors import STRIDES, base_anchors, level_anchors, level_shapes

#: What the model zoo's program gives, in inclusive pixels.
PUBLISHED = {
    4: [(-21, -9, 24, 12), (-14, -14, 17, 17), (-9, -21, 12, 24)],
    64: [(-330, -149, 393, 212), (-224, -224, 287, 287), (-149, -330, 212, 393)],
}


@pytest.mark.parametrize("stride", PUBLISHED)
def test_base_anchors_are_the_published_ones_before_rounding(stride: int) -> None:
    found = base_anchors(stride, (8,), (0.5, 1, 2))
    # An inclusive corner names the last pixel inside, an exclusive one the first outside. The published sides are
    # rounded before they are halved, which can move a corner by half a pixel more than rounding it.
    assert np.abs(found - (0, 0, 1, 1) - PUBLISHED[stride]).max() <= 1
    square = found[1] - (0, 0, 1, 1)
    assert square.tolist() == list(PUBLISHED[stride][1])


def test_a_base_anchor_has_the_area_of_its_scale_and_the_form_of_its_ratio() -> None:
    found = base_anchors(16, (2, 8), (0.25, 1))
    sides = found[:, 2:] - found[:, :2]
    assert np.allclose(sides.prod(1), [32**2, 128**2] * 2, rtol=1e-5)
    assert np.allclose(sides[:, 1] / sides[:, 0], [0.25, 0.25, 1, 1])
    assert np.allclose((found[:, :2] + found[:, 2:]) / 2, 8)


def test_published_settings_have_245520_anchors() -> None:
    assert sum(len(level) for level in level_anchors(MaskRcnn())) == 245520


def test_anchors_go_row_by_row_and_cell_by_cell() -> None:
    settings = MaskRcnn(image_height=64, image_width=96, anchor_scales=(1,), anchor_ratios=(1, 4))
    levels = level_anchors(settings)
    assert [len(level) for level in levels] == [2 * height * width for height, width in level_shapes(settings)]
    for stride, (height, width), anchors in zip(STRIDES, level_shapes(settings), levels, strict=True):
        centers = ((anchors[:, :2] + anchors[:, 2:]) / 2).reshape(height, width, 2, 2)
        assert np.allclose(centers[..., 0], (np.arange(width) * stride + stride / 2)[None, :, None])
        assert np.allclose(centers[..., 1], (np.arange(height) * stride + stride / 2)[:, None, None])
