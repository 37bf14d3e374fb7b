"""The games of image-text models: coalitions of one image's regions in, scores out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Shaped, UInt8

from hlx.errors import InputError, NonFiniteScoreError
from hlx.games.coalitions import MAX_TABLE_PLAYERS, check_rows, describe, rows_from_ids
from hlx.models.batches import BatchRunner, Progress


@dataclass(frozen=True)
class Sweep:
    """All coalitions of one image: values (2^n, k) of k text pairs, image vectors (2^n, p) if kept."""

    values: Float32[np.ndarray, "c k"]
    vectors: Float32[np.ndarray, "c p"] | None


class MaskedImage(ABC):
    """One image whose regions are shown or hidden; all that is constant over coalitions is on the device.

    Attributes
    ----------
    n_players
        Regions.
    shown, hidden
        Uint8 (side, side, 3), the image at the model's size and what its hidden regions show.
    name
        What messages call the stimulus.
    """

    def __init__(
        self,
        n_players: int,
        runner: BatchRunner,
        shown: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        name: str,
    ) -> None:
        self._runner = runner
        self.n_players, self.shown, self.hidden, self.name = n_players, shown, hidden, name

    @abstractmethod
    def _values(
        self, rows: Bool[np.ndarray, "m n"], text_queries: Any, progress: Progress | None
    ) -> Float32[np.ndarray, "m k"]:
        """f of coalitions, whatever numbers they are."""

    @abstractmethod
    def _sweep(self, text_queries: Any, progress: Progress | None, keep_vectors: bool) -> Sweep:
        """f of all coalitions, whatever numbers they are."""

    @property
    def batch_size(self) -> int:
        """Coalitions per batch, as last halved."""
        return self._runner.size

    def values(
        self, rows: Shaped[np.ndarray, ...], text_queries: Any, progress: Progress | None = None
    ) -> Float32[np.ndarray, "m k"]:
        """f of coalitions for the k text pairs of the model's `text_queries`.

        Raises
        ------
        InputError
            rows are not boolean (m, n).
        NonFiniteScoreError
            A score is NaN or infinite; names stimulus and coalition.
        """
        check_rows(rows, self.n_players)
        values = self._values(rows, text_queries, progress)
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise self._not_finite(rows[bad[0]])
        return values

    def sweep(self, text_queries: Any, progress: Progress | None = None, keep_vectors: bool = False) -> Sweep:
        """f of all 2^n coalitions for the k text pairs of the model's `text_queries`; raises as `values`."""
        if self.n_players > MAX_TABLE_PLAYERS:
            raise InputError(
                f"{self.n_players} regions have 2^{self.n_players} = {1 << self.n_players:,} coalitions; "
                f"at most 2^{MAX_TABLE_PLAYERS} are swept: use fewer regions, or `explain` with a sampled "
                "estimator such as permutation"
            )
        found = self._sweep(text_queries, progress, keep_vectors)
        bad = np.flatnonzero(~np.isfinite(found.values).all(axis=1))
        if len(bad):
            raise self._not_finite(rows_from_ids(bad[:1], self.n_players)[0])
        return found

    def _not_finite(self, row: Bool[np.ndarray, " n"]) -> NonFiniteScoreError:
        return NonFiniteScoreError(f"stimulus {self.name}: the score is NaN or infinite with {describe(row)}")


class ImageTextGame:
    """v(S) = f of one stimulus with only the regions S shown.

    Callable on boolean rows (m, n), returning (m,) float32; `table()` gives all 2^n values, the id of a
    coalition having bit i set when player i is shown.
    """

    def __init__(self, image: MaskedImage, text_query: Any, progress: Progress | None) -> None:
        self.image, self.n_players, self.name = image, image.n_players, image.name
        self._text_query, self._progress = text_query, progress

    def __call__(self, rows: Shaped[np.ndarray, ...]) -> Float32[np.ndarray, " m"]:
        return self.image.values(rows, self._text_query)[:, 0]

    def table(self) -> Float32[np.ndarray, " c"]:
        """All 2^n values, by one exact sweep."""
        return self.image.sweep(self._text_query, self._progress).values[:, 0]
