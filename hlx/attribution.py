"""The result: one Shapley value per region, and everything that made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Shaped, UInt8

from hlx.regions import Regions


@dataclass(frozen=True, eq=False)
class Context:
    """What an attribution is of, and what made it.

    Attributes
    ----------
    image, caption, foil, stimulus_id, phenomenon : the stimulus; `image` is its path as given.
    stimulus_hash, image_hash : SHA-256 of caption, foil and pixels, and of the pixels.
    model, fingerprint, revision : name for `load_model`, SHA-256 of config and weights, the hub's commit.
    dtype, background, seed, batch_size : options.
    seconds : wall time of evaluation and solving, compilation included; shared by all pairs of one sweep.
    versions : package name -> version, and "device".
    shown, hidden : uint8 (side, side, 3), the image at the model's size and what its hidden regions show.
    """

    image: str
    caption: str
    foil: str | None
    stimulus_id: str | None
    phenomenon: str | None
    stimulus_hash: str
    image_hash: str
    model: str
    fingerprint: str
    revision: str | None
    dtype: str
    background: str
    seed: int
    batch_size: int
    seconds: float
    versions: dict[str, str]
    shown: UInt8[np.ndarray, "s s 3"] = field(repr=False)
    hidden: UInt8[np.ndarray, "s s 3"] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Attribution:
    """Shapley values of the regions of one image for one pair of caption and foil.

    Attributes
    ----------
    values : float64 (n,), phi in the model's logits; they sum to v_all - v_none (efficiency).
    v_all, v_none : f with every region shown, and with none.
    n_evaluations : distinct coalitions evaluated.
    regions : the players.
    estimator : its name.
    standard_error : float64 (n,), or None where the values are exact.
    table : all 2^n values, where they were evaluated and kept.
    vectors : float32 (2^n, p), the image vector of every coalition, where kept.
    context : stimulus, model and options, where the attribution comes from a model.
    """

    values: Float64[np.ndarray, " n"]
    v_all: float
    v_none: float
    n_evaluations: int
    regions: Regions
    estimator: str
    standard_error: Float64[np.ndarray, " n"] | None = None
    table: Float[np.ndarray, " coalitions"] | None = field(default=None, repr=False)
    vectors: Float[np.ndarray, "coalitions p"] | None = field(default=None, repr=False)
    context: Context | None = field(default=None, repr=False)

    @property
    def map(self) -> Shaped[np.ndarray, "rows cols"]:
        """The values where the regions lie: (rows, cols) of a grid, painted pixels of a label map."""
        return self.regions.to_map(self.values)

    @property
    def normalized(self) -> Float64[np.ndarray, " n"]:
        """|phi| / sum |phi|, the magnitude map compared with people; uniform where all values are zero."""
        magnitude = np.abs(self.values)
        total = magnitude.sum()
        return magnitude / total if total > 0 else np.full(len(magnitude), 1 / len(magnitude))

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON's types; `shapley` in nested rows for a grid, flat for a label map."""
        from hlx.regions import Grid

        context, grid = self.context, isinstance(self.regions, Grid)
        laid_out = self.regions.to_map if grid else np.asarray
        errors = self.standard_error
        result: dict[str, Any] = {
            "grid": str(self.regions) if grid else None,
            "regions": self.regions.spec(),
            "estimator": self.estimator,
            "n_evaluations": self.n_evaluations,
            "score": self.v_all,
            "score_hidden": self.v_none,
            "shapley": laid_out(self.values).tolist(),
            "standard_error": None if errors is None else laid_out(errors).tolist(),
        }
        if context is None:
            return result
        made = {name: getattr(context, name) for name in CONTEXT_FIELDS}
        return {**made, **result}

    def plot(self, path: str | Path, title: str | None = None) -> None:
        """Write image | what hidden regions show | signed map to a .png or .pdf file."""
        from hlx.plot import save_overlay

        save_overlay(path, self.panel(title))

    def panel(self, title: str | None = None) -> Any:
        """The attribution as one row of `hlx.plot.contact_sheet`."""
        from hlx.errors import InputError
        from hlx.plot import Panel

        if self.context is None:
            raise InputError("this attribution comes from a bare game: there is no image to draw it on")
        c = self.context
        return Panel(c.shown, c.hidden, self.values, self.regions, c.caption, c.foil, title or c.model)


CONTEXT_FIELDS = (
    *("model", "image", "caption", "foil", "stimulus_id", "phenomenon", "stimulus_hash", "image_hash"),
    *("fingerprint", "revision", "dtype", "background", "seed", "batch_size", "seconds", "versions"),
)
"""Fields of `Context` that are plain values."""
