"""What do the reference study's published data give, by its code, by its text, and by stricter methods?

Reads ../shared/thesis (the data of E. Saakashvili's MSc thesis, Utrecht 2024) with hlx and checks every point
in which text and code differ that these data can tell; docs/reference-study.md quotes the numbers.

    python benchmarks/reference_study.py [--study FOLDER]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from _environment import ROOT, write_results
from scipy import stats

from hlx.alignment.analysis import Study, analyze, read_study
from hlx.alignment.compare import compare, summary
from hlx.alignment.maps import (
    centre_bias,
    magnitude,
    mean_of_others,
    partial_spearman,
    spearman,
    spearman_matrix,
)
from hlx.attribution.map_tables import read_map_table
from hlx.io.csv_jsonl import read_records

STUDY = ROOT.parent / "shared" / "thesis"
CANVAS, CAP = 400, 255


def normalisation(humans: np.ndarray) -> dict[str, Any]:
    """Points 1 and 2: masks less 1 or as they are; block sums or averages."""
    # Undivided masks are 1 to CAP everywhere, so that no cell's share can be below this.
    least = 1 / (humans.shape[1] * CAP)
    return {
        "least_share_by_the_text": least,
        "cells": humans.size,
        "cells_below": int((humans < least).sum()),
        "maps_with_cells_below": int((humans < least).any(axis=1).sum()),
        "cells_of_zero": int((humans == 0).sum()),
        "maps_with_zeros": int((humans == 0).any(axis=1).sum()),
        "largest_difference_of_sums_from_1": float(abs(humans.sum(axis=1) - 1).max()),
    }


def blur(kernel: int = 99) -> dict[str, Any]:
    """Point 4: one kernel on images of two sizes."""
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    shares = {side: sigma / side for side in (224, CANVAS)}
    return {"sigma_pixels": sigma, "sigma_of_side": shares, "ratio": shares[224] / shares[CANVAS]}


def ties(maps: np.ndarray, humans: np.ndarray) -> dict[str, Any]:
    """Point 9: Equation 3.7, 1 - 6 sum d^2 / (n (n^2 - 1)), beside the correlation of average ranks."""
    n, given = humans.shape[1], spearman(maps, humans)
    formula = {}
    for method in ("average", "min", "ordinal"):
        d = stats.rankdata(maps, method, axis=1) - stats.rankdata(humans, method, axis=1)
        found = 1 - 6 * (d**2).sum(axis=1) / (n * (n**2 - 1))
        formula[method] = {"mean": float(found.mean()), "largest_difference": float(abs(found - given).max())}
    return {"rc_mean": float(given.mean()), "formula_by_rank_of_ties": formula}


def divergence(maps: np.ndarray, humans: np.ndarray) -> dict[str, Any]:
    """Point 10: Kullback-Leibler divergence both ways round, in nats."""
    ways = {
        "human || model": stats.entropy(humans, maps, axis=1),
        "model || human": stats.entropy(maps, humans, axis=1),
    }
    return {
        way: {
            "infinite": int(np.isinf(found).sum()),
            "mean_of_finite": float(found[np.isfinite(found)].mean()),
        }
        for way, found in ways.items()
    }


def magnitudes(phi: np.ndarray, humans: np.ndarray) -> dict[str, float]:
    """Mean RC of |phi|, of its positive part, and of phi as it is."""
    return {
        kind: float(np.nanmean(spearman(magnitude(phi, kind), humans)))
        for kind in ("absolute", "positive", "signed")
    }


def centre(study: Study, maps: np.ndarray, humans: np.ndarray) -> dict[str, float]:
    """RC with the centre held constant: the mean human map of all other stimuli, or a Gaussian."""
    others, gaussian = mean_of_others(humans), centre_bias(study.grid)
    return {
        "given_other_stimuli": float(np.nanmean(partial_spearman(maps, humans, others))),
        "given_gaussian": float(np.nanmean(partial_spearman(maps, humans, gaussian))),
    }


def rounding(maps: np.ndarray, humans: np.ndarray, f: np.ndarray) -> dict[str, Any]:
    """Rho of RC and f, with RC as one product of standardised ranks leaves it, and rounded to 12 digits."""
    first, second = (stats.zscore(stats.rankdata(one, axis=1), axis=1) for one in (maps, humans))
    raw = np.diag(first @ second.T) / maps.shape[1]
    found = {"raw": raw, "rounded": raw.round(12)}
    return {
        name: {"distinct": len(np.unique(rc)), "rho": float(stats.spearmanr(rc, f).statistic)}
        for name, rc in found.items()
    }


def one_sided(rc: np.ndarray) -> dict[str, float]:
    """Point 6: the hypotheses are directed, the tests are not."""
    return {
        side: float(stats.ttest_1samp(rc, 0, alternative=side).pvalue) for side in ("two-sided", "greater")
    }


def independent_or_repeated(rc: list[np.ndarray]) -> dict[str, Any]:
    """Point 8, on two models: stimuli as independent groups, and as the same stimuli seen twice."""
    grouped, paired = stats.f_oneway(*rc), stats.ttest_rel(*rc)
    return {
        "independent": {"F": float(grouped.statistic), "p": float(grouped.pvalue)},
        "repeated": {"F": float(paired.statistic) ** 2, "p": float(paired.pvalue)},
    }


def shared_images(folder: Path) -> dict[str, int]:
    """Point 11: stimuli whose image carries several of the benchmark's items."""
    _, maps = read_map_table(folder / "shapley_CLIP.csv")
    items = Counter(r.text("image") for r in read_records(folder / "scores_valse_CLIP.csv", ["image"]))
    return {"stimuli": len(maps), "with_several_items": sum(items[image] > 1 for image in maps)}


def measure(folder: Path) -> dict[str, Any]:
    """All numbers: what `hlx analyze` says, and the points in which the study's text and code differ."""
    study = read_study(folder, pictures=False)
    humans = study.human_values()
    analysis = analyze(study)
    models: dict[str, Any] = {}
    for model in study.models:
        phi, benchmark = model.phi(study.stimuli), model.benchmark
        maps = magnitude(phi)
        assert benchmark is not None
        models[model.name] = {
            "items": {name: one.scored for name, one in benchmark.accuracies.phenomena.items()},
            "accuracy": {"pooled": benchmark.accuracies.pooled.share, "macro": benchmark.accuracies.macro},
            "null_mean_of_all_pairings": float(spearman_matrix(maps, humans).mean()),
            "sides": one_sided(analysis.models[model.name].by_stimulus.rc),
            "ties": ties(maps, humans),
            "divergence": divergence(maps, humans),
            "score_sd": {f"ddof {ddof}": float(np.std(benchmark.f, ddof=ddof)) for ddof in (0, 1)},
            "rc_by_magnitude": magnitudes(phi, humans),
            "partial_rc": centre(study, maps, humans),
            "rounding": rounding(maps, humans, model.f(study.stimuli)),
            "comparison": summary(compare(model.maps, study.humans)),
        }
    return {
        "analysis": analysis.to_json(),
        "normalisation": normalisation(humans),
        "blur": blur(),
        "groups": independent_or_repeated([one.by_stimulus.rc for one in analysis.models.values()]),
        "human_maps_with_ties": sum(len(np.unique(values)) < len(values) for values in humans),
        "images": shared_images(folder),
        "rc_of_other_stimuli": float(np.nanmean(spearman(mean_of_others(humans), humans))),
        "rc_of_gaussian": float(
            np.nanmean(spearman(np.tile(centre_bias(study.grid), (len(humans), 1)), humans))
        ),
        "models": models,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", type=Path, default=STUDY, help="the published data as CSV")
    options = parser.parse_args()
    if not options.study.is_dir():
        print(f"skipped: no published data, {options.study} is missing", file=sys.stderr)
        return
    results = measure(options.study)
    print(json.dumps({name: found for name, found in results.items() if name != "analysis"}, indent=2))
    packages = ["hlx", "numpy", "scipy", "pot", "statsmodels"]
    print(f"written: {write_results('reference_study', results, packages)}")


if __name__ == "__main__":
    main()
