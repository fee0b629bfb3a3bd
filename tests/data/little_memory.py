"""Prediction of a small and a huge image by a process with little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

#: Predicts once, so that everything is loaded, and again with little memory left.
_PROGRAM = """
import resource, sys
from pathlib import Path
from segtrain.remote.programs import predict

checkpoint, small, images, out = map(Path, sys.argv[1:])
predict(small, checkpoint, out.with_name("before"))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 600 * 2**20, resource.RLIM_INFINITY))
report = predict(images, checkpoint, out)
print(report.images, *report.problems, sep="\\n")
"""


def predict_with_little_memory(checkpoint: Path, image: Path, folder: Path) -> list[str]:
    """Write the results for `image`, named small, and for one of 9000 x 9000 pixels, named huge, to ``folder/out``.

    Returns:
        The number of images with results, and the problems.
    """
    images = folder / "small_and_huge"
    images.mkdir()
    # 243 MB of pixels, of which drawing an overlay needs several copies.
    Image.new("L", (9000, 9000)).save(images / "huge.png")
    (images / f"small{image.suffix}").write_bytes(image.read_bytes())
    command = [sys.executable, "-c", _PROGRAM, *map(str, (checkpoint, image, images, folder / "out"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
