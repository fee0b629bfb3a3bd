"""Checkpoints: saved training state, parameter names, and weights from other programs."""
