"""Masks whose values are objects: instance ids, VOC's SegmentationObject, Cityscapes' instanceIds, connected parts."""
