"""Inference with trained networks: class ids and instances."""
