"""Found instances: from the network's arrays to COCO results, scores and pictures."""
