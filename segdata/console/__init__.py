"""Options, locations and terminal output that both command lines share."""
