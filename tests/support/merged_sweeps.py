"""A merged sweep made up for tests: maps of known agreement, written and read as a real one is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from hlx.estimators import ESTIMATORS
from hlx.games.regions import Grid
from hlx.io.hdf5 import writing
from hlx.sweep.across_settings.resampling import resample
from hlx.sweep.plan.jobs import job_id
from hlx.sweep.results.job_results import FLAT, JobResult, columns_of, content_hash_of
from hlx.sweep.results.merged_file import KIND
from hlx.sweep.results.rows import Row

VERSIONS = {"hlx": "0.1.0", "jax": "0.10", "device": "1 x cpu"}
FINE = Grid(12, 12)

Values = Callable[[str, str, Grid, str], np.ndarray]
"""(model, stimulus, grid, background) -> exact phi."""


@dataclass(frozen=True)
class How:
    """An estimator of a made-up sweep, and how far off it is."""

    estimator: str = "exact"
    budget: int | str | None = None
    seed: int = 0
    noise: float = 0.0

    def budget_of(self, n: int) -> int | None:
        return int(self.budget[:-1]) * n if isinstance(self.budget, str) else self.budget


def additive(model: str, stimulus: str, grid: Grid, background: str) -> np.ndarray:
    """Values of a model whose pixels act each for itself: any grid's are the finest ones summed."""
    rng = np.random.default_rng(int(hashlib.sha256(f"{model}{stimulus}".encode()).hexdigest()[:8], 16))
    return resample(rng.normal(size=FINE.n_players), FINE, grid)


def made_row(model: str, stimulus: str, grid: str, background: str, how: How, n: int, **changes: Any) -> Row:
    job = {
        "model": model,
        "stimulus": stimulus,
        "regions": {"kind": "grid", "rows": Grid.parse(grid).rows, "cols": Grid.parse(grid).cols},
        "background": background,
        "how": asdict(how),
    }
    row = {
        "model": model,
        "stimulus": stimulus,
        "phenomenon": "existence",
        "caption": f"caption of {stimulus}",
        "foil": f"foil of {stimulus}",
        "image": f"/photos/{stimulus}.png",
        "regions": grid,
        "background": background,
        "estimator": how.estimator,
        "budget": how.budget_of(n),
        "seed": how.seed,
        "tolerance": None,
        "job": job_id(job),
    }
    return Row(**(row | changes))


def write_sweep(
    path: Path,
    *,
    models: Sequence[str] = ("CLIP", "FLAVA"),
    stimuli: int = 6,
    grids: Sequence[str] = ("2x2", "4x4"),
    backgrounds: Sequence[str] = ("blur",),
    hows: Sequence[How] = (How(),),
    values: Values = additive,
    missing: Callable[[Row], str | bool | None] = lambda row: None,
    **changes: Any,
) -> Path:
    """A merged file of every combination.

    `missing` tells of rows that have no result: why they failed, True where they have not been tried.
    `changes` are of every row.
    """
    rows, lacking, results = [], [], {}
    names = [f"s{i}" for i in range(stimuli)]
    for model, stimulus, grid_name, background, how in product(models, names, grids, backgrounds, hows):
        grid = Grid.parse(grid_name)
        if how.estimator == "exact" and grid.n_players > 16:
            continue
        row = made_row(model, stimulus, grid_name, background, how, grid.n_players, **changes)
        reason = missing(row)
        if reason:
            lacking.append({**asdict(row), "reason": reason if isinstance(reason, str) else None})
            continue
        rows.append(asdict(row))
        results[row.job] = _result(row, grid, how, values(model, stimulus, grid, background))
    ordered = [results[job] for job in sorted(results)]
    described = [
        {"label": model, "name": f"org/{model}", "revision": None, "dtype": "float32"}
        | {"engine": "jax", "fingerprint": hashlib.sha256(model.encode()).hexdigest()}
        for model in models
    ]
    with writing(path, KIND, force=True) as file:
        for name, array in columns_of(ordered).items():
            file.create_dataset(name, data=array, dtype=FLAT.get(name, array.dtype))
        for name, lines in (("rows", rows), ("missing", lacking), ("models", described)):
            text = "".join(json.dumps(line) + "\n" for line in lines).encode()
            file.create_dataset(name, data=np.frombuffer(text, np.uint8))
        file.attrs["content_hash"] = content_hash_of(result.content() for result in ordered)
    return path


def _result(row: Row, grid: Grid, how: How, exact: np.ndarray) -> JobResult:
    rng = np.random.default_rng([how.seed, int(row.job[:8], 16)])
    off = how.noise * rng.normal(size=len(exact))
    sampled = how.noise > 0
    values = exact + off
    return JobResult(
        job=row.job,
        values=values,
        standard_error=np.full(len(exact), how.noise) if sampled else None,
        coalition_values=None,
        record={
            "identity": {"regions": grid.spec()},
            "image_hash": "0" * 64,
            "estimator": how.estimator,
            "kind": ESTIMATORS[how.estimator].estimates,
            "grand_coalition_value": float(exact.sum()),
            "baseline_value": 0.0,
            "n_evaluations": row.budget or 2**grid.n_players,
            "degrees_of_freedom": None,
            "score_caption": 20.0 + float(exact.sum()),
            "job": "logits",
            "batch_size": 64,
            "versions": VERSIONS,
        },
        spent={"seconds": 1e-3 * grid.n_players, "host": "host", "finished": 0.0},
    )
