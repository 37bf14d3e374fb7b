"""How long do all interactions of a table take?

hlx against shapiq's ExactComputer, interleaved in one run: every index of order 2 (the Moebius transform of
all orders, since shapiq knows no other), from the same table. Of shapiq only the index is timed: a fresh
computer is made, and asks the game for all values, before the clock starts. hlx is timed from the bare table
to the finished result, checks included; the rational weights are kept from the warm-up, and what computing
them takes is listed apart.

shapiq's faithful indices build matrices of 2^n x 2^n numbers: at n = 16 they would take 32 GiB each, and are
left out. Weighted Banzhaf is not in shapiq; it is timed alone, as are higher orders and more players.

    python benchmarks/interactions.py [--repeats 3] [--players 12 16] [--alone 16 20 24]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from _environment import interleave, ratio, summary, write_results
from _table_timing import first_call, shapiq_computer

from hlx.attribution.interactions import INDICES, interactions
from hlx.kernels import derivative_weights

SQUARE_MATRICES = ("FSII", "FBII")
LARGEST_SQUARE = 12  # players, for indices that shapiq solves with 2^n x 2^n matrices
FIRST_CALL = """
import time, numpy as np
start = time.perf_counter()
from hlx.attribution.interactions import interactions
from hlx import kernels
ready = time.perf_counter()
interactions(np.zeros(1 << 16), "SII", 2)
print(ready - start, time.perf_counter() - ready)
"""


def against_shapiq(n: int, repeats: int) -> list[dict[str, Any]]:
    """Each index that both have."""
    table = np.random.default_rng(n).normal(size=1 << n)

    def computer() -> Any:
        return shapiq_computer(table)

    rows = []
    for index in INDICES:
        if index == "WBII" or (index in SQUARE_MATRICES and n > LARGEST_SQUARE):
            continue
        order = n if index == "Moebius" else 2
        theirs: list[Any] = []  # the last result, to compare without another minute of computing

        def compute(made: Any, index: str = index, order: int = order, kept: list[Any] = theirs) -> None:
            kept[:] = [made(index, order)]

        ours = interactions(table, index, order)  # compiles
        seconds = interleave(
            {"hlx": lambda index=index, order=order: interactions(table, index, order), "shapiq": compute},
            repeats,
            setups={"shapiq": computer},
            warm_up=0,
        )
        difference = max(abs(ours[players] - theirs[0][players]) for players in ours)
        row = {
            "index": index,
            "n": n,
            "order": order,
            "hlx_seconds": summary(seconds["hlx"]),
            "shapiq_seconds": summary(seconds["shapiq"]),
            "times_faster": ratio(seconds["shapiq"], seconds["hlx"]),
            "largest_difference": difference,
        }
        rows.append(row)
        times = row["times_faster"]
        spread = f"{times['median']:,.0f} ({times['min']:,.0f} - {times['max']:,.0f})"
        hlx_ms, shapiq_ms = (row[key]["median"] * 1e3 for key in ("hlx_seconds", "shapiq_seconds"))
        print(
            f"{index:8} {n:3} {order:5} {hlx_ms:10.2f} {shapiq_ms:10.0f} {spread:>30} {difference:12.1e}",
            flush=True,
        )
    return rows


def alone(n: int, order: int, index: str, repeats: int) -> dict[str, Any]:
    """hlx where shapiq has nothing to compare with."""
    table = np.random.default_rng(n).normal(size=1 << n)
    start = time.perf_counter()
    derivative_weights.__wrapped__(index, n, order)
    weights = time.perf_counter() - start
    seconds = interleave({"hlx": lambda: interactions(table, index, order)}, repeats)["hlx"]
    row = {
        "index": index,
        "n": n,
        "order": order,
        "hlx_seconds": summary(seconds),
        "weights_seconds": weights,
    }
    print(f"{index:8} {n:3} {order:5} {np.median(seconds) * 1e3:10.2f} {weights * 1e3:18.2f}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="timed rounds (default: 3)")
    parser.add_argument("--players", type=int, nargs="*", default=[12, 16], help="players, against shapiq")
    parser.add_argument("--alone", type=int, nargs="*", default=[16, 20, 24], help="players, without shapiq")
    options = parser.parse_args()

    results: dict[str, Any] = {
        "first_call_seconds": first_call(FIRST_CALL),
        "against_shapiq": [],
        "alone": [],
    }
    times = results["first_call_seconds"]
    print(
        f"first call in a process: {times['compiled']:.2f} s compiled, {times['from_disk']:.2f} s from disk"
    )
    print(
        f"\n{'':8} {'n':>3} {'order':>5} {'hlx ms':>10} {'shapiq ms':>10} {'times faster (range)':>30} "
        f"{'difference':>12}"
    )
    for n in options.players:
        results["against_shapiq"] += against_shapiq(n, options.repeats)
        if n > LARGEST_SQUARE:
            print(f"{', '.join(SQUARE_MATRICES)}: left out at {n} players, shapiq's matrices do not fit")
    print(f"\n{'':8} {'n':>3} {'order':>5} {'hlx ms':>10} {'weights, once, ms':>18}")
    for n in options.alone:
        orders = [2, 3, n] if n <= 16 else [2, 3]
        for order in orders:
            for index in ("k-SII", "FSII", "WBII") if n <= 16 else ("k-SII",):
                results["alone"].append(alone(n, order, index, max(options.repeats, 5)))
    print(f"written: {write_results('interactions', results, ['hlx', 'numba', 'numpy', 'shapiq'])}")


if __name__ == "__main__":
    main()
