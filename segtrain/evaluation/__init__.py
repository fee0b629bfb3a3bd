"""Scores of a trained network: confusion matrix, membranes, COCO average precision."""
