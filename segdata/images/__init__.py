"""The one reading of images, for every command, for training and for prediction.

``docs/images.md`` states the rules; `segdata.images.reading` applies them.
"""
