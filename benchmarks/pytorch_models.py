"""What do FLAVA and LXMERT cost a coalition, next to PyTorch, and what does a map of each model cost?

    python benchmarks/pytorch_models.py [--parts flava lxmert memory maps] [--rounds 3]

Random weights of the published sizes, one image, a 4x4 grid; all contenders of a part take turns in slices,
round after round, and ratios are taken within rounds.

- flava: FLAVA base in JAX (an exact sweep, and a game asked for rows) against transformers' image tower,
  batched, eager and compiled, given pixels that were composed before the clock started.
- lxmert: hlx's path with its detector, by batch size, against the same modules as they are written, one image
  at a time. Detectors of random weights propose regions of all anchors' sizes alike.
- memory: peak of a process that evaluates one batch of LXMERT, by batch size.
- maps: from the rates of one more run, hours of an exact 4x4 map (65,536 coalitions) and minutes of one of
  172 evaluations (the reference study's) for CLIP, SigLIP, FLAVA and LXMERT. Nothing of that length was run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _contenders import DEVICE, Compiled, Eager
from _environment import ROOT, device_name, environment, ratio, summary, write_results
from _hlx_contenders import Rows, Sweep
from _lxmert_contenders import Lxmert, OneAtATime, make_checkpoint
from _workload import TOWERS, Contender, Workload
from throughput import BATCHES, largest_differences, measure_rates, tune

PACKAGES = ("hlx", "jax", "jaxlib", "flax", "torch", "transformers", "numpy", "numba")
DTYPES = ("float32", "bfloat16")
LXMERT_BATCHES = (1, 4)
MEMORY_BATCHES = (1, 2, 4, 8)
EXACT, STUDY = 1 << 16, 172

Rates = dict[Contender, list[float]]


def rows_of(rates: Rates) -> list[dict[str, Any]]:
    """One row a contender: coalitions per second."""
    return [
        {"contender": one.name, "dtype": one.dtype, "batch": one.batch, "per_second": summary(values)}
        for one, values in rates.items()
    ]


def rates_by_name(rates: Rates) -> dict[tuple[str, str], list[float]]:
    """Rates of rounds by contender's name and dtype."""
    return {(one.name, one.dtype): values for one, values in rates.items()}


def flava(folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """FLAVA in JAX against PyTorch."""
    workload = Workload.make(TOWERS["flava"], folder / "flava", pool=16)
    kinds = (Sweep, Rows, Eager, Compiled)
    found: list[Contender] = [kind(workload, dtype) for dtype in DTYPES for kind in kinds]
    tune(found, BATCHES[DEVICE]["siglip"], seconds)
    different = largest_differences(found)
    rates = measure_rates(found, rounds, seconds)
    by_name, ratios = rates_by_name(rates), {}
    for dtype in DTYPES:
        others = [("torch eager", dtype), ("torch compile", dtype)]
        best = max(others, key=lambda key: np.median(by_name[key]))
        for name in ("hlx sweep", "hlx game(rows)"):
            ratios[f"{name} {dtype} / better of PyTorch ({best[0]})"] = ratio(
                by_name[name, dtype], by_name[best]
            )
    return {"contenders": rows_of(rates), "ratios": ratios, "largest_difference_of_f": different}


def lxmert(folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """LXMERT with its detector against the same modules one image at a time."""
    plain = [OneAtATime(folder, dtype) for dtype in DTYPES]
    ours = [Lxmert(folder, dtype, batch) for dtype in DTYPES for batch in LXMERT_BATCHES]
    found: list[Contender] = [*plain, *ours]
    for one in found:
        print(f"  {one.name} {one.dtype}", file=sys.stderr)
        one.prepare(one.batch)
    reference = plain[0].values()[0]
    different = {f"{one.name} {one.dtype}": float(abs(one.values()[0] - reference)) for one in ours}
    rates = measure_rates(found, rounds, seconds)
    by_name, ratios = rates_by_name(rates), {}
    for one in ours:
        for dtype in dict.fromkeys((one.dtype, "float32")):
            against = by_name["PyTorch, one image at a time", dtype]
            ratios[f"{one.name} {one.dtype} / one at a time {dtype}"] = ratio(
                by_name[one.name, one.dtype], against
            )
    return {"contenders": rows_of(rates), "ratios": ratios, "difference_of_f_to_plain_float32": different}


def memory(folder: Path) -> dict[str, dict[str, int | None]]:
    """Peak bytes by dtype and batch size, each in a process of its own."""
    script = Path(__file__).with_name("_lxmert_memory.py")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    found = {}
    for dtype in DTYPES:
        for batch in MEMORY_BATCHES:
            command = [sys.executable, str(script), str(folder), dtype, str(batch)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found[f"{dtype}, batch {batch}"] = json.loads(done.stdout.splitlines()[-1])
    return found


def maps(folder: Path, lxmert_folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Seconds that maps of each model take at the rates of one run."""
    made: dict[str, Contender] = {}
    for name in ("clip", "siglip", "flava"):
        made[TOWERS[name].name] = Sweep(
            Workload.make(TOWERS[name], folder / f"maps-{name}", pool=8), "float32"
        )
    made["LXMERT with its detector"] = Lxmert(lxmert_folder, "float32", 4)
    made["LXMERT with its detector, bfloat16"] = Lxmert(lxmert_folder, "bfloat16", 4)
    for name, one in made.items():
        one.name = name  # by which turns are told apart
        one.prepare(1)
    rates = measure_rates(list(made.values()), rounds, seconds)
    result = {}
    for one, values in rates.items():
        rate = float(np.median(values))
        result[one.name] = {
            "per_second": summary(values),
            "exact_map_seconds": EXACT / rate,
            "map_of_172_seconds": STUDY / rate,
        }
    return result


def show(results: dict[str, Any]) -> None:
    """Print all parts."""
    for part in ("flava", "lxmert"):
        if part not in results:
            continue
        print(f"\n{part}: coalitions per second")
        for row in results[part]["contenders"]:
            rate = row["per_second"]
            spread = f"({rate['min']:.3f}-{rate['max']:.3f})"
            print(f"{row['contender']:32}{row['dtype']:10}{row['batch']:6}{rate['median']:10.3f} {spread}")
        for name, one in results[part]["ratios"].items():
            print(f"{name:72}{one['median']:6.2f} ({one['min']:.2f}-{one['max']:.2f})")
        for key in ("largest_difference_of_f", "difference_of_f_to_plain_float32"):
            for name, one in results[part].get(key, {}).items():
                print(f"{key.replace('_', ' ')}: {name} {one:.1e}")
    for name, one in results.get("memory", {}).items():
        print(f"peak memory of LXMERT, {name}: {one['resident'] / 1e9:.2f} GB")
    for name, one in results.get("maps", {}).items():
        exact, study = one["exact_map_seconds"] / 3600, one["map_of_172_seconds"] / 60
        print(f"{name:40} exact 4x4 map {exact:8.1f} h, 172 evaluations {study:7.1f} min")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", nargs="+", default=["flava", "lxmert", "memory", "maps"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="least length of a slice")
    args = parser.parse_args()
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    torch.manual_seed(0)
    slug = re.sub(r"[^a-z0-9]+", "-", device_name().lower()).strip("-")
    path = ROOT / "bench_results" / f"pytorch-models-{slug}.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    results.pop("environment", None)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint = make_checkpoint(folder / "lxmert")
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "flava": lambda: flava(folder, args.rounds, args.seconds),
            "lxmert": lambda: lxmert(checkpoint, args.rounds, args.seconds),
            "memory": lambda: memory(checkpoint),
            "maps": lambda: maps(folder, checkpoint, args.rounds, args.seconds),
        }
        for name in args.parts:
            print(name, file=sys.stderr)
            results[name] = parts[name]()
            results.setdefault("made_with", {})[name] = environment(PACKAGES)
    show(results)
    written = write_results(path.stem, results, PACKAGES)
    print(f"\nwritten to {written.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
