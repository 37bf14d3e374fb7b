"""How long do Shapley values, Banzhaf values and the Moebius transform of a table take?

Two yardsticks, each interleaved with hlx in one run:
- shapiq's ExactComputer, given the same precomputed table as its game. Only its transform is timed: a fresh
  computer is made, and asks the game for all values, before the clock starts (that time is listed apart). hlx
  is timed from the table as it is, without any preparation.
- a plain copy of the table into memory that is already there (numpy.copyto, one thread).

    python benchmarks/tables.py [--repeats 5] [--shapiq 12 16] [--copies 16 20 24]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from _environment import interleave, ratio, summary, write_results
from _table_timing import first_call, shapiq_computer

from hlx.kernels import banzhaf, moebius, shapley

KERNELS = {"shapley": shapley, "banzhaf": banzhaf, "moebius": moebius}
INDICES = {"shapley": "SV", "banzhaf": "BV", "moebius": "Moebius"}  # as shapiq calls them
FIRST_CALL = """
import time, numpy as np
start = time.perf_counter()
from hlx import kernels
ready = time.perf_counter()
kernels.{name}(np.zeros(16))
print(ready - start, time.perf_counter() - ready)
"""


def against_shapiq(n: int, repeats: int) -> list[dict[str, Any]]:
    """Shapley and Banzhaf values, and up to n = 12 the Moebius transform, which is minutes above that."""
    table = np.random.default_rng(n).normal(size=1 << n)

    def computer() -> Any:
        return shapiq_computer(table)

    start = time.perf_counter()
    computer()
    preparation = time.perf_counter() - start
    rows = []
    for name, kernel in KERNELS.items():
        if name == "moebius" and n > 12:
            continue
        index = INDICES[name]
        seconds = interleave(
            {"hlx": lambda kernel=kernel: kernel(table), "shapiq": lambda made, index=index: made(index)},
            repeats,
            setups={"shapiq": computer},
        )
        rows.append(
            {
                "transform": name,
                "n": n,
                "hlx_seconds": summary(seconds["hlx"]),
                "shapiq_seconds": summary(seconds["shapiq"]),
                "shapiq_preparation_seconds": preparation,
                "times_faster": ratio(seconds["shapiq"], seconds["hlx"]),
                "largest_difference": _difference(kernel(table), computer()(index), name),
            }
        )
    return rows


def _difference(found: np.ndarray, theirs: Any, name: str) -> float:
    n = len(found) if name != "moebius" else len(found).bit_length() - 1
    ids = range(len(found)) if name == "moebius" else [1 << player for player in range(n)]
    coalitions = [tuple(player for player in range(n) if c >> player & 1) for c in ids]
    return max(abs(value - theirs[players]) for value, players in zip(found, coalitions, strict=True))


def against_copy(n: int, repeats: int) -> list[dict[str, Any]]:
    """Every transform of one table in double precision, and Shapley values in single precision."""
    table = np.random.default_rng(n).normal(size=1 << n)
    single, buffer = table.astype(np.float32), table.copy()
    functions = {"copy": lambda: np.copyto(buffer, table), "shapley, float32": lambda: shapley(single)}
    functions |= {name: lambda kernel=kernel: kernel(table) for name, kernel in KERNELS.items()}
    functions["shapley, one thread"] = lambda: shapley(table, threads=1)
    seconds = interleave(functions, repeats)
    return [
        {
            "transform": name,
            "n": n,
            "hlx_seconds": summary(seconds[name]),
            "copy_seconds": summary(seconds["copy"]),
            "copies": ratio(seconds[name], seconds["copy"]),
            "copies_per_axis": float(np.median(seconds[name]) / np.median(seconds["copy"]) / n),
        }
        for name in functions
        if name != "copy"
    ]


def many_tables(games: int, n: int, repeats: int) -> dict[str, Any]:
    """Shapley values of a batch of tables, as a study of many stimuli needs them."""
    tables = np.random.default_rng(n).normal(size=(games, 1 << n))
    seconds = interleave({"shapley": lambda: shapley(tables)}, repeats)["shapley"]
    return {"games": games, "n": n, "seconds_per_table": summary([s / games for s in seconds])}


def first_calls() -> dict[str, dict[str, float]]:
    """`first_call` of every kernel."""
    return {name: first_call(FIRST_CALL.format(name=name)) for name in KERNELS}


def _print_row(row: dict[str, Any], other: str, compared: str, digits: str, end: str = "") -> None:
    ratios = row[compared]
    spread = f"{ratios['median']:{digits}} ({ratios['min']:{digits}} - {ratios['max']:{digits}})"
    ours, theirs = (row[key]["median"] * 1e3 for key in ("hlx_seconds", other))
    print(f"{row['transform']:20} {row['n']:3} {ours:10.3f} {theirs:10.3f} {spread:>32}{end}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds (default: 5)")
    parser.add_argument("--shapiq", type=int, nargs="*", default=[12, 16], help="players, against shapiq")
    parser.add_argument(
        "--copies", type=int, nargs="*", default=[12, 16, 20, 24], help="players, against a copy"
    )
    options = parser.parse_args()

    results: dict[str, Any] = {"first_call_seconds": first_calls(), "against_shapiq": [], "against_copy": []}
    print("seconds of a first call in a new process, compiled and from disk:")
    for name, times in results["first_call_seconds"].items():
        print(f"  {name:8} {times['compiled']:6.2f} {times['from_disk']:6.2f}")
    print(f"\n{'':20} {'n':>3} {'hlx ms':>10} {'shapiq ms':>10} {'times faster (least - most)':>32}")
    for n in options.shapiq:
        for row in against_shapiq(n, options.repeats):
            results["against_shapiq"].append(row)
            _print_row(row, "shapiq_seconds", "times_faster", ",.0f")
    print(f"\n{'':20} {'n':>3} {'hlx ms':>10} {'copy ms':>10} {'copies (least - most)':>32} {'per axis':>9}")
    for n in options.copies:
        for row in against_copy(n, max(options.repeats, 9)):
            results["against_copy"].append(row)
            _print_row(row, "copy_seconds", "copies", ".2f", f"{row['copies_per_axis']:10.3f}")
    results["many_tables"] = many_tables(64, 16, max(options.repeats, 9))
    per_table = results["many_tables"]["seconds_per_table"]["median"]
    print(f"\n64 tables of 16 players: {per_table * 1e6:.0f} microseconds each")
    print(f"written: {write_results('tables', results, ['hlx', 'numba', 'numpy', 'shapiq'])}")


if __name__ == "__main__":
    main()
