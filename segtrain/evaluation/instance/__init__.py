"""Scores of instance networks: COCO average precision."""
