"""How far from the exact Shapley values are estimators on real games, and do their intervals hold?

All of hlx's estimators beside shapiq's and shap's own, on the ten exhaustive 16-player games of a ViT in
../shared/games (skipped where they are missing): the same tables, the same budgets, one run. A budget counts
distinct coalitions; what a peer really spends is counted too. Estimators are replayed in two processes of one
thread each; before that, alone and on all cores, what planning and solving cost is timed.

    python benchmarks/estimators.py [--quick] [--games N]

Takes about six minutes on two cores, and for every expensive estimator half of what it takes to solve each
game five times at every budget; --quick takes half a minute, prints, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from _environment import ROOT, environment
from _estimator_speed import expensive_speed, linear_speed
from _peers import LEFT_OUT, PEERS, run_peers

from hlx.bench import BenchmarkResult, benchmark_estimators, joined, markdown, read_games, save_plot
from hlx.bench.result import REFERENCE
from hlx.estimators import ESTIMATORS
from hlx.games.regions import Grid

GAMES = ROOT.parent / "shared" / "games" / "vit16_games.npz"
GRID = Grid(4, 4)
BUDGETS = (37, 82, 179, 394, 864, 1895, 4156)
MANY_BELOW = 864
"""Cheap estimators are repeated more often at budgets below this."""

STIMULI = 1000
"""Solved at once by the linear estimators."""

PLOTTED_PEERS = (
    "shapiq KernelSHAP, paired, with replacement",
    "shapiq SVARM, paired, with replacement",
    "shap KernelExplainer, paired, l1_reg=False, with replacement",
    "shap PermutationExplainer, antithetic, with replacement",
)
PACKAGES = ("hlx", "numpy", "scipy", "numba", "jax", "shapiq", "shap")

Task = tuple[str, tuple[str, ...], tuple[int, ...], int, int]
"""("hlx" or "peers", names, budgets, repeats, first seed)"""


def tasks(budgets: Sequence[int], many: int, few: int) -> list[Task]:
    """The run in pieces, the longest first: expensive estimators, large budgets, slow peers."""
    low = tuple(budget for budget in budgets if budget < MANY_BELOW)
    high = tuple(budget for budget in budgets if budget >= MANY_BELOW)
    sampled = [estimator for estimator in ESTIMATORS.values() if not estimator.exhaustive]
    cheap = tuple(estimator.name for estimator in sampled if not estimator.expensive)
    pieces: list[Task] = []
    for estimator in sampled:
        if estimator.expensive:
            for budget in sorted(budgets, reverse=True):
                pieces += [("hlx", (estimator.name,), (budget,), 1, seed) for seed in range(few)]
    for part, repeats in ((high, few), (low, many)):
        if part:
            for peer in sorted(PEERS, key=lambda peer: not peer.slow):
                pieces.append(("peers", (peer.name,), part, few if peer.slow else repeats, 0))
            pieces.append(("hlx", cheap, part, repeats, 0))
    return pieces


def run_task(task: Task, count: int | None) -> tuple[BenchmarkResult, float]:
    """One piece on the first `count` games, and the seconds it took."""
    kind, names, budgets, repeats, seed = task
    start = time.perf_counter()
    games = read_games(GAMES, ["values"], GRID)[:count]
    if kind == "hlx":
        result = benchmark_estimators(
            games, names, budgets, repeats=repeats, expensive_repeats=repeats, seed=seed, faithfulness=True
        )
    else:
        # A run without rows that says which games these are.
        like = benchmark_estimators(games, ["occlusion"], [GRID.n_players + 2], repeats=1)
        result = run_peers(like, games, names, budgets, repeats, seed, (GRID.rows, GRID.cols))
    return result, time.perf_counter() - start


def run_all(pieces: Sequence[Task], count: int | None, processes: int) -> tuple[BenchmarkResult, float]:
    """All pieces as one result, in the order of the registry and of `PEERS`, and the seconds they took."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    start = time.perf_counter()
    # Spawned: they read these variables anew, and threads of this process do not come along.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(run_task, piece, count) for piece in pieces]
        results = []
        for piece, future in zip(pieces, running, strict=True):
            result, seconds = future.result()
            results.append(result)
            print(f"  {', '.join(piece[1])} at {piece[2]}: {seconds:.1f} s", flush=True)
    whole = joined(results)
    order = [name for name in (*ESTIMATORS, *(peer.name for peer in PEERS)) if name in whole.estimators]
    rows = sorted(whole.rows, key=lambda row: (order.index(row.estimator), row.budget))
    return replace(whole, rows=rows, estimators=order), time.perf_counter() - start


def ratios(result: BenchmarkResult) -> str:
    """Markdown: mean squared errors over those of the reference, with their bootstrapped 95% intervals."""
    lines = [["", *(f"{budget:,}" for budget in result.budgets)], ["---", *["---:"] * len(result.budgets)]]
    for name in result.estimators:
        cells = []
        for budget in result.budgets:
            row = result.row(name, budget)
            ratio = None if row is None else result.ratio(row)
            cells.append("-" if ratio is None else f"{ratio.value:.2f} ({ratio.low:.2f}-{ratio.high:.2f})")
        lines.append([name, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def overspent(result: BenchmarkResult) -> list[dict[str, Any]]:
    """Where more distinct coalitions were evaluated than the budget allows."""
    found = []
    for row in result.rows:
        most = float(row.samples["evaluations"].max())
        if most > row.budget:
            found.append({"estimator": row.estimator, "budget": row.budget, "most_evaluations": most})
    return found


def best(result: BenchmarkResult) -> list[dict[str, Any]]:
    """The estimator of least mean squared error at each budget, and its ratio to the reference."""
    found = []
    for budget in result.budgets:
        rows = [row for row in result.rows if row.budget == budget]
        row = min(rows, key=lambda row: float(row.samples["mse"].mean()))
        ratio = result.ratio(row)
        found.append(
            {
                "budget": budget,
                "estimator": row.estimator,
                "mse_ratio": None if ratio is None else ratio.as_dict(),
            }
        )
    return found


def show(result: BenchmarkResult) -> None:
    """The tables, as Markdown."""
    alike: dict[str, list[str]] = {}
    for name in result.estimators:
        own = (f"{row.repeats} at {row.budget:,}" for row in result.rows if row.estimator == name)
        alike.setdefault(", ".join(own), []).append(name)
    print(f"\n{len(result.games)} games; repeats of each:")
    for counts, names in alike.items():
        print(f"  {counts}: {'; '.join(names)}")
    print("\n## Mean squared error (in brackets the SEM in units of the last digit)\n")
    print(markdown(result, "mse"))
    if REFERENCE in result.estimators:
        print(f"\n## Mean squared error over that of {REFERENCE} (95% bootstrap interval: games x seeds)\n")
        print(ratios(result))
    intervals = [
        name for name in result.estimators if name in ESTIMATORS and ESTIMATORS[name].standard_errors
    ]
    print("\n## Coverage of the nominal 95% interval, %\n")
    print(markdown(replace(result, estimators=intervals), "coverage"))
    for measure, title in (
        ("precision", "Precision@5 of |phi|"),
        ("kendall", "Kendall's tau of the signed values"),
        ("evaluations", "Distinct coalitions evaluated, mean"),
        ("seconds", "Seconds for one game, median: planning, looking up, solving"),
    ):
        print(f"\n## {title}\n\n{markdown(result, measure)}")
    for case in overspent(result):
        print(f"\nover budget: {case['estimator']} spends {case['most_evaluations']:.0f} of {case['budget']}")


def write(name: str, about: dict[str, Any], result: BenchmarkResult) -> Path:
    """bench_results/NAME.json: what made it, then a row per line."""
    head = {"environment": environment(PACKAGES), **about, **result.as_dict()}
    rows = head.pop("rows")
    lines = ",\n".join(f"    {json.dumps(_short(row), allow_nan=False)}" for row in rows)
    text = json.dumps(_short(head), indent=2, allow_nan=False).rstrip("}\n")
    path = ROOT / "bench_results" / f"{name}.json"
    path.write_text(f'{text},\n  "rows": [\n{lines}\n  ]\n}}\n')
    json.loads(path.read_text())
    return path


def _short(value: Any) -> Any:
    """Floats to four digits, which is more than their spread is worth."""
    if isinstance(value, dict):
        return {key: _short(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_short(entry) for entry in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two games, two budgets; writes nothing")
    parser.add_argument("--games", type=int, help="the first so many of the ten")
    parser.add_argument("--repeats", type=int, default=30, help="at small budgets (default: 30)")
    parser.add_argument("--few", type=int, default=5, help="repeats elsewhere (default: 5)")
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--name", default="estimators", help="of the files in bench_results")
    options = parser.parse_args()
    if not GAMES.is_file():
        print(f"skipped: the games are missing, there is no {GAMES}")
        return
    count, budgets, many, few = options.games, options.budgets, options.repeats, options.few
    if options.quick:
        count, budgets, many, few = 2, (82, 179), 2, 1
    games = read_games(GAMES, ["values"], GRID)[:count]

    # On all cores and before the processes start, which would share them.
    linear = linear_speed(games, GRID, 394, STIMULI)
    expensive = expensive_speed(games[:3], GRID, (179,) if options.quick else (394, 1895))
    result, seconds = run_all(tasks(budgets, many, few), count, options.processes)

    show(result)
    print(f"\n## Seconds to plan and solve {STIMULI} games at once, budget {linear['budget']}\n")
    for name, samples in linear["seconds"].items():
        print(f"  {name}: {samples['median']:.4f} ({samples['min']:.4f} - {samples['max']:.4f})")
    print("\n## Seconds to plan and solve one game\n")
    for row in expensive:
        print(f"  {row['estimator']} at {row['budget']}: {row['seconds']['median']:.2f}")
    print("\n## Best\n")
    for row in best(result):
        ratio = row["mse_ratio"]
        relative = "" if ratio is None else f", {ratio['value']:.2f} of {REFERENCE}"
        print(f"  {row['budget']:,}: {row['estimator']}{relative}")
    print(f"\nleft out: {LEFT_OUT}\nestimators took {seconds:.0f} s in {options.processes} processes")
    if options.quick:
        return
    about = {
        "seconds_in_all": seconds,
        "processes": options.processes,
        "best": best(result),
        "over_budget": overspent(result),
        "left_out": LEFT_OUT,
        "plan_and_solve_at_once": linear,
        "plan_and_solve_one": expensive,
    }
    path = write(options.name, about, result)
    shown = [name for name in result.estimators if name in ESTIMATORS or name in PLOTTED_PEERS]
    picture = path.with_suffix(".png")
    title = f"{len(games)} games of a ViT, 16 regions; bands: one SEM; dashed: peers"
    save_plot(picture, _briefly(replace(result, estimators=shown)), title=title, dashed=_brief_peers())
    print(f"written: {path}, {picture}")


def _briefly(result: BenchmarkResult) -> BenchmarkResult:
    """With the peers' names cut to what tells them apart in a picture."""
    rows = [replace(row, estimator=_brief(row.estimator)) for row in result.rows]
    return replace(result, rows=rows, estimators=[_brief(name) for name in result.estimators])


def _brief(name: str) -> str:
    return name.replace(", with replacement", "").replace(", l1_reg=False", "")


def _brief_peers() -> list[str]:
    return [_brief(name) for name in PLOTTED_PEERS]


if __name__ == "__main__":
    main()
