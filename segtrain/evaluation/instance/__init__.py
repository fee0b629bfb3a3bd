"""Evaluation of instance networks: COCO average precision."""
