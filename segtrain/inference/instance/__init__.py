"""Instance inference: from network outputs to masks, pictures and files."""
