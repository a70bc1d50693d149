# SPDX-License-Identifier: Apache-2.0
"""python -m pomona draw OUT: the quickstart's own images."""

from pomona import PomonaError

HELP = "draw pictures of fruit on a turntable"


def add_arguments(parser):
    parser.add_argument("out", metavar="OUT", help="folder for Training/<Kind>/*.jpg and Test/<Kind>/*.jpg")
    parser.add_argument("--count", type=int, default=240, help="images in all (default 240)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same bytes (default 1)")
    parser.add_argument("--size", type=int, default=100, help="pixels a side (default 100)")


def run(arguments):
    try:
        from pomona.draw.pictures import draw_set
    except ImportError as error:
        raise PomonaError(f"drawing needs numpy and Pillow ({error}): pip install numpy pillow") from error
    draw_set(arguments.out, arguments.count, arguments.seed, arguments.size)
    print(f"{arguments.count} images in {arguments.out}")
    return 0
