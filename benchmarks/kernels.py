"""How long do the pairing permutation test and the rasteriser of clicks take?

Yardsticks, each interleaved with hlx in one run:
- the reference study's own loop, which permutes the human maps and calls scipy.stats.spearmanr for every
  pair, on a slice of the shuffles and scaled to all of them. hlx starts from the same maps: the matrix of the
  rank correlations of all pairs is part of its time.
- numpy.random.Generator.permuted and a sum of the entries it picks, from the same matrix, all shuffles.
- the equations of click masks in NumPy, over the whole canvas for every click, on a slice of the responses
  and scaled to all clicks.

The maps are those of a study in the reference study's layout if there is one, else random ones of 92 stimuli.
Compilation is timed apart, in new processes.

    python benchmarks/kernels.py [--repeats 7] [--study ../shared/thesis --model CLIP]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _environment import ROOT, device_name, interleave, ratio, summary, write_results
from _slow_kernels import canvas_masks, loop_null, permuted_sums
from _table_timing import first_call

from hlx.alignment.inference import pairing_test
from hlx.alignment.maps import spearman_matrix
from hlx.attribution.map_tables import read_map_table
from hlx.humans import ClickMask
from hlx.kernels import click_masks, default_threads, pairing_sums

SHUFFLES, MILLION, THREADS = 10_000, 1_000_000, (1, 2, 3)
CLICKS, RESPONSES = 10_000, 348
CALLS = {
    "pairing_sums": "kernels.pairing_sums(np.eye(3), 1, 0)",
    "click_masks": "kernels.click_masks(np.zeros((1, 2)), np.array([0, 1]), 9, 3.0, 1.0, 1.0, 9.0)",
}
FIRST_CALL = """
import time, numpy as np
start = time.perf_counter()
from hlx import kernels
ready = time.perf_counter()
{call}
print(ready - start, time.perf_counter() - ready)
"""


def study_maps(folder: Path, model: str) -> tuple[str, np.ndarray, np.ndarray]:
    """What they are, magnitudes |phi| and human maps, both (n, cells)."""
    if not folder.is_dir():
        rng = np.random.default_rng(0)
        maps, humans = rng.exponential(size=(2, 92, 16))
        return "random maps", maps, humans
    _, phi = read_map_table(folder / f"shapley_{model}.csv")
    _, seen = read_map_table(folder / "human_maps.csv")
    names = [name for name in seen if name in phi]
    humans = np.array([seen[name] for name in names])
    return f"published maps of {model}", np.abs([phi[name] for name in names]), humans


def against_loop(maps: np.ndarray, humans: np.ndarray, slice_of: int, repeats: int) -> dict[str, Any]:
    """The whole permutation test of 10,000 shuffles beside a slice of the study's loop."""
    rng = np.random.default_rng(0)
    seconds = interleave(
        {
            "hlx": lambda: pairing_sums(spearman_matrix(maps, humans), SHUFFLES, 0),
            "loop": lambda: loop_null(maps, humans, slice_of, rng),
        },
        repeats,
    )
    scaled = [taken * SHUFFLES / slice_of for taken in seconds["loop"]]
    return {"shuffles": SHUFFLES, "shuffles_timed": slice_of, **_compared(seconds["hlx"], scaled)}


def against_permuted(matrix: np.ndarray, repeats: int) -> dict[str, Any]:
    """The null distribution of 10,000 shuffles from the same matrix."""
    rng = np.random.default_rng(0)
    seconds = interleave(
        {
            "hlx": lambda: pairing_sums(matrix, SHUFFLES, 0),
            "permuted": lambda: permuted_sums(matrix, SHUFFLES, rng),
        },
        repeats,
        warm_up=3,
    )
    return {"shuffles": SHUFFLES, **_compared(seconds["hlx"], seconds["permuted"])}


def million(matrix: np.ndarray, repeats: int) -> dict[str, Any]:
    """Seconds of a million shuffles, by number of threads."""
    counts = {f"{threads}": threads for threads in (1, default_threads())}
    seconds = interleave(
        {
            name: lambda threads=threads: pairing_sums(matrix, MILLION, 0, threads=threads)
            for name, threads in counts.items()
        },
        repeats,
    )
    return {"shuffles": MILLION, "seconds_by_threads": {name: summary(seconds[name]) for name in counts}}


def same_for_any_threads(matrix: np.ndarray) -> dict[str, Any]:
    """p-values of a million shuffles, enough for every thread to take part."""
    tests = [pairing_test(matrix, shuffles=MILLION, seed=1, threads=threads) for threads in THREADS]
    equal = all(np.array_equal(test.null, tests[0].null) for test in tests)
    return {"threads": THREADS, "p": [t.p_corrected for t in tests], "null_distributions_equal": equal}


def against_canvas(slice_of: int, repeats: int) -> dict[str, Any]:
    """Masks of 10,000 clicks in 348 responses, as the reference study draws them."""
    rng, mask = np.random.default_rng(0), ClickMask()
    clicks = rng.uniform(-0.5, mask.side - 0.5, (CLICKS, 2))
    starts = np.concatenate([[0], np.cumsum(rng.multinomial(CLICKS, np.full(RESPONSES, 1 / RESPONSES)))])
    shape = mask.side, mask.radius, mask.gain, mask.sigma, mask.cap
    timed = starts[: slice_of + 1]
    part = clicks[: timed[-1]]
    difference = np.abs(click_masks(part, timed, *shape) - canvas_masks(part, timed, *shape)).max()
    seconds = interleave(
        {
            "hlx": lambda: click_masks(clicks, starts, *shape),
            "canvas": lambda: canvas_masks(part, timed, *shape),
        },
        repeats,
    )
    scaled = [taken * CLICKS / len(part) for taken in seconds["canvas"]]
    counts = {"clicks": CLICKS, "responses": RESPONSES, "clicks_timed": len(part)}
    return {**counts, **_compared(seconds["hlx"], scaled), "largest_difference": float(difference)}


def _compared(hlx: list[float], other: list[float]) -> dict[str, Any]:
    return {
        "hlx_seconds": summary(hlx),
        "other_seconds": summary(other),
        "times_faster": ratio(other, hlx),
    }


def _print_row(name: str, row: dict[str, Any], note: str = "") -> None:
    ours, theirs, times = row["hlx_seconds"], row["other_seconds"], row["times_faster"]
    spread = f"{times['median']:,.1f} ({times['min']:,.1f} - {times['max']:,.1f})"
    print(
        f"{name:34} {ours['median'] * 1e3:10.2f} {theirs['median'] * 1e3:12.1f} {spread:>34}  {note}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7, help="timed rounds (default: 7)")
    parser.add_argument("--study", type=Path, default=ROOT.parent / "shared" / "thesis", help="its folder")
    parser.add_argument("--model", default="CLIP", help="of the study (default: CLIP)")
    parser.add_argument(
        "--loop-shuffles", type=int, default=10, help="slice of the study's loop (default: 10)"
    )
    parser.add_argument("--canvas-responses", type=int, default=5, help="slice of the responses (default: 5)")
    options = parser.parse_args()

    results: dict[str, Any] = {}
    results["first_call_seconds"] = {
        name: first_call(FIRST_CALL.format(call=call)) for name, call in CALLS.items()
    }
    print("seconds of a first call in a new process, compiled and from disk:")
    for name, times in results["first_call_seconds"].items():
        print(f"  {name:14} {times['compiled']:6.2f} {times['from_disk']:6.2f}")

    results["maps"], maps, humans = study_maps(options.study, options.model)
    matrix = spearman_matrix(maps, humans)
    kept = np.isfinite(np.diag(matrix))
    maps, humans, matrix = maps[kept], humans[kept], np.ascontiguousarray(matrix[np.ix_(kept, kept)])
    results["n"] = len(matrix)
    print(f"\n{results['maps']}, n = {len(matrix)}; {device_name()}, {default_threads()} threads")
    print(f"{'':34} {'hlx ms':>10} {'other ms':>12} {'times faster (least - most)':>34}")
    row = results["against_loop"] = against_loop(maps, humans, options.loop_shuffles, options.repeats)
    _print_row("10,000 shuffles, study's loop", row, f"{row['shuffles_timed']} of its shuffles timed, scaled")
    row = results["against_permuted"] = against_permuted(matrix, max(options.repeats, 15))
    _print_row("10,000 shuffles, permuted", row)
    row = results["against_canvas"] = against_canvas(options.canvas_responses, options.repeats)
    _print_row("10,000 clicks, whole canvas", row, f"{row['clicks_timed']} of its clicks timed, scaled")
    results["million"] = million(matrix, options.repeats)
    print("\na million shuffles:")
    for threads, taken in results["million"]["seconds_by_threads"].items():
        spread = f"({taken['min']:.3f} - {taken['max']:.3f})"
        print(f"  {taken['median']:.3f} s {spread} with {threads} thread{'s' if threads != '1' else ''}")
    results["threads"] = same_for_any_threads(matrix)
    found = ", ".join(f"{p:.6g}" for p in results["threads"]["p"])
    equal = "equal" if results["threads"]["null_distributions_equal"] else "DIFFERENT"
    print(f"p of a million shuffles with 1, 2, 3 threads: {found}; null distributions {equal}")
    print(f"written: {write_results('kernels', results, ['hlx', 'numba', 'numpy', 'scipy'])}")


if __name__ == "__main__":
    main()
