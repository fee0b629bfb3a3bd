"""Directory of a training in a store: what is in its way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from s3_server import forget_connections, names, s3_server, use

from segdata.errors import TargetExistsError
from segdata.parallel import silent
from segdata.store.publishing import publish
from segdata.store.url import Url
from segtrain.remote.outputs import training_directory
from segtrain.training.train_dir import TRAINING, TrainDir

if TYPE_CHECKING:
    from tests.segtrain.conftest import Trained

RUN = Url("s3", "bucket", "run")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        use(running, monkeypatch)
        yield
    forget_connections()


@pytest.mark.usefixtures("server")
def test_a_training_without_a_step_is_replaced_and_one_with_a_checkpoint_is_not(
    quick_run: Trained, tmp_path: Path
) -> None:
    config = quick_run.report.started.config
    for number in (1, 2):
        with training_directory(RUN, resume=False, overwrite=False, work_dir=tmp_path, progress=silent) as directory:
            assert not directory.joinpath("config.yaml").exists(), number
            TrainDir(directory).begin(config, resumed_at=None)
        assert "config.yaml" in names(RUN) and "last.ckpt" not in names(RUN)
    publish(quick_run.directory, RUN, TRAINING, overwrite=True)
    with pytest.raises(
        TargetExistsError,
        match=r"already contains a training run \(best\.ckpt\)\. Continue it with --resume, or choose",
    ):
        with training_directory(RUN, resume=False, overwrite=False, work_dir=tmp_path, progress=silent):
            pass
