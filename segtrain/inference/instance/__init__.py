"""Instances in images: from the network's arrays to masks, pictures and files."""
