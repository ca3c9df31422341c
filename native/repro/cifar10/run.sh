#!/bin/sh
# Searches real CIFAR-10 with DARTS, SDARTS-RS and SDARTS-ADV: 10,000 images, half of them train w
# and half alpha, in the paper's space S5 with 8 channels and 5 cells.
#
# usage: run.sh DATA_DIR OUT_DIR [PROGRAM]
#
# DATA_DIR holds the official binary files (`sdarts fetch cifar10`). A method that is finished is
# not searched again, one that was interrupted continues.
set -eu
data=$1 out=$2 program=${3:-sdarts}

for method in darts sdarts-rs sdarts-adv; do
    "$program" search --preset "cifar10-s5-$method" --epochs 3 \
        --set search.channels=8 --set search.cells=5 --set data.train_images=10000 \
        --data-dir "$data" --device cpu --out "$out/$method"
done
