"""Look before you train: what a data set holds, what is wrong with it, what it looks like."""
