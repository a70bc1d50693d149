# SPDX-License-Identifier: Apache-2.0
"""python -m pomona.draw OUT: the quickstart's own images."""

import argparse
import sys

from pomona.draw import KINDS, draw_set


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m pomona draw", description="Draws fruit on a turntable as JPEGs.")
    parser.add_argument("out", help="folder for Training/<Kind>/ and Test/<Kind>/")
    parser.add_argument("--count", type=int, default=240, help=f"images in all, of {len(KINDS)} kinds (default 240)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same bytes (default 1)")
    parser.add_argument("--size", type=int, default=100, help="pixels a side (default 100)")
    arguments = parser.parse_args(argv)
    try:
        draw_set(arguments.out, arguments.count, arguments.seed, arguments.size)
    except ValueError as error:
        parser.error(str(error))
    print(f"{arguments.count} images of {len(KINDS)} kinds in {arguments.out}")


if __name__ == "__main__":
    sys.exit(main())
