"""Record sets to batches."""
