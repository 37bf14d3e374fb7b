"""Interaction indices as weights, computed in rational numbers and rounded once.

By linearity, symmetry and the dummy axiom an index of the set S is I(S) = sum over T containing S of
w(|S|, |T|) m(T), where m is the Moebius transform, and also I(S) = sum over l of p(|S|, l) D(S, l), with the
D(S, l) of `derivative_sums`. The weights w are what the papers give; sums with p are what keeps the digits.
"""

import functools
from fractions import Fraction
from math import comb

import numpy as np
from jaxtyping import Float64


@functools.lru_cache(maxsize=64)
def derivative_weights(
    index: str, n: int, order: int, p: float = 0.5
) -> tuple[Float64[np.ndarray, "sizes"], ...]:
    """p(s, l) of SII, k-SII, STII, FSII, BII, FBII, Moebius or WBII for s = 0 ... order, l = 0 ... n - s.

    `p` is the probability of WBII. D(S, l) is a sum of Moebius values in turn, so that with t = |T|

        w(s, t) = sum over l >= t - s of C(n - t, l - t + s) p(s, l)

    whose inverse is p(s, l) = sum over j of (-1)^j C(n - s - l, j) w(s, s + l + j).
    """
    found = []
    for s in range(order + 1):
        w = [_dividend_weight(index, order, Fraction(p), s, t) for t in range(s, n + 1)]
        rest = n - s
        weights = np.array(
            [
                float(sum((-1) ** j * comb(rest - size, j) * w[size + j] for j in range(rest - size + 1)))
                for size in range(rest + 1)
            ]
        )
        weights.flags.writeable = False
        found.append(weights)
    return tuple(found)


def _dividend_weight(index: str, order: int, p: Fraction, s: int, t: int) -> Fraction:
    """w(s, t), t >= s."""
    own = Fraction(s == t)
    if index == "SII":  # Grabisch and Roubens 1999: the integral of q^(t - s)
        return Fraction(1, t - s + 1)
    if index in ("BII", "WBII"):  # the same at one q, 1/2 or p: Marichal and Mathonet 2011
        return (Fraction(1, 2) if index == "BII" else p) ** (t - s)
    if index == "k-SII":  # Bordt and von Luxburg 2023: SII of supersets, times Bernoulli numbers
        if s == 0:
            return own
        return sum(
            (
                comb(t - s, j) * bernoulli / (t - s - j + 1)
                for j, bernoulli in enumerate(_bernoulli(min(order, t) - s))
            ),
            Fraction(0),
        )
    if index == "STII":  # Sundararajan, Dhamdhere and Agarwal 2020
        return own if s < order else Fraction(1, comb(t, order))
    # Faithful indices, Tsai, Yeh and Ravikumar 2023: Moebius values, plus shares of those above the order.
    if index == "Moebius" or t <= order or (index == "FSII" and s == 0):
        return own
    sign = (-1) ** (order - s)
    if index == "FSII":  # theorem 19
        top = s * comb(order, s) * comb(t - 1, order)
        return Fraction(sign * top, (order + s) * comb(t + order - 1, order + s))
    assert index == "FBII"  # the weights of its least squares are all equal
    return Fraction(sign * comb(t - s - 1, order - s), 2 ** (t - s))


@functools.cache
def _bernoulli(most: int) -> tuple[Fraction, ...]:
    """B_0 ... B_most, with B_1 = -1/2."""
    numbers = [Fraction(1)]
    for m in range(1, most + 1):
        numbers.append(-sum(comb(m + 1, j) * numbers[j] for j in range(m)) / Fraction(m + 1))
    return tuple(numbers)
