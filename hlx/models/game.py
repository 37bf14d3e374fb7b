"""The games of dual encoders: coalitions of one image's regions in, scores out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

from hlx.coalitions import MAX_TABLE_PLAYERS, rows_from_ids
from hlx.errors import InputError, NonFiniteScoreError
from hlx.models.batches import BatchRunner, Progress
from hlx.models.image_side import ImageSide, Tokens


@dataclass(frozen=True)
class Sweep:
    """All coalitions of one image: values (2^n, k) of k text pairs, image vectors (2^n, p) if kept."""

    values: Float32[np.ndarray, "c k"]
    vectors: Float32[np.ndarray, "c p"] | None


class MaskedImage:
    """One image whose regions are shown or hidden; all that is constant over coalitions is on the device.

    Attributes
    ----------
    n_players : regions.
    shown, hidden : uint8 (side, side, 3), the image at the model's size and what its hidden regions show.
    """

    def __init__(
        self,
        side: ImageSide,
        tokens: Tokens,
        n_players: int,
        runner: BatchRunner,
        shown: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        name: str,
    ) -> None:
        self._side, self._tokens, self._runner = side, tokens, runner
        self.n_players, self.shown, self.hidden, self.name = n_players, shown, hidden, name

    @property
    def batch_size(self) -> int:
        """Coalitions per batch, as last halved."""
        return self._runner.size

    def vectors(self, rows: Shaped[np.ndarray, ...]) -> Float32[np.ndarray, "m p"]:
        """Unit image vectors of coalitions."""
        return self._side.vectors(self._tokens, self._checked(rows), self._runner)

    def values(
        self,
        rows: Shaped[np.ndarray, ...],
        heads: Float32[np.ndarray, "p k"],
        offsets: Float[np.ndarray, " k"],
        progress: Progress | None = None,
    ) -> Float32[np.ndarray, "m k"]:
        """f of coalitions for k text pairs (`TextSide.heads`)."""
        rows = self._checked(rows)
        if len(rows) == 0:
            return np.zeros((0, heads.shape[1]), np.float32)
        values = self._side.scores(self._tokens, rows, heads, self._runner, progress) + offsets.astype(
            np.float32
        )
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            self._refuse(rows[bad[0]])
        return values

    def sweep(
        self,
        heads: Float32[np.ndarray, "p k"],
        offsets: Float[np.ndarray, " k"],
        progress: Progress | None = None,
        keep_vectors: bool = False,
    ) -> Sweep:
        """f of all 2^n coalitions for k text pairs, from a single pass of the image tower."""
        if self.n_players > MAX_TABLE_PLAYERS:
            raise InputError(
                f"{self.n_players} regions have 2^{self.n_players} = {1 << self.n_players:,} coalitions; "
                f"at most 2^{MAX_TABLE_PLAYERS} are swept: use fewer regions, or `explain` with a sampled "
                "estimator such as permutation"
            )
        values, vectors = self._side.sweep(
            self._tokens, self.n_players, heads, self._runner, progress, keep_vectors
        )
        values += offsets.astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            self._refuse(rows_from_ids(bad[:1], self.n_players)[0])
        return Sweep(values, vectors)

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows)
        if rows.dtype != bool or rows.ndim != 2 or rows.shape[1] != self.n_players:
            raise InputError(
                f"coalitions are boolean rows (m, {self.n_players}); found {rows.dtype} of shape {rows.shape}"
            )
        return rows

    def _refuse(self, row: np.ndarray) -> None:
        shown = ", ".join(map(str, np.flatnonzero(row))) or "nothing"
        raise NonFiniteScoreError(
            f"stimulus {self.name}: the score is NaN or infinite with regions {shown} shown"
        )


class ImageTextGame:
    """v(S) = f of one stimulus with only the regions S shown.

    Callable on boolean rows (m, n), returning (m,) float32; `table()` gives all 2^n values, the id of a
    coalition having bit i set when player i is shown.
    """

    def __init__(
        self, image: MaskedImage, head: Float32[np.ndarray, " p"], offset: float, progress: Progress | None
    ) -> None:
        self.image, self.n_players, self.name = image, image.n_players, image.name
        self._head, self._offset = head[:, None], np.array([offset])
        self._progress = progress

    def __call__(self, rows: Shaped[np.ndarray, ...]) -> Float32[np.ndarray, " m"]:
        return self.image.values(rows, self._head, self._offset)[:, 0]

    def table(self) -> Float32[np.ndarray, " c"]:
        """All 2^n values, by one exact sweep."""
        return self.image.sweep(self._head, self._offset, self._progress).values[:, 0]
