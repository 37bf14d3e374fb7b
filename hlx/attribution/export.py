"""Results as the objects of other packages, which are imported only here and only when asked for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, UInt8

from hlx.errors import InputError
from hlx.games.regions import Regions, region_name


def shapiq_interactions(
    masks: Bool[np.ndarray, "sets n"],
    values: Float64[np.ndarray, " sets"],
    index: str,
    order: int,
    baseline: float,
) -> Any:
    """A `shapiq.InteractionValues` of exact interactions, the empty set's among them.

    Parameters
    ----------
    masks, values
        The players of each interaction, and its value.
    index
        Under the name that shapiq knows; other names (WBII) are kept, as a name alone.
    order
        The highest.
    baseline
        v(none), which shapiq puts in place of the empty set's value where its index says so.

    Raises
    ------
    InputError
        Shapiq is not installed.
    """
    try:
        import shapiq
    except ImportError as error:
        raise InputError("to_shapiq needs shapiq, which is not installed: pip install shapiq") from error
    players = [tuple(np.flatnonzero(mask).tolist()) for mask in masks]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is not a valid interaction index")
        return shapiq.InteractionValues(
            dict(zip(players, values.tolist(), strict=True)),
            index=index,
            max_order=order,
            min_order=0,
            n_players=masks.shape[1],
            estimated=False,
            baseline_value=baseline,
        )


def player_explanation(
    values: Float[np.ndarray, " n"],
    base_value: float,
    standard_error: Float[np.ndarray, " n"] | None,
    regions: Regions | None,
) -> Any:
    """A `shap.Explanation` with one feature per player, named by its (row, column) where it lies in a grid.

    Raises
    ------
    InputError
        Shap is not installed.
    """
    shap = _shap()
    # Every player is shown in the coalition that the values explain.
    return shap.Explanation(
        values.copy(),
        base_values=base_value,
        data=np.ones(len(values)),
        feature_names=[f"region {region_name(player, regions)}" for player in range(len(values))],
        error_std=None if standard_error is None else standard_error.copy(),
    )


def pixel_explanation(
    values: Float[np.ndarray, " n"], base_value: float, regions: Regions, image: UInt8[np.ndarray, "s s 3"]
) -> Any:
    """A `shap.Explanation` of one image, (1, s, s, 3), as `shap.image_plot` takes.

    Every pixel and colour carries its share of its region's value, so that all add up to v(all) - v(none).

    Raises
    ------
    InputError
        Shap is not installed.
    """
    shap = _shap()
    labels = regions.labels(image.shape[0])
    share = values / (3 * np.bincount(labels.ravel(), minlength=len(values)))
    painted = np.repeat(share[labels][..., None], 3, axis=2)
    return shap.Explanation(painted[None], base_values=np.array([base_value]), data=image[None])


def _shap() -> Any:
    try:
        import shap
    except ImportError as error:
        raise InputError("to_shap needs shap, which is not installed: pip install shap") from error
    return shap
