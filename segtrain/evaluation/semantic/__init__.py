"""Scores of semantic networks: IoU by class, dice, how well cells are told apart."""
