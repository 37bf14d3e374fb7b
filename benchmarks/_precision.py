"""What bfloat16 changes in Shapley values, next to float32."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

import hlx


def phi_change(
    model: str | Path, stimuli: Iterable[hlx.Stimulus], regions: hlx.Grid
) -> dict[str, float | int | str]:
    """Exact maps of the stimuli in both precisions, compared stimulus by stimulus.

    Returns
    -------
    dict[str, float | int | str]
        Means over stimuli: `rank_correlation` (Spearman's, of phi), `rank_correlation_magnitude` (of
        abs(phi), what is compared with people), `relative_error` (Euclidean norm of the change over that of
        phi); and the largest relative error of any stimulus.
    """
    from scipy.stats import spearmanr

    phi: dict[str, np.ndarray] = {}
    stimuli = list(stimuli)
    for dtype in ("float32", "bfloat16"):
        port = hlx.load_model(model, dtype=dtype)
        phi[dtype] = np.stack([hlx.shapley_from_table(port.game(one, regions).table()) for one in stimuli])
    one, other = phi["float32"], phi["bfloat16"]
    errors = np.linalg.norm(other - one, axis=1) / np.linalg.norm(one, axis=1)
    pairs = list(zip(one, other, strict=True))
    return {
        "stimuli": len(stimuli),
        "grid": f"{regions.rows}x{regions.cols}",
        "rank_correlation": float(np.mean([spearmanr(a, b).statistic for a, b in pairs])),
        "rank_correlation_magnitude": float(np.mean([spearmanr(abs(a), abs(b)).statistic for a, b in pairs])),
        "relative_error": float(errors.mean()),
        "relative_error_max": float(errors.max()),
    }


def scenes(count: int) -> list[hlx.Stimulus]:
    """Held-out scenes with their captions and foils, the kinds of statement in turn."""
    from hlx.games.scenes import HELD_OUT_SEED, make_stimuli

    made = make_stimuli(count, HELD_OUT_SEED)
    return [hlx.Stimulus(image=one.image, caption=one.caption, foil=one.foil) for one in made]


def random_stimuli(side: int, count: int) -> list[hlx.Stimulus]:
    """Images of coarse coloured squares, for models that have seen nothing."""
    draw = np.random.default_rng(3)
    cells = draw.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    images = cells.repeat(-(-side // 8), axis=1).repeat(-(-side // 8), axis=2)
    return [hlx.Stimulus(image=image, caption="a red circle", foil="a blue square") for image in images]
