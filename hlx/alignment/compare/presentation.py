"""Comparisons as numbers to print, records to keep and panels to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from hlx.alignment.compare.comparison import Comparison, MeasureResult
from hlx.alignment.compare.people import CEILINGS
from hlx.plot import Distribution, DistributionPanel


def summary(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON's types.

    What is undefined is None. Under "measures", by name: "better" ("higher" or "lower"); "n", "mean" and
    "sem" of the matched pairs (n stimuli for which the measure is defined); "shuffled_mean" of all mismatched
    pairs; "difference" and "difference_sem", over stimuli, of matched less the stimulus's mean shuffled
    value; "shuffled_closer", the share of a stimulus's mismatched pairs that are closer than its matched one,
    ties counting half, mean over stimuli (1/2 where matching plays no part); "baselines" and "ceilings",
    means by name. Under "partial_rc" n, mean and sem by what is held constant.
    """
    return {
        "model": comparison.model,
        "magnitude": comparison.magnitude,
        "simulated": comparison.simulated,
        "n_stimuli": len(comparison.stimuli),
        "measures": {
            name: {
                **_of_measure(result),
                "ceilings": {
                    kind: _statistics(comparison.ceilings[f"{kind} {name}"])["mean"]
                    for kind in CEILINGS
                    if f"{kind} {name}" in comparison.ceilings
                },
            }
            for name, result in comparison.measures.items()
        },
        "partial_rc": {name: _statistics(values) for name, values in comparison.partial_rc.items()},
        "notes": list(comparison.notes),
    }


def comparison_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """A record for every stimulus and measure, for tables.

    None where a number is undefined. "shuffled" is the mean over the stimulus's mismatched pairs. The partial
    rank correlations are on the records of RC; columns of others are empty there.
    """
    records = []
    for name, result in comparison.measures.items():
        columns: dict[str, Float64[np.ndarray, " n"] | None] = {
            **{"matched": result.matched, "shuffled": _mean_shuffled(result)},
            **result.baselines,
        }
        columns |= {kind: comparison.ceilings.get(f"{kind} {name}") for kind in CEILINGS}
        columns |= {
            f"partial given {given}": values if name == "RC" else None
            for given, values in comparison.partial_rc.items()
        }
        for place, stimulus in enumerate(comparison.stimuli):
            record = {"model": comparison.model, "stimulus": stimulus, "magnitude": comparison.magnitude}
            numbers = {
                column.replace(" ", "_").replace("-", "_"): None if values is None else _number(values[place])
                for column, values in columns.items()
            }
            records.append({**record, "measure": name, "better": result.measure.better, **numbers})
    return records


def comparison_panels(comparisons: Sequence[Comparison]) -> list[DistributionPanel]:
    """A panel for every measure, for `hlx.plot.distributions_figure`: matched pairs over shuffled ones."""
    named = {name: result.measure for each in comparisons for name, result in each.measures.items()}
    return [
        DistributionPanel(
            name, [_row(each, name) for each in comparisons if name in each.measures], measure.better
        )
        for name, measure in named.items()
    ]


def _row(comparison: Comparison, name: str) -> Distribution:
    result = comparison.measures[name]
    marked = {**result.baselines}
    marked |= {
        f"{kind} ceiling": comparison.ceilings[f"{kind} {name}"]
        for kind in CEILINGS
        if f"{kind} {name}" in comparison.ceilings
    }
    lines = {
        line: float(known.mean()) if (known := _known(values)).size else float("nan")
        for line, values in marked.items()
    }
    return Distribution(comparison.model, result.matched, result.shuffled, lines)


def _of_measure(result: MeasureResult) -> dict[str, Any]:
    shuffled = _known(result.shuffled)
    difference = _statistics(result.matched - _mean_shuffled(result))
    return {
        "better": result.measure.better,
        **_statistics(result.matched),
        "shuffled_mean": float(shuffled.mean()) if shuffled.size else None,
        "difference": difference["mean"],
        "difference_sem": difference["sem"],
        "shuffled_closer": _closer(result),
        "baselines": {name: _statistics(values)["mean"] for name, values in result.baselines.items()},
    }


def _closer(result: MeasureResult) -> float | None:
    sign = 1.0 if result.measure.better == "higher" else -1.0
    defined = np.isfinite(result.shuffled) & np.isfinite(result.matched)
    more = np.where(defined, np.sign(sign * (result.shuffled - result.matched)), 0.0)
    pairs = defined.sum(axis=0)
    shares = (1.0 + more.sum(axis=0)[pairs > 0] / pairs[pairs > 0]) / 2.0
    return float(shares.mean()) if shares.size else None


def _mean_shuffled(result: MeasureResult) -> Float64[np.ndarray, " n"]:
    """Of each stimulus, over its mismatched pairs that are defined; NaN without any."""
    defined = np.isfinite(result.shuffled)
    counts = defined.sum(axis=0)
    sums = np.where(defined, result.shuffled, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _statistics(values: Float64[np.ndarray, " n"]) -> dict[str, Any]:
    """n, mean and standard error of the mean of what is defined; None for what so few do not give."""
    known = _known(values)
    sem = float(known.std(ddof=1) / np.sqrt(known.size)) if known.size > 1 else None
    return {"n": known.size, "mean": float(known.mean()) if known.size else None, "sem": sem}


def _known(values: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, " n"]:
    return values[np.isfinite(values)]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
