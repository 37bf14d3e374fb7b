"""The pairing permutation test: are maps closer to the human maps of their own stimuli than to others'?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from hlx.alignment.inference.samples import FEWEST_STIMULI, Sample, defined
from hlx.errors import InputError
from hlx.io.checks import whole_number

ENTRY_ERROR = 1e-11
"""How far entries may be off, of the range of all entries.

Means whose difference this explains are taken to be equal. Similarities carry the rounding of their own
computation and may have been rounded to 12 digits, so that sums that are equal in exact arithmetic (1/3 + 2/3
and 1/2 + 1/2) are not equal in floating point."""


@dataclass(frozen=True, eq=False)
class PairingTest:
    """The mean similarity of matched pairs beside that of random pairings.

    Attributes
    ----------
    n
        Stimuli.
    observed
        Mean of the diagonal.
    null
        (shuffles,), the mean under each random pairing.
    shuffles
        How many there are.
    exceeding
        b, pairings whose mean is at least the observed one.
    p
        b / shuffles, the reference study's; zero where no pairing reaches the observed mean.
    p_corrected
        (b + 1) / (shuffles + 1), never zero and valid at any number of shuffles (Phipson & Smyth 2010,
        "Permutation p-values should never be zero").
    p_less
        Of means at most the observed one, likewise corrected.
    p_two_sided
        Twice the smaller of p_corrected and p_less, at most 1, as scipy.stats.permutation_test's.
    null_mean, null_sd
        Of `null`, the latter with ddof 1.
    z
        (observed - null_mean) / null_sd; None where all pairings have the same mean.
    """

    n: int
    observed: float
    null: Float64[np.ndarray, " shuffles"]
    shuffles: int
    exceeding: int
    p: float
    p_corrected: float
    p_less: float
    p_two_sided: float
    null_mean: float
    null_sd: float | None
    z: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        """Everything but `null`, for JSON."""
        return {name: value for name, value in vars(self).items() if name != "null"}


def pairing_test(
    matrix: Sample,
    *,
    shuffles: int = 10_000,
    seed: int = 0,
    threads: int | None = None,
) -> PairingTest:
    """Test the mean of the diagonal against random pairings of rows and columns.

    A Monte Carlo permutation test of two paired samples: `scipy.stats.permutation_test` with the permutation
    type "pairings", of the mean similarity.

    A pairing counts as at least the observed one also where its mean is smaller by no more than rounding: a
    pairing that puts back all partners, or swaps equal maps, has the observed mean in exact arithmetic and
    must count, or p falls below what enumeration gives. scipy.stats.permutation_test widens its comparison
    for the same reason, by 100 units of rounding of the observed value; here the width follows from the
    entries (`hlx.kernels.pairing_tolerance`) and `ENTRY_ERROR`.

    Parameters
    ----------
    matrix
        (n, n); row i, column j: similarity of model map i and human map j. All finite: leave out the rows
        and columns of maps whose similarity is undefined.
    shuffles
        Random pairings, each uniform over all n!.
    seed
        From 0 on; the same seed gives the same pairings, at any number of threads.
    threads
        Of the kernel; None for all cores.

    Raises
    ------
    InputError
        The matrix is not square, has NaN or infinite entries, or fewer than 3 stimuli.
    """
    from hlx.kernels import pairing_sums, pairing_tolerance

    whole_number(shuffles, "shuffles", 1)
    whole_number(seed, "seed", 0)
    if threads is not None:
        whole_number(threads, "threads", 1)
    similarities = _checked(matrix)
    n = len(similarities)
    total = float(np.trace(similarities))
    sums = pairing_sums(similarities, shuffles, seed, threads=threads)
    width = pairing_tolerance(similarities, ENTRY_ERROR * float(np.ptp(similarities)))
    above = int(np.count_nonzero(sums >= total - width))
    below = int(np.count_nonzero(sums <= total + width))
    greater, less = ((count + 1) / (shuffles + 1) for count in (above, below))
    null, observed = sums / n, total / n
    null_mean = float(null.mean())
    sd = float(null.std(ddof=1)) if shuffles > 1 else None
    varies = sd is not None and float(np.ptp(sums)) > width
    return PairingTest(
        n=n,
        observed=observed,
        null=null,
        shuffles=shuffles,
        exceeding=above,
        p=above / shuffles,
        p_corrected=greater,
        p_less=less,
        p_two_sided=min(1.0, 2 * min(greater, less)),
        null_mean=null_mean,
        null_sd=sd,
        z=defined((observed - null_mean) / sd) if sd and varies else None,
    )


def _checked(matrix: np.ndarray) -> np.ndarray:
    if matrix.dtype.kind not in "fiu" or matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"pairing test: expected a matrix (n, n), found {matrix.dtype} {matrix.shape}")
    if len(matrix) < FEWEST_STIMULI:
        raise InputError(f"pairing test: expected at least {FEWEST_STIMULI} stimuli, found {len(matrix)}")
    values = matrix.astype(np.float64)
    if not np.isfinite(values).all():
        row, column = (int(index) for index in np.argwhere(~np.isfinite(values))[0])
        raise InputError(
            f"pairing test: {values[row, column]} at row {row}, column {column}; leave out stimuli whose "
            "similarity is undefined"
        )
    return values
