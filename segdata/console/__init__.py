"""What both command lines share: options, places, and the border to the terminal."""
