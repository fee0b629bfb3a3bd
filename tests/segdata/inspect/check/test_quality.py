"""Dark, bright, flat, blurry and long images are named with what was measured; real photographs are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from segdata.images.values import ValueRange
from segdata.inspect.check import check
from segdata.inspect.check.quality import quality_faults
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord


def picture(height: int = 240, width: int = 320, *, low: int = 20, high: int = 230) -> np.ndarray:
    """Draw stripes and noise between two gray levels, ``(H, W, 3)`` uint8."""
    draw = np.random.default_rng(0)
    stripes = (np.arange(width) // 40 % 2)[None, :, None] * np.ones((height, 1, 3))
    levels = np.clip(stripes * 0.8 + draw.uniform(0, 0.2, (height, width, 1)), 0, 1)
    return np.rint(low + levels * (high - low)).astype(np.uint8)


#: Pictures with what is said of them.
PICTURES: dict[str, tuple[np.ndarray, list[str]]] = {
    "good": (picture(), []),
    "dark": (picture(low=0, high=70), ["dark: 99 % of the pixels are darker than 70 of 255"]),
    "dark but for a lamp": (np.pad(picture(low=0, high=70), ((0, 9), (0, 0), (0, 0)), constant_values=255), []),
    "bright": (picture(low=245, high=255), ["bright: 95 % of the pixels are brighter than 245 of 255"]),
    "flat": (picture(low=120, high=140), ["low_contrast: 98 % of the pixels are between 120 and 140 of 255"]),
    "of one color": (picture(low=120, high=120), ["low_contrast: 98 % of the pixels are between 120 and 120 of 255"]),
    "blurry": (cv2.GaussianBlur(picture(), (0, 0), 4), ["blurry"]),
    "large and blurry": (cv2.GaussianBlur(picture(960, 1280), (0, 0), 5), ["blurry"]),
    "long": (picture(100, 301), ["odd_aspect: 301 x 100; one side is 3.0 times the other"]),
    "high": (picture(400, 100), ["odd_aspect: 100 x 400; one side is 4.0 times the other"]),
    "three times as long": (picture(100, 300), []),
    "dark and long": (picture(80, 320, low=0, high=70), ["odd_aspect", "dark"]),
    "one pixel": (np.full((1, 1, 3), 128, np.uint8), ["low_contrast"]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_unusual_is_named(name: str) -> None:
    image, expected = PICTURES[name]
    found = [f"{fault.code}: {fault.what}" for fault in quality_faults("a.png", image)]
    assert len(found) == len(expected)
    assert all(sentence.startswith(start) for sentence, start in zip(found, expected, strict=True))


def test_fractions_of_gray_levels_are_rounded() -> None:
    assert list(quality_faults("a", picture().astype(np.float32) + 0.25)) == []


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    lines = []
    for number, (image, _) in enumerate(PICTURES.values()):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
        cv2.imwrite(str(tmp_path / f"l{number}.png"), np.zeros(image.shape[:2], np.uint8))
        lines.append(f"{number}.png l{number}.png\n")
    (tmp_path / "list.txt").write_text("".join(lines))
    return tmp_path / "list.txt"


def test_findings_are_warnings_whatever_the_workers_and_only_on_request(listed: Path, tmp_path: Path) -> None:
    report = check(listed, quality=True, workers=1)
    assert {finding.code: finding.count for finding in report.findings} == {
        "blurry": 2,
        "bright": 1,
        "dark": 2,
        "low_contrast": 3,
        "odd_aspect": 3,
    }
    assert (report.errors, report.quality, report.decoded, report.ok(strict=True)) == (0, True, True, False)
    assert report == check(listed, quality=True, workers=2)
    assert check(listed, workers=1).findings == ()
    to_mindrecord(open_dataset(listed), tmp_path / "set", num_shards=1)
    of_records = check(tmp_path / "set", quality=True, workers=1).findings
    assert [(one.code, one.count) for one in of_records] == [(one.code, one.count) for one in report.findings]


def test_the_command_judges_and_says_so(segdata: Callable[..., object], listed: Path) -> None:
    result = segdata("check", listed, "--quality", "--workers", 1)
    assert (result.exit_code, "quality checked" in result.output) == (0, True)
    assert segdata("check", listed, "--quality", "--strict", "--workers", 1).exit_code == 1


def test_a_damaged_image_is_a_finding(listed: Path) -> None:
    path = listed.parent / "0.png"
    path.write_bytes(path.read_bytes()[:300])
    assert "truncated" in {finding.code for finding in check(listed, quality=True, workers=1).findings}


def test_deep_images_are_judged_by_their_value_range(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture()[..., 0].astype(np.uint16) * 16)
    cv2.imwrite(str(tmp_path / "l.png"), np.zeros((240, 320), np.uint8))
    (tmp_path / "list.txt").write_text("a.png l.png\n")
    for high, codes in {4095: [], 65535: ["dark"]}.items():
        report = check(tmp_path / "list.txt", quality=True, value_range=ValueRange(0, high), workers=1)
        assert [one.code for one in report.findings] == codes


def test_of_real_photographs_only_a_strip_is_named(real_data: Path) -> None:
    said = [
        str(fault)
        for path in sorted((real_data / "coco" / "tiny_coco_dataset").glob("train2017/*.jpg"))
        for fault in quality_faults(path.name, cv2.imread(str(path)))
    ]
    assert said == ["000000079841.jpg: 640 x 213; one side is 3.0 times the other"]
