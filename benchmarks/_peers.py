"""shapiq's and shap's own estimators of Shapley values, on tables, with every evaluation they make counted.

Each is called as its users call it: with a function of coalitions and a budget. What it spends in distinct
coalitions is counted here, whatever it says itself.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hlx.attribution.error_measures import map_errors
from hlx.bench import BenchmarkGame, BenchmarkResult, Row
from hlx.kernels import shapley

Lookup = Callable[[np.ndarray], np.ndarray]
"""Coalitions as rows of 0 and 1, in any shape that holds rows of n, to their values."""


@dataclass(frozen=True)
class Peer:
    """A peer's estimator: `run(lookup, grid, budget, seed)` gives the values of the grid's players.

    A slow one takes a second a game or more, and is repeated less.
    """

    name: str
    run: Callable[[Lookup, tuple[int, int], int, int], np.ndarray]
    slow: bool = False


def _shapiq(name: str, **options: Any) -> Callable[[Lookup, tuple[int, int], int, int], np.ndarray]:
    def run(lookup: Lookup, grid: tuple[int, int], budget: int, seed: int) -> np.ndarray:
        import shapiq.approximator

        n = grid[0] * grid[1]
        made = getattr(shapiq.approximator, name)(n=n, random_state=seed, **options)
        found = made.approximate(budget, lookup)
        return np.array([found[(player,)] for player in range(n)])

    return run


def _shap_permutation(lookup: Lookup, grid: tuple[int, int], budget: int, seed: int) -> np.ndarray:
    import shap

    n = grid[0] * grid[1]
    explainer = shap.PermutationExplainer(lookup, np.zeros((1, n)), seed=seed)
    return explainer(np.ones((1, n)), max_evals=budget, silent=True).values[0]


def _shap_kernel(lookup: Lookup, grid: tuple[int, int], budget: int, seed: int) -> np.ndarray:
    import shap

    n = grid[0] * grid[1]
    np.random.seed(seed)  # noqa: NPY002 - shap draws from NumPy's global generator
    explainer = shap.KernelExplainer(lookup, np.zeros((1, n)))
    # Empty and full come on top of what shap calls samples.
    return explainer.shap_values(np.ones((1, n)), nsamples=budget - 2, l1_reg=False, silent=True)[0]


def _shap_partition(lookup: Lookup, grid: tuple[int, int], budget: int, seed: int) -> np.ndarray:
    import shap

    shape = (1, *grid)
    np.random.seed(seed)  # noqa: NPY002 - shap draws from NumPy's global generator
    masker = shap.maskers.Image(np.zeros(shape), shape)
    explainer = shap.PartitionExplainer(lookup, masker)
    return explainer(np.ones((1, *shape)), max_evals=budget, silent=True).values.reshape(-1)


PEERS = [
    Peer("shapiq KernelSHAP, unpaired, with replacement", _shapiq("KernelSHAP")),
    Peer("shapiq KernelSHAP, paired, with replacement", _shapiq("KernelSHAP", pairing_trick=True)),
    Peer("shapiq PermutationSamplingSV, one-way, with replacement", _shapiq("PermutationSamplingSV")),
    Peer("shapiq SVARM, unpaired, with replacement", _shapiq("SVARM")),
    Peer("shapiq SVARM, paired, with replacement", _shapiq("SVARM", pairing_trick=True)),
    Peer("shapiq StratifiedSamplingSV, unpaired, with replacement", _shapiq("StratifiedSamplingSV")),
    Peer("shapiq OwenSamplingSV, unpaired, with replacement", _shapiq("OwenSamplingSV")),
    Peer("shapiq UnbiasedKernelSHAP, unpaired, with replacement", _shapiq("UnbiasedKernelSHAP")),
    Peer(
        "shapiq UnbiasedKernelSHAP, paired, with replacement",
        _shapiq("UnbiasedKernelSHAP", pairing_trick=True),
    ),
    Peer("shapiq kADDSHAP of order 2, paired, with replacement", _shapiq("kADDSHAP", pairing_trick=True)),
    Peer("shapiq SPEX, subsampled Fourier transform", _shapiq("SPEX", index="SV"), slow=True),
    Peer("shap PermutationExplainer, antithetic, with replacement", _shap_permutation),
    Peer("shap KernelExplainer, paired, l1_reg=False, with replacement", _shap_kernel),
    Peer("shap PartitionExplainer, nothing random", _shap_partition),
]

LEFT_OUT = {
    "shapiq ProxySPEX": "needs lightgbm, which is not installed",
    "shapiq SPEX below a budget of 394": "refuses smaller ones",
    "shapiq RegressionFSII, SHAPIQ, SVARMIQ, KernelSHAPIQ": "estimate interactions, not Shapley values",
}
"""What is not run, and why."""


def run_peers(
    like: BenchmarkResult,
    games: Sequence[BenchmarkGame],
    names: Sequence[str],
    budgets: Sequence[int],
    repeats: int,
    seed: int,
    grid: tuple[int, int],
) -> BenchmarkResult:
    """Peers by name as rows of a benchmark beside `like`, a run of hlx's estimators on the same games.

    `calls` in the samples counts coalitions asked for, repetitions included; `evaluations` distinct ones. The
    time of sampling, evaluation and solving cannot be told apart: `solving` holds it all. A peer that fails
    at a budget has no row there, and a warning tells why.
    """
    truth = [shapley(game.coalition_values) for game in games]
    rows = []
    for peer in (peer for peer in PEERS if peer.name in names):
        for budget in budgets:
            try:
                _measured(peer, games[0], truth[0], budget, seed, grid, like.top)  # imports and compiles
                measured = [
                    [
                        _measured(peer, game, phi, budget, seed + repeat, grid, like.top)
                        for game, phi in zip(games, truth, strict=True)
                    ]
                    for repeat in range(repeats)
                ]
            except Exception as error:  # whatever a peer raises
                warnings.warn(f"{peer.name} fails at a budget of {budget}: {error}", stacklevel=2)
                continue
            samples = {key: np.array([[m[key] for m in line] for line in measured]) for key in measured[0][0]}
            rows.append(Row(peer.name, budget, samples))
    return replace(like, rows=rows, skipped=[], estimators=list(names), budgets=list(budgets), seed=seed)


def _measured(
    peer: Peer,
    game: BenchmarkGame,
    truth: np.ndarray,
    budget: int,
    seed: int,
    grid: tuple[int, int],
    top: int,
) -> dict[str, float]:
    table, bits = game.coalition_values.astype(np.float64), 1 << np.arange(game.n_players)
    asked: list[np.ndarray] = []

    def lookup(rows: np.ndarray) -> np.ndarray:
        ids = (np.asarray(rows).reshape(-1, len(bits)) > 0.5) @ bits
        asked.append(ids)
        return table[ids]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        values = np.asarray(peer.run(lookup, grid, budget, seed), np.float64)
        seconds = time.perf_counter() - start
    if not np.isfinite(values).all():
        raise ArithmeticError("it gives NaN or infinity")
    ids = np.concatenate(asked)
    return {
        **{name: float(number) for name, number in map_errors(values, truth, top).items()},
        "coverage": float("nan"),
        "evaluations": float(len(np.unique(ids))),
        "calls": float(len(ids)),
        "sampling": 0.0,
        "evaluation": 0.0,
        "solving": seconds,
    }
