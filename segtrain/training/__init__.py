"""Training: the loop over epochs, its steps, its directory and its events."""
