"""Checkpoints: what a training saves, how weights are named, and weights from elsewhere."""
