"""COCO instances: the JSON file, masks as RLE, and the annotations of an image."""
