"""Run many seeds, on all cores: ``python -m tests.simulation --seeds 10000``; tell one: ``--seed 42``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from .world import History, simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one and tell its history")
    wanted = parser.parse_args()
    if wanted.seed is not None:
        history = simulate(wanted.seed)
        print(*history.lines, *history.violations, sep="\n")
        return bool(history.violations)
    began = time.monotonic()
    counts: Counter[str] = Counter()
    failed = 0
    seconds = 0.0
    seeds = range(wanted.first, wanted.first + wanted.seeds)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for history in pool.map(_short, seeds, chunksize=20):
            counts += history.counts
            seconds += history.seconds
            if history.violations:
                failed += 1
                print(f"seed {history.seed}:", *history.violations, sep="\n  ", flush=True)
    print(
        f"{failed} of {wanted.seeds:,} seeds failed; {seconds / 3600:,.1f} hours of the simulated world "
        f"in {time.monotonic() - began:,.0f} s"
    )
    print(", ".join(f"{what} {count:,}" for what, count in sorted(counts.items())))
    return failed > 0


def _short(seed: int) -> History:
    history = simulate(seed)
    history.lines.clear()
    return history


if __name__ == "__main__":
    sys.exit(main())
