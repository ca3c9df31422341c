#!/bin/sh
# Everything that is measured on a GPU, for the table of README.md:  run.sh SDARTS OUT [PYTHON]
# PYTHON, one with PyTorch for CUDA, adds the peer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sdarts=$1 out=$2 python=${3:-}
mkdir -p "$out"

bench() {
    "$sdarts" bench --preset cifar10-s5-sdarts-adv --device wgpu --json --skip-peaks "$@"
}

"$sdarts" doctor --json > "$out/doctor.json"
nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,clocks.max.mem --format=csv > "$out/card.csv" 2> /dev/null || true
for batch in 64 96; do
    for replay in on off; do
        bench --set search.batch_size=$batch --set run.replay=$replay --method darts --method sdarts-rs \
            --method sdarts-adv --method darts-2nd --warmup 3 --steps 10
    done
done > "$out/steps.jsonl"
# What a unit in one launch brings, and its moments in it: each on its own, as a process has its kernels.
for kernels in apart joined tiled apart joined tiled; do
    SDARTS_WGSL=$kernels bench --set search.batch_size=64 --method darts --method sdarts-adv --warmup 3 --steps 10 |
        sed "s/^{/{\"wgsl\":\"$kernels\",/"
done > "$out/kernels.jsonl"
# What the host alone takes: the same launches over next to no numbers.
for replay in on off; do
    bench --set search.batch_size=2 --set data.image_size=8 --set run.replay=$replay --method darts --warmup 3 --steps 15
done > "$out/host.jsonl"
bench --set search.batch_size=64 --method darts --method sdarts-adv --steps 2 --profile > "$out/profile.jsonl"
"$sdarts" search --preset quick --device wgpu --out "$out/quick" --json > "$out/quick.jsonl"
if [ -n "$python" ]; then
    cd "$here/../peer"
    "$python" check.py --device cuda --part replay --part golden > "$out/check.log"
    "$python" compare.py --device gpu --sdarts "$sdarts" --json "$out/peer.jsonl" > "$out/peer.md"
fi
