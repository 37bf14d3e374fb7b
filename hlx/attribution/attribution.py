"""The result: one Shapley value per region, and everything that made it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Shaped, UInt8

from hlx.attribution.magnitudes import magnitude
from hlx.errors import InputError
from hlx.games.faithfulness import Faithfulness
from hlx.games.regions import Grid, Regions
from hlx.io.files import write_csv

ROUNDING = 1e-5
"""Of a game's size: scores are single precision, so that sums of values are off by a little."""


@dataclass(frozen=True, eq=False)
class Context:
    """What an attribution is of, and what made it.

    Attributes
    ----------
    image, caption, foil, stimulus_id, phenomenon
        The stimulus; `image` is its path as given.
    stimulus_hash, image_hash
        SHA-256 of caption, foil and pixels, and of the pixels.
    model, fingerprint, revision
        Name for `load_model`, SHA-256 of weights, configs and tokenizer, the hub's commit.
    engine
        What ran the model: "jax", "torch", or "function" for one of the user's own.
    dtype, background, batch_size
        Options.
    unit
        Of f, and so of the values: "logits", "probability", ...
    seconds
        Wall time of evaluation and solving, compilation included; shared by all pairs of one sweep.
    table_seconds
        Of evaluating all coalitions, where that was done.
    versions
        Package name -> version, and "device".
    shown, hidden
        Uint8 (side, side, 3), the image at the model's size and what its hidden regions show.
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
    engine: str
    dtype: str
    background: str
    unit: str
    batch_size: int
    seconds: float
    table_seconds: float | None
    versions: dict[str, str]
    shown: UInt8[np.ndarray, "s s 3"] = field(repr=False)
    hidden: UInt8[np.ndarray, "s s 3"] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Attribution:
    """Shapley values of the players of a game: of the regions of one image for one pair of caption and foil.

    Attributes
    ----------
    values
        (n,), phi in the unit of the model's score; they sum to grand_coalition_value - baseline_value
        (efficiency).
    grand_coalition_value, baseline_value
        f with every region shown, and with none.
    n_evaluations
        Distinct coalitions that the estimator asked for.
    regions
        The players; None where a bare game came without.
    estimator
        Its name; "exact" also where a sampled one's budget reached all coalitions.
    kind
        What the values are, "Shapley values" for all estimators but the baselines.
    standard_error
        (n,), or None where the values are exact or nothing is known of their error.
    degrees_of_freedom
        Of the standard errors where they rest on few draws, else None.
    budget, seed, tolerance
        As asked for.
    coalition_values
        All 2^n values, where they were evaluated and kept.
    vectors
        Float32 (2^n, p), the image vector of every coalition, where kept.
    faithfulness
        Insertion and deletion curves, where asked for.
    context
        Stimulus, model and options, where the attribution comes from a model.
    """

    values: Float64[np.ndarray, " n"]
    grand_coalition_value: float
    baseline_value: float
    n_evaluations: int
    regions: Regions | None
    estimator: str
    standard_error: Float64[np.ndarray, " n"] | None = None
    degrees_of_freedom: float | None = None
    budget: int | None = None
    seed: int = 0
    tolerance: float | None = None
    coalition_values: Float[np.ndarray, " coalitions"] | None = field(default=None, repr=False)
    vectors: Float[np.ndarray, "coalitions p"] | None = field(default=None, repr=False)
    faithfulness: Faithfulness | None = field(default=None, repr=False)
    context: Context | None = field(default=None, repr=False)
    kind: str = "Shapley values"

    @property
    def is_exact(self) -> bool:
        """Whether the values are exact Shapley values."""
        return self.estimator == "exact"

    @property
    def map(self) -> Shaped[np.ndarray, "rows cols"]:
        """The values where the regions lie: (rows, cols) of a grid, painted pixels of a label map.

        Raises
        ------
        InputError
            The attribution is of a bare game without regions.
        """
        return self.laid_out(self.values)

    def laid_out(self, numbers: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, "rows cols"]:
        """Any numbers of the players, standard errors say, where the regions lie; as `map` otherwise."""
        if self.regions is None:
            raise InputError("this attribution has no regions to lay out: give estimate() the regions")
        return self.regions.to_map(numbers)

    @property
    def normalized(self) -> Float64[np.ndarray, " n"]:
        """|phi| / sum |phi|, the magnitude map compared with people; NaN where all values are zero."""
        return magnitude(self.values)

    def interval(self, level: float = 0.95) -> Float64[np.ndarray, "n 2"]:
        """Confidence intervals: lower and upper end for every player; both are the value where it is exact.

        Raises
        ------
        InputError
            Nothing is known of the errors, or the level is not between 0 and 1.
        """
        factor = critical_value(level, self.degrees_of_freedom)
        if self.standard_error is not None:
            half = factor * self.standard_error
        elif self.is_exact:
            half = np.zeros_like(self.values)
        else:
            raise InputError(
                f"{self.estimator} gave no standard errors here; `hlx estimators` lists those that give them "
                "where the budget is large enough"
            )
        return np.stack([self.values - half, self.values + half], axis=1)

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON's types; `shapley` (values of any kind) in nested rows for a grid, else flat."""
        context, grid = self.context, isinstance(self.regions, Grid)
        laid_out = self.laid_out if grid else np.asarray
        errors = self.standard_error
        result: dict[str, Any] = {
            "grid": str(self.regions) if grid else None,
            "regions": None if self.regions is None else self.regions.spec(),
            "estimator": self.estimator,
            "kind": self.kind,
            "budget": self.budget,
            "seed": self.seed,
            "tolerance": self.tolerance,
            "n_evaluations": self.n_evaluations,
            "score": self.grand_coalition_value,
            "score_hidden": self.baseline_value,
            "shapley": laid_out(self.values).tolist(),
            "standard_error": None if errors is None else laid_out(errors).tolist(),
            "degrees_of_freedom": self.degrees_of_freedom,
        }
        if self.faithfulness is not None:
            result["faithfulness"] = self.faithfulness.as_dict()
        if context is None:
            return result
        made = {name: getattr(context, name) for name in CONTEXT_FIELDS}
        return {**made, **result}

    def rows(self) -> list[dict[str, Any]]:
        """One record per player, for tables: what it is of, where it lies, its value and 95% interval."""
        context, known = self.context, self.standard_error is not None or self.is_exact
        ends = self.interval() if known else None
        described = {name: getattr(context, name, None) for name in ROW_FIELDS}
        spent = {"estimator": self.estimator, "n_evaluations": self.n_evaluations, "kind": self.kind}
        grid = self.regions if isinstance(self.regions, Grid) else None
        records = []
        for player, value in enumerate(self.values):
            row, column = (None, None) if grid is None else divmod(player, grid.cols)
            error = None if self.standard_error is None else float(self.standard_error[player])
            low, high = (None, None) if ends is None else map(float, ends[player])
            place = {"region": player, "row": row, "column": column}
            worth = {"value": float(value), "standard_error": error, "low": low, "high": high}
            records.append({**described, **spent, **place, **worth})
        return records

    def to_csv(self, path: str | Path | None = None, force: bool = False) -> str:
        """The records of `rows` as CSV text; written to a file where a path is given.

        Raises
        ------
        OutputError
            The file exists and `force` is not given, or it cannot be written.
        """
        return write_csv(self.rows(), path, force)

    def to_shap(self, pixels: bool = False) -> Any:
        """A `shap.Explanation` for shap's plots; needs shap (`pip install shap`).

        Parameters
        ----------
        pixels
            False for one feature per player (bar, waterfall); True for one per pixel and colour, each with
            its share of its region's value, as `shap.image_plot` takes.

        Raises
        ------
        InputError
            Shap is not installed; there is no image for `pixels`; or the values are no Shapley values and do
            not add up to grand_coalition_value - baseline_value, as all that shap draws of them would say.
        """
        from hlx.attribution.export import pixel_explanation, player_explanation

        missing = self.grand_coalition_value - self.baseline_value - float(self.values.sum())
        size = max(
            abs(self.grand_coalition_value), abs(self.baseline_value), float(np.abs(self.values).sum())
        )
        if self.kind != "Shapley values" and abs(missing) > ROUNDING * size:
            raise InputError(
                f"to_shap: {self.kind} of {self.estimator} do not add up to grand_coalition_value - "
                "baseline_value, which shap takes for granted; take an estimator of Shapley values"
            )
        if not pixels:
            return player_explanation(self.values, self.baseline_value, self.standard_error, self.regions)
        panel = self.panel()
        return pixel_explanation(self.values, self.baseline_value, panel.regions, panel.image)

    def plot(self, path: str | Path, title: str | None = None) -> None:
        """Write image | what hidden regions show | signed map to a .png or .pdf file."""
        from hlx.plot import save_overlay

        save_overlay(path, self.panel(title))

    def panel(self, title: str | None = None) -> Any:
        """The attribution as one row of `hlx.plot.contact_sheet`."""
        from hlx.plot import Panel

        if self.context is None or self.regions is None:
            raise InputError("this attribution comes from a bare game: there is no image to draw it on")
        c = self.context
        how = "" if self.is_exact else f", {self.estimator} ({self.n_evaluations:,} evaluations)"
        title = title or f"{c.model}{how}"
        return Panel(
            c.shown, c.hidden, self.values, self.regions, c.caption, c.foil, title, c.unit, self.kind
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the drawing over the image, or a coloured table of the values."""
        from hlx.plot.figure_files import notebook_html

        how = f"{self.kind}: {self.estimator}, {self.n_evaluations:,} evaluations"
        panel = None if self.context is None else self.panel()
        return notebook_html(self.values, self.standard_error, self.regions, panel, how)


def critical_value(level: float, degrees_of_freedom: float | None) -> float:
    """Half the width of a two-sided interval in standard errors: Student's t, or normal without degrees.

    Raises
    ------
    InputError
        The level is not between 0 and 1.
    """
    from scipy.special import ndtri, stdtrit

    if not 0 < level < 1:
        raise InputError(f"the level of an interval lies between 0 and 1, such as 0.95; found {level}")
    upper = (1 + level) / 2
    return float(ndtri(upper) if degrees_of_freedom is None else stdtrit(degrees_of_freedom, upper))


def memory_of(array: Shaped[np.ndarray, "*axes"]) -> Hashable:
    """What arrays have in common that are one in memory, be they views of it made at different times."""
    return array.ctypes.data, array.shape, array.strides, array.dtype.str


def holding_tables(attributions: Sequence[Attribution]) -> list[Attribution]:
    """The first attribution of every table there is: the estimators of one sweep share its table."""
    first: dict[Hashable, Attribution] = {}
    for attribution in attributions:
        if attribution.coalition_values is not None:
            first.setdefault(memory_of(attribution.coalition_values), attribution)
    return list(first.values())


CONTEXT_FIELDS = (
    *("model", "image", "caption", "foil", "stimulus_id", "phenomenon", "stimulus_hash", "image_hash"),
    *("fingerprint", "revision", "engine", "dtype", "background", "unit", "batch_size"),
    *("seconds", "table_seconds", "versions"),
)
"""Fields of `Context` that are plain values."""

ROW_FIELDS = ("model", "image", "stimulus_id", "phenomenon", "caption", "foil")
"""Fields of `Context` that every record of a table repeats."""
