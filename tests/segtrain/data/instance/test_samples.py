from __future__ import annotations

from segdata.records.reader import RecordSet
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.recipes import override, recipe
from segtrain.data.instance.samples import eval_samples
from segtrain.distributed.ranks import Ranks

SETTINGS = MaskRcnn(image_height=64, image_width=96)
CONFIG = override(recipe("deeplabv3plus_cpu"), {"workers": 1, "image_mean": (0, 0, 0), "image_std": (1, 1, 1)})


def test_images_for_evaluation_come_in_order_each_with_its_id(crowded: RecordSet) -> None:
    samples = list(eval_samples(crowded, override(CONFIG, {"workers": 2}), SETTINGS))
    assert [sample.image_id for sample in samples] == [10, 20, 30, 40]
    assert [sample.content for sample in samples] == [(64, 96)] * 4
    assert samples[0].image.shape == (40, 60, 3)
    assert samples[0].planes[0, 16, 48] == 255
    shares = [[s.image_id for s in eval_samples(crowded, CONFIG, SETTINGS, Ranks(rank, 3))] for rank in range(3)]
    assert shares == [[10, 40], [20], [30]]
    assert list(eval_samples(crowded, CONFIG, SETTINGS, Ranks(4, 5))) == []
