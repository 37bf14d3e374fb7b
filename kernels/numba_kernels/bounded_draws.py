"""Exactly uniform draws of several bounded integers from one random word (Brackett-Rozinsky and Lemire 2024).

Let x be uniform on 0 ... 2^bits - 1, and let the numbers of choices b_1 ... b_k have the product B. Then

    x b_1 = j_1 2^bits + x_1,    x_1 b_2 = j_2 2^bits + x_2,    ...

draws each j_i from 0 ... b_i - 1. They are uniform and independent if x is drawn anew where the last
remainder, x_k = x B mod 2^bits, is below 2^bits mod B: as many x are left for each outcome j_1 ... j_k.
"""

import numpy as np
from jaxtyping import UInt64

SPARE_BITS = 10  # B is smaller than 2^bits by so many: x is drawn anew less than once in 2^10 times


def shuffle_batches(n: int) -> tuple[int, UInt64[np.ndarray, "batches 3"]]:
    """The draws of Fisher and Yates' shuffle, of n, n - 1 ... 1 choices, in batches of one random word each.

    Returns
    -------
    bits
        Of x: so many that x times any number of choices fits into 64 bits.
    batches
        One row per batch: how many draws it is, B, and 2^bits mod B.
    """
    bits = 64 - n.bit_length()
    batches, choices = [], n
    while choices:
        draws, product = 0, 1
        while choices and product * choices << SPARE_BITS <= 1 << bits:
            draws, product, choices = draws + 1, product * choices, choices - 1
        batches.append((draws, product, (1 << bits) % product))
    return bits, np.array(batches, dtype=np.uint64)
