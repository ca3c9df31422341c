"""Times a step of recurrent.py at the paper's sizes; one JSON object.

    python bench_recurrent.py --what search --threads 2 --steps 3 [--lean] [--compile]
    python bench_recurrent.py --what training --threads 2 --steps 3 [--compile]

The words are random. A step is timed as in bench.py. --compile compiles the cell with torch.compile, which
takes a minute; the first step is not timed.
"""

import argparse
import json
import statistics
import time

import torch

from bench import peak_memory_mb
from recurrent import DerivedCell, Descent, Language, Search, SearchCell


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--what", choices=("search", "training"), default="search")
    parser.add_argument("--method", default="sdarts-rs")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--rows", type=int, default=35)
    parser.add_argument("--vocabulary", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--lean", action="store_true")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    search = args.what == "search"
    hidden = args.hidden or (300 if search else 850)
    batch = args.batch or (256 if search else 64)
    cell = SearchCell(hidden) if search else DerivedCell(hidden)
    model = Language(args.vocabulary, cell, word=0.0 if search else 0.1)
    if args.compile:
        cell.compile(dynamic=False)

    def text():
        words = torch.randint(args.vocabulary, (args.rows + 1, batch))
        return words[:-1], words[1:]

    alpha = (1e-3 * torch.randn(36, 5)).requires_grad_()
    searcher = Search(model, alpha, args.method, lean=args.lean)
    descent = Descent(model, 20.0, 8e-7)
    h = h_valid = torch.zeros(batch, hidden)
    seconds = []
    for _ in range(args.warmup + args.steps):
        train, valid = text(), text()
        start = time.perf_counter()
        if search:
            _, h_valid, (*numbers, h) = searcher.step(train, valid, h, h_valid)
        else:
            *numbers, h = descent.step(*train, h)
        seconds.append(time.perf_counter() - start)
    timed = seconds[args.warmup :]
    row = {
        "what": args.what,
        "method": args.method if search else None,
        "lean": args.lean,
        "compile": args.compile,
        "batch": batch,
        "hidden": hidden,
        "rows": args.rows,
        "threads": args.threads,
        "step_seconds": statistics.median(timed),
        "seconds": timed,
        "first_step_seconds": seconds[0],
        "nll": numbers[0].item(),
        "peak_memory_mb": peak_memory_mb(),
        "torch": torch.__version__,
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
