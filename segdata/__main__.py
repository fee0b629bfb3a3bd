"""``python -m segdata``: the command line."""

from segdata.cli import main

if __name__ == "__main__":
    main(prog_name="segdata")
