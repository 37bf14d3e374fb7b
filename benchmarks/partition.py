"""How far are the Winter values of `partition`, the reference study's estimator, from exact Shapley values?

Both of every game in ../shared/games/vit16_games.npz: real games of a vision transformer on a 4 x 4 grid, all
2^16 values known. `partition` runs with the reference study's budget of 300, of which its tree uses 172.

    python benchmarks/partition.py [--games FILE.npz] [--budget 300]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _environment import ROOT, write_results
from scipy.stats import spearmanr

from hlx import Grid, shapley_from_table
from hlx.estimators.partition import PARTITION
from hlx.games.coalitions import ids_from_rows

GAMES = ROOT.parent / "shared" / "games" / "vit16_games.npz"
GRID = Grid(4, 4)
MEASURES = {
    "mse": "MSE",
    "relative_mse": "MSE / variance",
    "spearman": "Spearman phi",
    "spearman_magnitude": "Spearman |phi|",
    "top_5_shared": "of top 5 |phi|",
}


def compare(found: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Error, and agreement in rank, of the estimates (n,) of one game."""
    mse = float(np.mean((found - exact) ** 2))
    magnitudes = abs(found), abs(exact)
    top = [set(np.argsort(-magnitude)[:5].tolist()) for magnitude in magnitudes]
    return {
        "mse": mse,
        "relative_mse": mse / float(exact.var()),
        "spearman": float(spearmanr(found, exact).statistic),
        "spearman_magnitude": float(spearmanr(*magnitudes).statistic),
        "top_5_shared": len(top[0] & top[1]) / 5,
    }


def measure(tables: np.ndarray, budget: int) -> dict[str, Any]:
    """Every game's comparison, their means and standard errors of the mean."""
    # The tree is fixed: the generator plays no part.
    plan = PARTITION.plan(GRID.n_players, budget, np.random.default_rng(0), GRID)
    found = plan.solve(tables[:, ids_from_rows(plan.coalitions)]).values
    games = [compare(*pair) for pair in zip(found, shapley_from_table(tables), strict=True)]
    columns = {name: np.array([game[name] for game in games]) for name in MEASURES}
    return {
        "n": GRID.n_players,
        "evaluations": len(plan.coalitions),
        "games": games,
        "mean": {name: float(column.mean()) for name, column in columns.items()},
        "standard_error_of_mean": {
            name: float(column.std(ddof=1) / np.sqrt(len(column))) for name, column in columns.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--games", type=Path, default=GAMES, help="tables as `values` (g, 65536) in an .npz")
    parser.add_argument("--budget", type=int, default=300, help="evaluations (default: 300)")
    options = parser.parse_args()
    if not options.games.is_file():
        print(f"skipped: no games, {options.games} is missing", file=sys.stderr)
        return
    with np.load(options.games, allow_pickle=False) as archive:
        tables = archive["values"].astype(np.float64)
        numbers = archive["game"].tolist() if "game" in archive else list(range(len(tables)))

    results = measure(tables, options.budget)
    results["games"] = [
        {"game": number, **game} for number, game in zip(numbers, results["games"], strict=True)
    ]
    print(f"partition, {results['evaluations']} evaluations, against exact Shapley values")
    print("game" + "".join(f"{title:>16}" for title in MEASURES.values()))
    for game in results["games"]:
        print(f"{game['game']:<4}" + "".join(f"{game[name]:16.3g}" for name in MEASURES))
    for label, key in (("mean", "mean"), ("SEM", "standard_error_of_mean")):
        print(f"{label:4}" + "".join(f"{results[key][name]:16.3g}" for name in MEASURES))
    print(f"written: {write_results('partition', results, ['hlx', 'numpy', 'scipy'])}")


if __name__ == "__main__":
    main()
