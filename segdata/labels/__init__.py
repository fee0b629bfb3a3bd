"""What a label pixel means."""
