"""Training: one epoch after another, its steps, its directory, its events."""
