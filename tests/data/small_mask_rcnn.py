"""The smallest Mask R-CNN that still has every part."""

from __future__ import annotations

#: Settings with which a step takes a fraction of a second.
SMALL_MASK_RCNN: dict[str, float] = {
    "warmup_steps": 0, "image_height": 64, "image_width": 96, "max_instances": 3, "mask_crop_size": 8,
    "fpn_channels": 4, "rpn_samples": 40, "rpn_positives": 20, "rpn_candidates": 20, "rpn_proposals": 20,
    "rpn_test_candidates": 20, "rpn_test_proposals": 12, "roi_positives": 8, "roi_negatives": 8, "roi_size": 3,
    "mask_roi_size": 4, "box_head_width": 8, "mask_head_width": 4, "mask_head_convs": 1, "max_detections": 6,
    "test_score": 0.0, "save_steps": 1,
}  # fmt: skip


def small_fit(data_file: object, train_dir: object, *more: object) -> list[object]:
    """Return the arguments of ``segtrain fit`` for an epoch of it in batches of 2."""
    settings = [part for name, value in SMALL_MASK_RCNN.items() for part in ("--set", f"{name}={value}")]
    places = ["--data_file", data_file, "--train_dir", train_dir]
    return ["fit", "--recipe", "mask_rcnn_cpu", *places, "--train_epochs", 1, "--batch_size", 2, *settings, *more]
