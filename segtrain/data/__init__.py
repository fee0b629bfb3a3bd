"""Read record sets as batches."""
