from __future__ import annotations

import os

import mindspore as ms
import pytest


@pytest.fixture(autouse=True)
def _graph_mode_on_cpu() -> None:
    # Read by oneDNN at the first convolution; without it MindSpore's are tens of times slower on AVX-512 machines.
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_seed(1)
