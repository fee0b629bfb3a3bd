"""Advice for a training that needs more memory than there is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from segdata.errors import SegDataError
from segtrain.config.config import Config
from segtrain.config.recipes import override, recipe, recipe_names, write_config
from segtrain.config.unet import UNetSimple
from segtrain.tasks import semantic
from segtrain.training import memory
from segtrain.training.fit import train

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature

#: More than a process can address, so that no machine has it.
HUGE = 20_000_002

#: Tries less than a setting in a process that has all the memory for a training but that of the step itself, and so
#: many more megabytes, for each of several limits.
PROGRAM = """
import resource, sys
from pathlib import Path
from segdata.parallel import silent
from segtrain.config.recipes import read_config
from segtrain.models import build_network
from segtrain.training.memory import tried

config = read_config(Path(sys.argv[1]))
build_network(config, num_classes=4)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
for megabytes in sys.argv[3:]:
    resource.setrlimit(resource.RLIMIT_AS, (used + int(megabytes) * 2**20, resource.RLIM_INFINITY))
    print(tried(config, Path(sys.argv[2]), silent))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process and tells its size")
def test_less_is_tried_under_the_same_limit(quick: Config, miniature: Miniature, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    flags = {"batch_size": 1, "crop_size": 68, "num_classes": 4, "ignore_label": 255}
    settings.write_text(write_config(override(quick, flags)))
    command = [sys.executable, "-c", PROGRAM, str(settings), str(miniature.train), "1", "2500"]
    done = subprocess.run(command, capture_output=True, text=True)
    # The same settings are tried each time: the limit alone decides.
    assert done.stdout.splitlines() == [
        "Not even a step with --batch_size 1 --crop_size 34 was possible: use a smaller network, or more memory.",
        "Steps with --batch_size 1 --crop_size 34 fit: use that.",
    ], done.stderr


@pytest.mark.parametrize(
    ("fits", "words"),
    [
        ((2, HUGE), r"Steps with --batch_size 2 fit: use that\. The last"),
        ((1, HUGE), r"Steps with --batch_size 1 fit: use that\. The last"),
        ((1, HUGE // 8), r"Steps with --batch_size 1 --crop_size 2500000 fit: use that\. The last"),
        ((1, 0), r"Not even a step with --batch_size 1 --crop_size 38 was possible: use a smaller network, or more"),
    ],
)
def test_too_little_memory_is_one_sentence(
    quick: Config,
    miniature: Miniature,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fits: tuple[int, int],
    words: str,
) -> None:
    def try_step(config: Config, data_file: Path) -> bool:
        assert data_file == miniature.train
        return (config.batch_size, config.model_as(UNetSimple).crop_size) <= fits

    monkeypatch.setattr(memory, "_fits", try_step)
    shown: list[int] = []

    @contextmanager
    def progress(*, total: int, label: str) -> Iterator[Callable[[int], None]]:
        assert "memory is short" in label
        yield shown.append

    with pytest.raises(
        SegDataError, match=rf"not enough memory for a training step with 4 images of {HUGE} x {HUGE} pixels\. {words}"
    ):
        train(override(quick, {"crop_size": HUGE}), miniature.train, tmp_path / "run", progress=progress)
    assert shown


@pytest.mark.parametrize("name", recipe_names())
def test_less_is_tried_down_to_the_least_that_the_network_takes(name: str) -> None:
    config = recipe(name)
    tried = [config, *(less for _, less in memory.smaller(config))]
    sizes = [(each.batch_size, getattr(each.model, "crop_size", 0)) for each in tried]
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[-1][0] == 1
    for options, less in memory.smaller(config):
        flags = dict(zip(options.split()[::2], map(int, options.split()[1::2]), strict=True))
        assert override(config, {flag.removeprefix("--"): value for flag, value in flags.items()}) == less


def test_an_evaluation_without_memory_is_called_one(
    quick: Config, miniature: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("std::bad_alloc")

    monkeypatch.setattr(memory, "_fits", fail)
    monkeypatch.setattr(semantic, "score_samples", fail)
    with pytest.raises(SegDataError, match=r"memory for an evaluation with 4 images .* Use --batch_size 2, or a small"):
        train(override(quick, {"train_epochs": 1}), miniature.train, tmp_path / "run", eval_data_file=miniature.val)
    assert (tmp_path / "run" / "last.ckpt").exists()
