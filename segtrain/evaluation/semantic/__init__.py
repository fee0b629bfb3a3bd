"""Evaluation of semantic networks: IoU by class, dice and separation of cells."""
