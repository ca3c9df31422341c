#!/usr/bin/env bash
# Trains three cells on real CIFAR-10, one after another: run.sh DATA OUT SDARTS SEED…
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
data=$1 out=$2 sdarts=$3
shift 3

train() { # name, genotype, seed
    "$sdarts" train "$2" --preset train-cifar10 --data-dir "$data" --device cpu --threads "${THREADS:-2}" \
        --set train.cells=8 --set train.channels=8 --set train.epochs=10 --seed "$3" --out "$out/$1-$3"
}

for seed in "$@"; do
    train c10_s5_pgd c10_s5_pgd "$seed"
    train DARTS_V2 DARTS_V2 "$seed"
    train random "$(python3 "$here/random_cell.py" 1)" "$seed"
done
