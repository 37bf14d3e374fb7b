"""What do estimators that keep a matrix of all pairs take at large budgets?

One 7x7 game of saturating players, solved in a process of its own for every estimator and budget; the most
resident memory is that of the whole process, Python and libraries included.

    python benchmarks/estimator_memory.py [--budgets 2048 8192]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
from _environment import most_resident, write_results

import hlx

ESTIMATORS = ("odd-gp", "regression-adjusted")
GRID = hlx.Grid(7, 7)


def solve(name: str, budget: int) -> None:
    """Print one JSON object: seconds, bytes, and the largest standard error beside the values' range."""
    n, rng = GRID.n_players, np.random.default_rng(0)
    single, pairs = rng.standard_normal(n) / 4, rng.standard_normal((n, n)) / n

    def game(coalitions: np.ndarray) -> np.ndarray:
        shown = coalitions.astype(float)
        return np.tanh(shown @ single + np.einsum("mi,ij,mj->m", shown, pairs, shown))

    start = time.perf_counter()
    found = hlx.estimate(game, n, name, budget, regions=GRID)
    assert found.standard_error is not None
    numbers = {
        "seconds": time.perf_counter() - start,
        "resident": most_resident(),
        "largest_error": float(found.standard_error.max()),
        "range": float(np.ptp(found.values)),
    }
    print(json.dumps(numbers))


def main(budgets: list[int]) -> None:
    """Print a table and write bench_results/estimator-memory.json."""
    rows = []
    for name in ESTIMATORS:
        for budget in budgets:
            command = [sys.executable, __file__, "--one", name, str(budget)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append({"estimator": name, "budget": budget, **json.loads(done.stdout)})
            row = rows[-1]
            print(f"{name:20} {budget:6,} {row['seconds']:6.1f} s {row['resident'] / 2**20:6.0f} MiB")
    found = {"players": GRID.n_players, "load": os.getloadavg()[0], "rows": rows}
    write_results("estimator-memory", found, ("numpy", "scipy", "threadpoolctl"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budgets", type=int, nargs="+", default=[2048, 8192])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        solve(options.one[0], int(options.one[1]))
    else:
        main(options.budgets)
