from __future__ import annotations

import math
from typing import Any

import pytest

from segdata.errors import OptionError
from segtrain.inference.settings import AS_IN_TRAINING, EvalSettings


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scales": ()}, r"scales = \[\]: expected at least one number, each above 0"),
        ({"scales": (1.0, 0.0)}, r"scales = \[1.0, 0.0\]: expected"),
        ({"scales": (math.nan,)}, "scales = "),
        ({"scales": (math.inf,)}, "scales = "),
        ({"batch_size": 0}, "batch_size = 0: expected at least 1"),
        ({"fit": "longer_side", "overlap": 8}, "overlap: has no effect with --fit longer_side"),
    ],
)
def test_values_that_no_network_can_use_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        EvalSettings(**values)


def test_settings_of_another_task_are_named() -> None:
    AS_IN_TRAINING.check_only([], "mask_rcnn")
    EvalSettings(batch_size=2).check_only(["batch_size"], "mask_rcnn")
    with pytest.raises(
        OptionError, match=r"^--crop_size or --flip: not available for mask_rcnn, a network for instance"
    ):
        EvalSettings(flip=True, crop_size=65, batch_size=2).check_only(["batch_size"], "mask_rcnn")
