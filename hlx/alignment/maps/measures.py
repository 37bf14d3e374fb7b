"""All measures of similarity by name, and measures of your own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from hlx.alignment.maps.click_measures import auc, nss, shuffled_auc
from hlx.alignment.maps.similarity import (
    Maps,
    Numbers,
    cc,
    chi_squared,
    cosine,
    emd,
    kl_divergence,
    sim,
    spearman,
    top_k_iou,
)
from hlx.errors import HlxError, InputError
from hlx.io.own_code import own_object

ARGUMENTS = ("humans", "grid", "clicks", "others", "side")
"""What a measure may ask for beside the maps, by the name of its argument."""


@dataclass(frozen=True)
class Measure:
    """A measure of similarity and what there is to know of it.

    Parameters
    ----------
    name
        As tables call it.
    title
        In words, with its unit or range.
    better
        Whether "higher" or "lower" values are those of more similar maps.
    function
        Takes maps (m, n) and returns (m,), NaN where it is undefined. It is given what its further arguments
        are named after: `humans`, the human maps (m, n); `grid`, the cells; `clicks` and `others`, (m, n),
        clicks in each cell, of the stimulus and of all other stimuli; `side` of the canvas in pixels.
    needs_mass
        It compares distributions, and is undefined for signed maps.

    Raises
    ------
    InputError
        The function asks for something else.

    Examples
    --------
    A measure of your own, for ``hlx compare --measure my_measures.py:overlap``::

        def overlap(maps, humans):
            return np.minimum(maps, humans).sum(axis=1)

    or, where lower is closer, ``distance = Measure("distance", "mean distance", "lower", function)``.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    function: Callable[..., Numbers]
    needs_mass: bool = False

    def __post_init__(self) -> None:
        for name, argument in self._arguments.items():
            if name not in ARGUMENTS and argument.default is argument.empty:
                raise InputError(
                    f"measure {self.name}: the function asks for {name!r}; after the maps it may ask for "
                    f"{', '.join(ARGUMENTS)}"
                )

    @cached_property
    def asks_for(self) -> tuple[str, ...]:
        """What the function is given beside the maps."""
        return tuple(name for name in self._arguments if name in ARGUMENTS)

    @property
    def needs_clicks(self) -> bool:
        """Whether it compares maps with clicks."""
        return "clicks" in self.asks_for

    def check(self, given: Mapping[str, Any]) -> None:
        """Raise InputError where the function asks for something that is not given, or is None."""
        for name in self.asks_for:
            if given.get(name) is None:
                raise InputError(f"measure {self.name}: needs {'the grid' if name == 'grid' else name}")

    def __call__(self, maps: Maps, **given: Any) -> Numbers:
        """The measure of each map.

        Parameters
        ----------
        maps
            (m, n), one map per row.
        **given
            `humans`, `grid`, `clicks`, `others` and `side`, as the class describes them; what the function
            does not ask for is left out.

        Raises
        ------
        InputError
            The function asks for something that is not given, raises something, or does not return (m,)
            numbers.
        """
        self.check(given)
        try:
            found = np.asarray(self.function(maps, **{name: given[name] for name in self.asks_for}))
        except HlxError:
            raise
        except Exception as error:  # whatever the user's code raises
            raise InputError(f"measure {self.name}: {type(error).__name__}: {error}") from error
        if found.shape != (len(maps),) or found.dtype.kind not in "fiu":
            raise InputError(
                f"measure {self.name}: expected {len(maps)} real numbers, one for each map, found "
                f"{found.dtype} {found.shape}"
            )
        return found.astype(np.float64)

    @cached_property
    def _arguments(self) -> dict[str, inspect.Parameter]:
        return dict(list(inspect.signature(self.function).parameters.items())[1:])


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("RC", "Spearman's rank correlation", "higher", spearman),
        Measure("EMD", "earth mover's distance in grid cells", "lower", emd, needs_mass=True),
        Measure("CC", "Pearson's correlation", "higher", cc),
        Measure("SIM", "shared mass, 0 to 1", "higher", sim, needs_mass=True),
        Measure("KLDiv", "Kullback-Leibler divergence of human || map, nats", "lower", kl_divergence, True),
        Measure("cosine", "cosine similarity", "higher", cosine),
        Measure("top-k IoU", "intersection over union of the highest fifth of cells", "higher", top_k_iou),
        Measure("chi-squared", "chi-squared distance, 0 to 1", "lower", chi_squared, needs_mass=True),
        Measure("NSS", "mean standardised value at the clicks", "higher", nss),
        Measure("AUC", "area under the ROC curve, clicks against all pixels", "higher", auc),
        Measure(
            "shuffled AUC",
            "area under the ROC curve, clicks against those in other images",
            "higher",
            shuffled_auc,
        ),
    )
}
"""Every measure of hlx by its name."""


def find_measure(name: str | Measure) -> Measure:
    """The measure of this name.

    Parameters
    ----------
    name
        One of `MEASURES`, in any case, or your own as "file.py:name" or "module:name": a `Measure`, or a
        function as `Measure` describes it, of which higher values are then those of more similar maps. A
        `Measure` is returned as it is.

    Raises
    ------
    InputError
        No such measure, file or name, or a function that is no measure.
    """
    if isinstance(name, Measure):
        return name
    for known, measure in MEASURES.items():
        if known.lower() == name.lower():
            return measure
    if ":" not in name:
        raise InputError(
            f"measure {name!r}: expected one of {', '.join(MEASURES)}, or your own as file.py:NAME"
        )
    thing = own_object(name, "measure", InputError)
    if isinstance(thing, Measure):
        return thing
    if not callable(thing) or inspect.isclass(thing):
        raise InputError(f"measure {name!r}: expected a function or a Measure, found {type(thing).__name__}")
    own = name.rpartition(":")[2]
    title = (inspect.getdoc(thing) or own).splitlines()[0].rstrip(".")
    return Measure(own, title, "higher", thing)
