"""``python -m segtrain``: the command line."""

from segtrain.cli import main

if __name__ == "__main__":
    main(prog_name="segtrain")
