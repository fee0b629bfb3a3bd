"""From TIF stacks: images, index masks and lists, page by page."""
