"""Prediction of a small and a huge image by a process with little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

#: Predicts with little memory left after the first image, with which everything is loaded and compiled.
_PROGRAM = """
import resource, sys
from contextlib import contextmanager
from pathlib import Path
from segtrain.remote.programs import predict

@contextmanager
def limiting(total, label):
    def advance(count):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 600 * 2**20, resource.RLIM_INFINITY))
    yield advance

checkpoint, images, out = map(Path, sys.argv[1:])
report = predict(images, checkpoint, out, progress=limiting)
print(report.images, *report.problems, sep="\\n")
"""


def predict_with_little_memory(checkpoint: Path, image: Path, folder: Path) -> list[str]:
    """Write the results for `image`, named first and small, and for one of 9000 x 9000 pixels in between, named huge.

    Args:
        checkpoint: network to predict with.
        image: small image.
        folder: where the results are written to, in ``out``.

    Returns:
        The number of images with results, and the problems.
    """
    images = folder / "small_and_huge"
    images.mkdir()
    # 243 MB of pixels, of which drawing an overlay needs several copies.
    Image.new("L", (9000, 9000)).save(images / "huge.png")
    for name in ("first", "small"):
        (images / f"{name}{image.suffix}").write_bytes(image.read_bytes())
    command = [sys.executable, "-c", _PROGRAM, *map(str, (checkpoint, images, folder / "out"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
