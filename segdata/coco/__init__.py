"""COCO instances: the JSON file, its masks as RLE, and the annotations of an image."""
