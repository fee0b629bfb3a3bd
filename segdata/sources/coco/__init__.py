"""From a COCO JSON: a smaller one with its images, or index masks with their list."""
