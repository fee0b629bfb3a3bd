"""Cut a COCO data set to a smaller one, or convert it to index masks and a list."""
