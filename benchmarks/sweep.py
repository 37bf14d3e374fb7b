"""What does a sweep cost, next to a loop of `hlx explain`, and what does its runner cost?

    python benchmarks/sweep.py [--parts speed memory waiting] [--stimuli 200] [--calls 20]

- speed: jobs per second of `hlx sweep run` on embedded scenes by the four embedded models on three grids, at
  64 to 172 evaluations a job, from an empty folder and with nothing compiled, against as many calls of
  `hlx explain` as --calls asks for, spread evenly over the same jobs and run half before and half after; the
  loop's rate is that of one call after the other. Also the runner's overhead: the share of the run, once it
  has started, in which nothing was evaluated.
- memory: peak of a run of one model by the number of stimuli.
- waiting: CLIP ViT-B/32 with random weights on photograph-sized JPEGs: the share of time in which the model
  waited for images.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from _environment import summary, write_results
from _workload import TOWERS
from PIL import Image

from hlx.games.scenes import iterate_stimuli
from hlx.io.files import write_csv

PACKAGES = ("hlx", "jax", "jaxlib", "flax", "torch", "transformers", "numpy", "numba", "h5py")
MODELS = ("clip-scenes", "siglip-scenes", "flava-scenes", "lxmert-scenes")
GRIDS = {"3x3": 64, "4x4": 128, "7x7": 172}
"""Grids and the evaluations of a job on each."""

ESTIMATOR = "leverage"
HLX = (sys.executable, "-c", "from hlx.cli import main; main()")
PHENOMENA = ("existence", "counting", "attribute")
MEMORY_STIMULI = (100, 1000)
PHOTOS, PHOTO_SIZE = 12, (640, 480)


def save_scenes(folder: Path, count: int) -> list[dict[str, str]]:
    """Images of embedded scenes and the file that lists them."""
    rows = []
    for i, scene in enumerate(islice(iterate_stimuli(0, PHENOMENA), count)):
        Image.fromarray(np.asarray(scene.image)).save(folder / f"{i}.png")
        texts = {"caption": scene.caption, "foil": scene.foil or "", "phenomenon": scene.phenomenon}
        rows.append({"id": f"s{i}", "image": f"{i}.png", **texts})
    write_csv(rows, folder / "stimuli.csv", force=True)
    return rows


def save_sweep(folder: Path, models: tuple[str, ...], grids: dict[str, int], output: str) -> Path:
    """The sweep file: every grid with its own budget."""
    entries = []
    for grid, budget in grids.items():
        rows, cols = map(int, grid.split("x"))
        n = rows * cols
        entries.append(
            f'{{name = "{ESTIMATOR}", budgets = [{budget}], fewest_players = {n}, most_players = {n}}}'
        )
    path = folder / f"{output}.toml"
    path.write_text(
        f'output = "{output}"\nstimuli = ["stimuli.csv"]\nmodels = {json.dumps(models)}\n'
        f"regions = {json.dumps(list(grids))}\nestimators = [{', '.join(entries)}]\n"
    )
    return path


def call(*arguments: object) -> tuple[float, int, str]:
    """Seconds, peak bytes and standard output of one call of hlx."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([*HLX, *map(str, arguments)], stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        raise SystemExit(f"hlx {' '.join(map(str, arguments))} ended with {process.returncode}: {text}")
    return seconds, usage.ru_maxrss * 1024, text


def run_sweep(file: Path) -> tuple[float, int, dict[str, Any]]:
    """Seconds, peak bytes and the summary of one run from an empty folder."""
    shutil.rmtree(file.with_suffix(""), ignore_errors=True)
    seconds, peak, text = call("sweep", "run", file, "--quiet", "--json")
    return seconds, peak, json.loads(text)


def explain_once(folder: Path, row: dict[str, str], model: str, grid: str) -> float:
    """Seconds of one job by `hlx explain`."""
    foil = ("--foil", row["foil"]) if row["foil"] else ()
    how = ("--model", model, "--grid", grid, "--estimator", ESTIMATOR, "--budget", GRIDS[grid], "--json")
    return call("explain", folder / row["image"], "--caption", row["caption"], *foil, *how)[0]


def speed(folder: Path, stimuli: int, calls: int) -> dict[str, Any]:
    """The sweep against a loop of calls."""
    rows = save_scenes(folder, stimuli)
    file = save_sweep(folder, MODELS, GRIDS, "speed")
    jobs = [(row, model, grid) for model in MODELS for row in rows for grid in GRIDS]
    # 7 shares no factor with the numbers of grids, so that every grid of every model has its turn.
    chosen = [jobs[int((i + 0.5) * len(jobs) / calls + 7 * i) % len(jobs)] for i in range(calls)]
    half = calls // 2
    loop = [explain_once(folder, *job) for job in chosen[:half]]
    seconds, peak, found = run_sweep(file)
    loop += [explain_once(folder, *job) for job in chosen[half:]]
    rate, loop_rate = len(jobs) / seconds, len(loop) / sum(loop)
    return {
        "jobs": len(jobs),
        "grids": GRIDS,
        "estimator": ESTIMATOR,
        "sweep_seconds": seconds,
        "sweep_jobs_per_second": rate,
        "sweep_peak_bytes": peak,
        "explain_seconds": summary(loop),
        "explain_calls": calls,
        "loop_jobs_per_second": loop_rate,
        "loop_hours_scaled": len(jobs) / loop_rate / 3600,
        "ratio": rate / loop_rate,
        "run": found,
    }


def memory(folder: Path) -> dict[str, Any]:
    """Peak of a run by the number of stimuli."""
    peaks: dict[int, list[int]] = {count: [] for count in MEMORY_STIMULI}
    for count in MEMORY_STIMULI:
        (folder / str(count)).mkdir()
        save_scenes(folder / str(count), count)
    for _ in range(2):
        for count in MEMORY_STIMULI:
            file = save_sweep(folder / str(count), ("clip-scenes",), {"4x4": 64}, "memory")
            peaks[count].append(run_sweep(file)[1])
    few, many = (float(np.median(peaks[count])) for count in MEMORY_STIMULI)
    return {
        "model": "clip-scenes",
        "grid": "4x4",
        "budget": 64,
        "peak_bytes": {str(count): values for count, values in peaks.items()},
        "ratio": many / few,
    }


def waiting(folder: Path) -> dict[str, Any]:
    """How long ViT-B/32 waits for images."""
    checkpoint = TOWERS["clip"].make_checkpoint(folder / "clip")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(PHOTOS):
        coarse = rng.integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(coarse).resize(PHOTO_SIZE, Image.Resampling.BICUBIC).save(folder / f"{i}.jpg")
        rows.append({"id": f"p{i}", "image": f"{i}.jpg", "caption": "a red circle", "foil": "a blue square"})
    write_csv(rows, folder / "stimuli.csv", force=True)
    file = save_sweep(folder, (str(checkpoint),), {"4x4": 172}, "waiting")
    seconds, peak, found = run_sweep(file)
    return {"photos": PHOTOS, "size": PHOTO_SIZE, "seconds": seconds, "peak_bytes": peak, "run": found}


def main() -> None:
    """Run the parts and write what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=["speed", "memory", "waiting"])
    parser.add_argument("--stimuli", type=int, default=200)
    parser.add_argument("--calls", type=int, default=20)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for part in options.parts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if part == "speed":
                found[part] = speed(folder, options.stimuli, options.calls)
            elif part == "memory":
                found[part] = memory(folder)
            else:
                found[part] = waiting(folder)
        print(json.dumps({part: found[part]}, indent=2), flush=True)
    write_results("sweep", found, PACKAGES)


if __name__ == "__main__":
    main()
