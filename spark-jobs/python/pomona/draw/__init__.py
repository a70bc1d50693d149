# SPDX-License-Identifier: Apache-2.0
"""Draws a set of fruit pictures: each kind on a turntable under changing light, in folders as Fruits-360 has them.

    kinds.py     what each kind looks like      render.py      paint, light, photograph
    shapes.py    bodies as clouds of points     pictures.py    the set of files

Needs numpy and Pillow.
"""
