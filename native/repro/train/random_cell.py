#!/usr/bin/env python3
"""Draws a cell at random from the space S5: each of the four nodes of the normal and of the reduction
cell takes two different earlier states, each through one of the seven operations, all evenly likely.

usage: random_cell.py SEED
"""
import random
import sys

OPERATIONS = ["max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5",
              "dil_conv_3x3", "dil_conv_5x5"]


def cell(draw):
    return [(draw.choice(OPERATIONS), state) for node in range(4) for state in sorted(draw.sample(range(node + 2), 2))]


draw = random.Random(int(sys.argv[1]))
print(f"Genotype(normal={cell(draw)}, normal_concat=range(2, 6), reduce={cell(draw)}, reduce_concat=range(2, 6))")
