"""Differences between conditions that the same stimuli meet: every pair of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, log10

import numpy as np
from jaxtyping import Float64, Shaped

from hlx.errors import InputError
from hlx.inference.corrections import holm
from hlx.inference.one_sample import OneSampleTest, one_sample_t
from hlx.inference.samples import paired_samples

TIE_DIGITS = 12
"""Of the largest value: differences that are equal so far tie in their ranks, as in exact arithmetic."""


@dataclass(frozen=True)
class PairedDifference:
    """Two conditions compared on the stimuli that have both.

    Attributes
    ----------
    first, second : names; the difference is first - second.
    test : of the differences against zero: the paired t-test, d_z in `cohen_d`, signed ranks in `wilcoxon`.
    p_holm, wilcoxon_p_holm : `test`'s p-values corrected over all pairs (Holm 1979).
    """

    first: str
    second: str
    test: OneSampleTest
    p_holm: float | None
    wilcoxon_p_holm: float | None


def paired_differences(matrix: Shaped[np.ndarray, ...], names: Sequence[str]) -> list[PairedDifference]:
    """Compare all pairs of the k conditions of a matrix (n, k), in the order of their names; none for k < 2.

    A stimulus with NaN in either condition is left out of that pair.

    Raises
    ------
    InputError : names that are not k, or a pair with fewer than 3 stimuli.
    """
    if matrix.ndim != 2 or matrix.shape[1] != len(names):
        raise InputError(f"paired differences: {len(names)} names for values of shape {matrix.shape}")
    pairs = list(combinations(range(len(names)), 2))
    tests = []
    for i, j in pairs:
        first, second = paired_samples(matrix[:, i], matrix[:, j], f"{names[i]} and {names[j]}")
        tests.append(one_sample_t(_differences(first, second)))
    corrected = holm([test.p for test in tests])
    by_rank = holm([None if test.wilcoxon is None else test.wilcoxon.p for test in tests])
    return [
        PairedDifference(names[i], names[j], test, p, by_rank_p)
        for (i, j), test, p, by_rank_p in zip(pairs, tests, corrected, by_rank, strict=True)
    ]


def _differences(
    first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """first - second, without the last digits, in which .3 - .1 and .5 - .3 differ."""
    largest = float(max(np.abs(first).max(), np.abs(second).max()))
    return np.round(first - second, TIE_DIGITS - ceil(log10(largest))) if largest > 0 else first - second
