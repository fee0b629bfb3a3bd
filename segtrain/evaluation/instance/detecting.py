"""Detections of a network in all images of a record set, by one process or by several together."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.parallel import Progress, silent
from segdata.records.reader import RecordSet
from segdata.text import plural
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.data.instance.samples import EvalSample, eval_samples
from segtrain.data.rows import in_batches
from segtrain.distributed.ranks import ALONE, Ranks
from segtrain.inference.instance.detections import RawDetections, Result, locate, result_entries

#: Maps images, float32 ``(N, 3, H, W)``, and the sizes of their contents, float32 ``(N, 2)``, to detections.
Detect = Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], RawDetections]


def detect_all(
    detect: Detect,
    records: RecordSet,
    config: Config,
    settings: MaskRcnn,
    *,
    batch_size: int,
    ranks: Ranks = ALONE,
    progress: Progress = silent,
) -> list[Result]:
    """Return a network's detections in every image of a record set, sorted by image and identical on all ranks.

    Args:
        detect: network that processes batches of `batch_size` images.
        records: record set.
        config: mean and standard deviation of the colors, and the number of workers.
        settings: size of the network's input.
        batch_size: images per batch. It does not affect the result.
        ranks: rank of this process among all, each of which handles its share; only rank 0 reports progress.
        progress: reports the number of finished images.

    Raises:
        InvalidInputError: naming the first invalid image, or when detections are NaN or infinite.
    """
    entries: list[Result] = []
    seen = 0
    total = len(ranks.share(records.manifest.rows))
    with (progress if ranks.is_main else silent)(total=total, label="evaluate") as advance:
        for batch in in_batches(eval_samples(records, config, settings, ranks), batch_size):
            found = locate(
                detect(*_stack(batch, batch_size)),
                [sample.content for sample in batch],
                [(sample.image.shape[0], sample.image.shape[1]) for sample in batch],
            )
            for sample, instances in zip(batch, found, strict=True):
                entries += result_entries(sample.image_id, instances, records.manifest.classes)
            seen += len(batch)
            advance(len(batch))
    seen = int(ranks.sum(np.array([seen]))[0])
    if seen != records.manifest.rows:
        raise InvalidInputError(
            f"record set {records.manifest.name}: read {plural(seen, 'image')}; expected "
            f"{records.manifest.rows}. Check the record set with segdata verify."
        )
    return _gather(entries, ranks)


def _stack(batch: list[EvalSample], size: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the network's input; its shape is static, so free slots are filled with images of the mean color."""
    images = np.zeros((size, *batch[0].planes.shape), np.float32)
    sizes = np.tile(np.array(images.shape[2:], np.float32), (size, 1))
    for index, sample in enumerate(batch):
        images[index], sizes[index] = sample.planes, sample.content
    return images, sizes


def _gather(entries: list[Result], ranks: Ranks) -> list[Result]:
    """Return the entries of all ranks, sorted by image; identical on each rank, for any number of ranks."""
    if ranks.size > 1:
        # Ranks can only sum: the bytes of each have a range to which the others add 0.
        own = np.frombuffer(msgspec.json.encode(entries), np.uint8)
        lengths = np.zeros(ranks.size, np.int64)
        lengths[ranks.rank] = len(own)
        ends = np.cumsum(ranks.sum(lengths)).tolist()
        starts = [0, *ends[:-1]]
        joined = np.zeros(-(-ends[-1] // 8) * 8, np.uint8)
        joined[starts[ranks.rank] : ends[ranks.rank]] = own
        joined = ranks.sum(joined.view(np.int64)).view(np.uint8)
        parts = (joined[start:end].tobytes() for start, end in zip(starts, ends, strict=True))
        entries = [entry for part in parts for entry in msgspec.json.decode(part, type=list[Result])]
    return sorted(entries, key=lambda entry: entry["image_id"])
