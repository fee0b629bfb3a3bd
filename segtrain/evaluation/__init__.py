"""Evaluation of trained networks: confusion matrix, membranes and COCO average precision."""
