"""How many coalitions a second, next to what a user could pick instead, at the same precision?

    python benchmarks/throughput.py [--model clip siglip] [--dtype float32 bfloat16] [--rounds 4]

CLIP ViT-B/32 and SigLIP base/16-224 with random weights, one image, a 4x4 grid. All contenders take turns in
short slices, round after round, so that a slow moment of the machine falls on all of them; ratios are taken
within rounds. Each runs at the best of a few batch sizes (a compiled model at its eager twin's best).

- hlx sweep, hlx game(rows): an exact sweep by coalition ids, and a game asked for boolean rows.
- torch eager, torch compile, ONNX Runtime: the image tower alone, given pixels that were composed, normalised
  and put on the device before the clock started. A user must compose them: `composition` times that in numpy,
  and the column "composed" charges it to these three, one after the other. hlx is compared with the
  stronger number, the model alone; its own rate has nothing left out.
- reference pipeline: shap's partition explainer, the checkpoint's processor on each batch, PyTorch.

The share of the peak is against the faster of XLA's and PyTorch's matrix products at the tower's own shapes,
in the same rounds; for hlx by the operations it runs, and once more by those of the whole model ("useful").
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _contenders import DEVICE, Compiled, Composition, Eager, Onnx, ReferencePipeline
from _environment import ROOT, device_name, interleave, ratio, summary, write_results
from _hlx_contenders import Rows, Sweep
from _matmul_peak import TorchProducts, XlaProducts
from _precision import phi_change, random_stimuli, scenes
from _workload import TOWERS, Contender, Tower, Workload

import hlx

PACKAGES = ("hlx", "jax", "jaxlib", "flax", "torch", "transformers", "onnxruntime", "shap", "numpy")
ALTERNATIVES = ("torch eager", "torch compile", "torch compile, frozen", "ONNX Runtime")
BATCHES = {
    "cpu": {"clip": (16, 32, 64), "siglip": (4, 8, 16)},
    "cuda": {"clip": (256, 1024), "siglip": (128, 512)},
}
PAUSE = 0.05  # lets the last contender's worker threads stop spinning
PRECISION_GRIDS = {"cpu": (hlx.Grid(2, 3), hlx.Grid(3, 4)), "cuda": (hlx.Grid(4, 4), hlx.Grid(4, 4))}


def contenders(workload: Workload, dtypes: list[str], only: list[str] | None) -> list[Contender]:
    """All that are to run; those without a bfloat16 form run in float32 alone."""
    found: list[Contender] = []
    for dtype in dtypes:
        found += [
            Sweep(workload, dtype),
            Rows(workload, dtype),
            Eager(workload, dtype),
            Compiled(workload, dtype),
        ]
        if only and "torch compile, frozen" in only:
            found.append(Compiled(workload, dtype, frozen=True))
    if "float32" in dtypes:
        found += [ReferencePipeline(workload)]
        found += [Onnx(workload)] if DEVICE == "cpu" else []
    found = [one for one in found if not only or one.name in only]
    return [*found, Composition(workload)]


def tune(found: list[Contender], sizes: tuple[int, ...], seconds: float) -> dict[Contender, float]:
    """Leave each contender prepared at its best batch size; seconds until it was ready to run there.

    Getting ready is loading, exporting, compiling and one batch. Compiled models and the reference pipeline
    take the best size of the eager model: sizes matter alike there. hlx chooses its own.
    """
    ready: dict[Contender, float] = {}
    best: dict[tuple[str, str], int] = {}
    leaders = dict.fromkeys(("torch compile", "torch compile, frozen", "reference pipeline"), "torch eager")
    for one in found:
        leader = best.get((leaders.get(one.name, ""), one.dtype))
        rates = {}
        tried = (leader,) if leader else sizes[-1:] if one.chooses_its_batch else sizes
        for size in tried:
            start = time.perf_counter()
            one.prepare(size)
            ready.setdefault(one, time.perf_counter() - start)
            rates[size] = _rate(one, seconds / 2) if len(tried) > 1 else 1.0
        size = max(rates, key=rates.__getitem__)
        if len(tried) > 1 and size != one.batch:
            one.prepare(size)
        best[one.name, one.dtype] = size
        print(
            f"  {one.name:24} {one.dtype:9} batch {one.batch:5} ready in {ready[one]:.1f} s", file=sys.stderr
        )
    return ready


def _rate(one: Contender, seconds: float) -> float:
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds or not done:
        done += one.step()
    return done / elapsed


def measure_rates(found: list[Contender], rounds: int, seconds: float) -> dict[Contender, list[float]]:
    """Coalitions (or floating-point operations) per second of each contender in each round."""
    rates: dict[Contender, list[float]] = {one: [] for one in found}

    def turn(one: Contender) -> None:
        time.sleep(PAUSE)
        is_product = isinstance(one, XlaProducts | TorchProducts)
        rates[one].append(_rate(one, seconds / 4 if is_product else seconds))

    turns = {f"{type(one).__name__} {one.name} {one.dtype}": one for one in found}
    interleave({name: lambda one=one: turn(one) for name, one in turns.items()}, rounds, warm_up=0)
    return rates


def largest_differences(found: list[Contender]) -> dict[str, float]:
    """Of f on the same coalitions, between each contender and the eager model in float32."""
    values = {(one.name, one.dtype): one.values() for one in found if hasattr(one, "values")}
    eager = values.get(("torch eager", "float32"))
    if eager is None:
        return {}
    return {
        f"{name} {dtype}": float(np.abs(value[: len(eager)] - eager[: len(value)]).max())
        for (name, dtype), value in values.items()
        if value is not eager
    }


def peak_memory(folder: Path, dtype: str, grid: str) -> dict[str, int | None]:
    """Bytes of a process of its own that only sweeps."""
    script = Path(__file__).with_name("_sweep_memory.py")
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    # beside this process, which holds most of the device
    environment = os.environ | {"PYTHONPATH": path, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, str(script), str(folder), dtype, grid]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def report(
    tower: Tower, rates: dict[Contender, list[float]], ready: dict[Contender, float]
) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Rows of the table, ratios, and the peaks they are shares of."""
    composition = next(values for one, values in rates.items() if isinstance(one, Composition))
    peaks: dict[str, Any] = {}
    for one, values in rates.items():
        if isinstance(one, XlaProducts | TorchProducts):
            peaks.setdefault(one.dtype, {})[one.name] = summary([value / 1e9 for value in values])
    top = {dtype: max(one["median"] for one in of.values()) * 1e9 for dtype, of in peaks.items()}

    rows = []
    for one, values in rates.items():
        if isinstance(one, XlaProducts | TorchProducts | Composition):
            continue
        row: dict[str, Any] = {"contender": one.name, "dtype": one.dtype, "batch": one.batch}
        row |= {"ready_seconds": ready[one], "per_second": summary(values), "rounds": values}
        rate, full = float(np.median(values)), tower.flops()
        if one.name in ALTERNATIVES:
            row["composed_per_second"] = rate / (1 + rate / float(np.median(composition)))
        own = tower.flops_of_sweep() if one.name.startswith("hlx") else full
        row["share_of_peak"] = rate * own / top[one.dtype]
        if own != full:
            row["useful_share_of_peak"] = rate * full / top[one.dtype]
        rows.append(row)

    by_name = {(row["contender"], row["dtype"]): row["rounds"] for row in rows}
    ratios: dict[str, Any] = {}
    for (name, dtype), values in by_name.items():
        if not name.startswith("hlx"):
            continue
        others = [(other, dtype) for other in ALTERNATIVES if (other, dtype) in by_name]
        named = {"torch eager": ("torch eager", dtype)}
        named["reference pipeline float32"] = ("reference pipeline", "float32")
        if others:
            best = max(others, key=lambda key: np.median(by_name[key]))
            named |= {f"best alternative ({best[0]})": best}
        for label, key in named.items():
            if key in by_name:
                ratios[f"{name} {dtype} / {label}"] = ratio(values, by_name[key])
    return rows, ratios, peaks


def measure(tower: Tower, args: argparse.Namespace) -> dict[str, Any]:
    """Everything about one tower."""
    with tempfile.TemporaryDirectory() as scratch:
        sizes = tuple(args.batches or BATCHES[DEVICE]["clip" if args.quick else tower.kind])
        workload = Workload.make(tower, Path(scratch), pool=min(64, max(sizes)))
        found = contenders(workload, args.dtype, args.contenders)
        ready = tune(found, sizes, args.seconds)
        different = largest_differences(found)
        products: list[Contender] = []
        for dtype in args.dtype:
            products += [XlaProducts(tower, dtype), TorchProducts(tower, dtype)]
            products += [XlaProducts(tower, dtype, wide=True)] if dtype != "float32" else []
        for one in products:
            one.prepare(max(sizes))
        print("  measuring", file=sys.stderr)
        rates = measure_rates(found + products, args.rounds, args.seconds)
        rows, ratios, peaks = report(tower, rates, ready)
        result: dict[str, Any] = {
            "gflop_per_image": tower.flops() / 1e9,
            "gflop_per_coalition_of_hlx": tower.flops_of_sweep() / 1e9,
            "contenders": rows,
            "ratios": ratios,
            "peak_gflops": peaks,
            "composition_per_second": summary(
                next(v for k, v in rates.items() if isinstance(k, Composition))
            ),
            "largest_difference_of_f": different,
        }
        print("  memory and bfloat16", file=sys.stderr)
        # several batches, since a sweep has one per core under way
        grid = {"clip": "1x7", "siglip": "1x5"}[tower.kind] if DEVICE == "cpu" else "4x4"
        result["peak_memory_bytes"] = {
            dtype: peak_memory(workload.folder, dtype, grid) for dtype in args.dtype
        }
        if len(args.dtype) == 2:
            stimuli = random_stimuli(tower.image_size, 1 if tower.kind == "siglip" else 2)
            result["bfloat16_phi"] = phi_change(workload.folder, stimuli, PRECISION_GRIDS[DEVICE][0])
    return result


def show(tower: Tower, result: dict[str, Any]) -> None:
    """Print one tower's table."""
    print(f"\n{tower.name}: {result['gflop_per_image']:.2f} GFLOP an image", end="")
    print(f", {result['gflop_per_coalition_of_hlx']:.2f} of them run by hlx")
    print(f"{'':24}{'dtype':10}{'batch':>6}{'per second':>12}{'(spread)':>18}{'composed':>10}", end="")
    print(f"{'ready s':>9}{'peak':>7}{'useful':>8}")
    for row in result["contenders"]:
        rate = row["per_second"]
        composed = row.get("composed_per_second")
        useful = row.get("useful_share_of_peak")
        print(
            f"{row['contender']:24}{row['dtype']:10}{row['batch']:6}{rate['median']:12.2f}"
            f"{_spread(rate, 2):>18}{'' if composed is None else f'{composed:.2f}':>10}"
            f"{row['ready_seconds']:9.1f}{row['share_of_peak']:7.0%}"
            f"{'' if useful is None else f'{useful:.0%}':>8}"
        )
    for name, one in result["ratios"].items():
        print(f"{name:70}{one['median']:6.2f} {_spread(one, 2)}")
    for dtype, peaks in result["peak_gflops"].items():
        listed = ", ".join(f"{name} {one['median']:.0f}" for name, one in peaks.items())
        print(f"products of these shapes, {dtype}: {listed} GFLOP/s")
    for dtype, one in result["peak_memory_bytes"].items():
        device = f", {one['device'] / 1e9:.2f} GB on the device" if one["device"] else ""
        print(f"peak memory of a sweep, {dtype}: {one['resident'] / 1e9:.2f} GB{device}")
    for name, one in result["largest_difference_of_f"].items():
        print(f"largest difference of f to torch eager float32: {name} {one:.1e}")
    if "bfloat16_phi" in result:
        _show_change("random weights", result["bfloat16_phi"])


def _spread(values: dict[str, float], digits: int) -> str:
    return f"({values['min']:.{digits}f}-{values['max']:.{digits}f})"


def _show_change(name: str, one: dict[str, Any]) -> None:
    print(
        f"bfloat16 against float32, {name}, {one['stimuli']} stimuli, {one['grid']}: rank correlation of phi "
        f"{one['rank_correlation']:.4f}, of |phi| {one['rank_correlation_magnitude']:.4f}, relative error "
        f"{one['relative_error']:.4f} (at most {one['relative_error_max']:.4f})"
    )


def embedded_changes() -> dict[str, Any]:
    """What bfloat16 changes in maps of the embedded models, where those are installed."""
    assets = Path(hlx.__file__).parent / "assets"
    return {
        name: phi_change(name, scenes(6), PRECISION_GRIDS[DEVICE][1])
        for name in ("clip-scenes", "siglip-scenes")
        if (assets / name / "model.safetensors").is_file()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", nargs="+", choices=("clip", "siglip"), default=["clip", "siglip"])
    parser.add_argument(
        "--dtype", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"]
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="least length of a slice")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument(
        "--batches", type=int, nargs="+", help="batch sizes to try in place of the usual ones"
    )
    parser.add_argument(
        "--contenders", nargs="+", help="only these, by name; 'torch compile, frozen' runs only so"
    )
    parser.add_argument("--quick", action="store_true", help="a tiny tower, two rounds, nothing is written")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.model = 2, 0.2, ["quick"]
    # torch wants its share of the memory; jax reads this when it first asks for a device
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    torch.manual_seed(0)
    results: dict[str, Any] = {}
    for name in args.model:
        print(f"{TOWERS[name].name}: getting ready", file=sys.stderr)
        results[TOWERS[name].name] = measure(TOWERS[name], args)
        show(TOWERS[name], results[TOWERS[name].name])
    if len(args.dtype) == 2 and not args.quick:
        results["bfloat16_phi_of_embedded_models"] = embedded_changes()
        for name, one in results["bfloat16_phi_of_embedded_models"].items():
            _show_change(name, one)
    if not args.quick:
        slug = re.sub(r"[^a-z0-9]+", "-", device_name().lower()).strip("-")
        path = write_results(f"throughput-{slug}", results, PACKAGES)
        print(f"\nwritten to {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
