"""Signed maps as text: coloured cells for a terminal, aligned numbers for a pipe."""

import numpy as np
from jaxtyping import Float

from hlx.errors import InputError

# Background colours of the xterm palette from white to full, and the ink that is legible on each.
_REDS = ((231, 16), (224, 16), (217, 16), (210, 16), (203, 16), (160, 231), (124, 231))
_BLUES = ((231, 16), (189, 16), (153, 16), (111, 16), (69, 231), (26, 231), (19, 231))
_TALL = 8  # grids of up to so many rows get cells of three lines, about square in most fonts


def terminal_map(values: Float[np.ndarray, "rows cols"], colour: bool, width: int = 80) -> str:
    """A signed map in `width` columns of text.

    Numbers are printed as they are where they fit, else in percent of the largest magnitude, else as signs
    (``++`` from two thirds of it, ``+`` from one third, ``.`` below).

    Parameters
    ----------
    values
        (rows, cols) float
    colour
        Cells on a coloured ground, red above and blue below zero (256-colour escape sequences). Without
        it there are no escape sequences at all.
    width
        Columns of the terminal.

    Raises
    ------
    InputError
        Values that are no table or not finite.
    """
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise InputError(f"map: expected a table of finite values, found shape {values.shape}")
    limit = float(np.abs(values).max())
    relative = values / limit if limit > 0 else np.zeros_like(values, dtype=float)
    cells, note = _cells(values, relative, limit, width - 2, colour)
    if not colour:
        lines = ["  " + " ".join(row) for row in cells]
    else:
        tall = len(cells) <= _TALL
        lines = []
        for row, shares in zip(cells, relative.tolist(), strict=True):
            blank = "  " + "".join(_painted(" " * (len(row[0]) + 2), share) for share in shares)
            inked = "  " + "".join(_painted(f" {t} ", share) for t, share in zip(row, shares, strict=True))
            lines += [blank, inked, blank] if tall else [inked]
    return "\n".join([*lines, f"  {note}"] if note else lines)


def region_list(
    values: Float[np.ndarray, " n"], standard_error: Float[np.ndarray, " n"] | None = None, count: int = 10
) -> str:
    """The `count` regions with the largest |phi|, one per line, with their share of the sum of |phi|.

    What a label map has in place of :func:`terminal_map`. Ties are listed in the order of the regions.
    """
    magnitude = np.abs(values)
    total = float(magnitude.sum()) or 1.0
    largest = np.argsort(-magnitude, kind="stable")[:count]
    numbers = _numbers(values[largest], float(magnitude.max()))
    lines = []
    for region, number in zip(largest.tolist(), numbers, strict=True):
        error = "" if standard_error is None else f" ± {standard_error[region]:.2g}"
        name = f"region {region:<{len(str(values.size - 1))}}"
        lines.append(f"  {name}  {number}{error}  {magnitude[region] / total:4.0%}")
    if values.size > count:
        lines.append(f"  and {values.size - count} smaller")
    return "\n".join(lines)


def _cells(
    values: np.ndarray, relative: np.ndarray, limit: float, width: int, colour: bool
) -> tuple[list[list[str]], str]:
    """Equally wide texts for all cells in the first form that fits, and a note that explains the form."""
    cols = values.shape[1]
    around = 2 if colour else 1
    percent = [
        f"{round(100 * share):+d}" if round(100 * share) else "0" for share in relative.ravel().tolist()
    ]
    signs = [_sign(share) for share in relative.ravel().tolist()]
    forms = (
        (_numbers(values.ravel(), limit), ""),
        (percent, f"in percent of {limit:.3g}"),
        (signs, f"++ and -- from 2/3, + and - from 1/3 of {limit:.3g}"),
    )
    fitting = (form for form in forms if cols * (max(map(len, form[0])) + around) <= width)
    texts, note = next(fitting, forms[-1])
    longest = max(map(len, texts))
    padded = [text.rjust(longest) for text in texts]
    return [padded[start : start + cols] for start in range(0, len(padded), cols)], note


def _numbers(values: np.ndarray, limit: float) -> list[str]:
    if 0 < limit < 1e-3 or limit >= 1e5:
        return [f"{value:+z.1e}" for value in values.tolist()]
    decimals = 4 if limit < 0.1 else 3 if limit < 1 else 2
    texts = [f"{value:+z.{decimals}f}" for value in values.tolist()]
    widest = max(map(len, texts))
    return [text.rjust(widest) for text in texts]


def _sign(share: float) -> str:
    strength = 2 if abs(share) >= 2 / 3 else 1 if abs(share) >= 1 / 3 else 0
    return ("+" if share > 0 else "-") * strength or "."


def _painted(text: str, share: float) -> str:
    ramp = _REDS if share >= 0 else _BLUES
    ground, ink = ramp[round(abs(share) * (len(ramp) - 1))]
    return f"\033[48;5;{ground};38;5;{ink}m{text}\033[0m"
