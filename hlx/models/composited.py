"""Models that are shown composited images: everything that is not a port with token-affine games."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, UInt8

from hlx.errors import InputError
from hlx.games.coalitions import rows_from_ids
from hlx.io.images import read_image
from hlx.models.batches import HINT, BatchRunner, Fitting, Progress, parse_batch
from hlx.models.image_text_game import MaskedImage, Sweep
from hlx.models.model import Model, check_lists, check_scores

PAIRS_AT_ONCE = 1024
"""Images times texts that a scorer is asked for in one call."""

Canvas = Callable[[Bool[np.ndarray, "m n"]], Any]
"""Coalitions to a batch of composited images, in the form that the scorer's `see` takes."""


@runtime_checkable
class Scorer(Protocol):
    """The inside of a model that scores composited images, in the steps between which hlx batches and keeps.

    Attributes
    ----------
    side
        Images come as squares of so many pixels.
    dtype
        "float32" or "bfloat16", of the large products.
    device
        What it runs on, in words.
    packages
        Packages whose versions matter to its scores.
    default_batch
        Coalitions at once where nobody says how many.
    """

    @property
    def side(self) -> int: ...

    @property
    def dtype(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def packages(self) -> tuple[str, ...]: ...

    @property
    def default_batch(self) -> int: ...

    def texts(self, texts: Sequence[str]) -> Any:
        """All that depends on the texts alone, computed once; its rows are the texts in order."""

    def canvas(
        self,
        shown: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        labels: Int32[np.ndarray, "s s"],
    ) -> Canvas:
        """Where coalitions of one image are composited: shown where a pixel's player is, else hidden."""

    def squares(self, images: UInt8[np.ndarray, "m s s 3"]) -> Any:
        """Whole images in the form that `see` takes."""

    def see(self, images: Any) -> Any:
        """All that depends on the m images alone, computed once for all texts."""

    def whole(self, images: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> Any:
        """As `see`, of images of any size, prepared as the checkpoint's own processor does."""

    def pairs(
        self, seen: Any, texts: Any, image_rows: Int64[np.ndarray, " p"], text_rows: Int64[np.ndarray, " p"]
    ) -> Float32[np.ndarray, " p"]:
        """Scores of image `image_rows[i]` with text `text_rows[i]`; the higher, the better they fit."""


class AskedPairs(NamedTuple):
    """(caption, foil) pairs: the distinct texts' own part, and the rows of captions and foils in it.

    A pair without a foil has its caption's row twice, and False in `compared`.
    """

    texts: Any
    n_texts: int
    captions: Int64[np.ndarray, " k"]
    foils: Int64[np.ndarray, " k"]
    compared: Bool[np.ndarray, " k"]


class CompositedImage(MaskedImage):
    """One image whose coalitions are composited and shown to a scorer, batch by batch."""

    def __init__(self, scorer: Scorer, canvas: Canvas, *rest: Any) -> None:
        super().__init__(*rest)
        self._scorer, self._canvas = scorer, canvas

    def _values(
        self, rows: Bool[np.ndarray, "m n"], text_queries: AskedPairs, progress: Progress | None
    ) -> Float32[np.ndarray, "m k"]:
        return self._run(lambda start, size: rows[start : start + size], len(rows), text_queries, progress)

    def _sweep(self, text_queries: AskedPairs, progress: Progress | None, keep_vectors: bool) -> Sweep:
        if keep_vectors:
            raise InputError(
                "image vectors are kept of models whose image side never sees the text, run by the jax engine"
            )
        n, count = self.n_players, 1 << self.n_players

        def rows(start: int, size: int) -> Bool[np.ndarray, "m n"]:
            return rows_from_ids(np.arange(start, min(start + size, count)), n)

        return Sweep(self._run(rows, count, text_queries, progress), None)

    def _run(
        self,
        rows: Callable[[int, int], Bool[np.ndarray, "m n"]],
        count: int,
        text_queries: AskedPairs,
        progress: Progress | None,
    ) -> Float32[np.ndarray, "m k"]:
        def evaluate(start: int, size: int) -> tuple[np.ndarray]:
            return (
                self._f(self._scorer.see(self._canvas(rows(start, size))), text_queries, start, size, count),
            )

        values = np.empty((count, len(text_queries.captions)), np.float32)
        for start, (part,) in self._runner.run(evaluate, count, progress):
            values[start : start + len(part)] = part
        return values

    def _f(
        self, seen: Any, text_queries: AskedPairs, start: int, size: int, count: int
    ) -> Float32[np.ndarray, "m k"]:
        m = min(size, count - start)
        scores = all_pairs(self._scorer, seen, m, text_queries.texts, text_queries.n_texts)
        foils = np.where(text_queries.compared, scores[:, text_queries.foils], np.float32(0))
        with np.errstate(invalid="ignore"):  # of two infinite scores; complained of with the coalition
            return scores[:, text_queries.captions] - foils


class CompositingModel(Model):
    """A model made of a scorer of composited images.

    Parameters
    ----------
    name, family, revision, unit
        As of every model.
    scorer
        Does the work.
    fingerprint
        Gives the SHA-256 of what determines the scores, when first asked.

    Attributes
    ----------
    images_at_once
        Images that it likes to be given together.
    hint
        As of `BatchRunner`.
    """

    engine = "torch"
    hint = HINT

    def __init__(
        self,
        name: str,
        family: str,
        scorer: Scorer,
        fingerprint: Callable[[], str],
        revision: str | None = None,
        unit: str = "score",
    ) -> None:
        self.name, self.family, self.revision, self.scorer = name, family, revision, scorer
        self.unit = unit
        self.side, self.dtype, self.device = scorer.side, scorer.dtype, scorer.device
        self.packages, self.images_at_once = scorer.packages, scorer.default_batch
        self._fingerprint, self._fitting = fingerprint, Fitting()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what determines the scores: weights, configs and tokenizer of a checkpoint."""
        return self._fingerprint()

    def text_queries(self, pairs: Sequence[tuple[str, str | None]]) -> AskedPairs:
        """(caption, foil) pairs with the distinct texts' own part computed."""
        texts = list(dict.fromkeys(text for pair in pairs for text in pair if text is not None))
        place = {text: i for i, text in enumerate(texts)}
        return AskedPairs(
            texts=self.scorer.texts(texts),
            n_texts=len(texts),
            captions=np.array([place[caption] for caption, _ in pairs], np.int64),
            foils=np.array([place[caption if foil is None else foil] for caption, foil in pairs], np.int64),
            compared=np.array([foil is not None for _, foil in pairs]),
        )

    def scores(
        self,
        images: Sequence[str | Path | np.ndarray],
        texts: Sequence[str],
        batch_size: int | str | None = None,
    ) -> Float32[np.ndarray, "m t"]:
        """Scores of all images with all texts.

        A model of two towers has its images from the checkpoint's own processor; others have them resized to
        the model's square, as for a map.

        Raises
        ------
        NonFiniteScoreError
            A score is NaN or infinite; names image and text.
        """
        check_lists(images, texts)
        own = self.scorer.texts(list(texts))

        def evaluate(start: int, size: int) -> tuple[np.ndarray]:
            part = [read_image(image) for image in images[start : start + size]]
            return (all_pairs(self.scorer, self.scorer.whole(part), len(part), own, len(texts)),)

        runs = self._runner(batch_size).run(evaluate, len(images))
        return check_scores(np.concatenate([part for _, (part,) in runs]), texts, self.name)

    def pair_scores(
        self,
        squares: UInt8[np.ndarray, "m s s 3"],
        texts: Sequence[str],
        image_rows: Int64[np.ndarray, " p"],
        text_rows: Int64[np.ndarray, " p"],
    ) -> Float32[np.ndarray, " p"]:
        """Scores of images that have the model's size already with texts, pair by pair."""
        own = self.scorer.texts(list(texts))
        # One row of scores an image, as long as the most pairs of any: so that batches are of images.
        order = np.argsort(image_rows, kind="stable")
        counts = np.bincount(image_rows, minlength=len(squares))
        first = np.concatenate([[0], np.cumsum(counts)])

        def evaluate(start: int, size: int) -> tuple[np.ndarray]:
            part = squares[start : start + size]
            wanted = order[first[start] : first[start + len(part)]]
            seen = self.scorer.see(self.scorer.squares(part))
            found = np.zeros((len(part), counts.max(initial=1)), np.float32)
            places = np.arange(len(wanted)) + first[start] - first[image_rows[wanted]]
            found[image_rows[wanted] - start, places] = in_slices(
                self.scorer, seen, own, image_rows[wanted] - start, text_rows[wanted]
            )
            return (found,)

        scores = np.empty(len(image_rows), np.float32)
        for start, (found,) in self._runner(None).run(evaluate, len(squares)):
            wanted = order[first[start] : first[start + len(found)]]
            scores[wanted] = found[np.arange(found.shape[1]) < counts[start : start + len(found), None]]
        return scores

    def _masked(
        self,
        shown: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        labels: Int32[np.ndarray, "s s"],
        n_players: int,
        batch_size: int | str | None,
        name: str,
    ) -> CompositedImage:
        canvas = self.scorer.canvas(shown, hidden, labels)
        return CompositedImage(self.scorer, canvas, n_players, self._runner(batch_size), shown, hidden, name)

    def _runner(self, batch_size: int | str | None) -> BatchRunner:
        size = parse_batch(batch_size) or self.scorer.default_batch
        return BatchRunner(size, workers=1, hint=self.hint, fitting=self._fitting)


def all_pairs(scorer: Scorer, seen: Any, m: int, texts: Any, count: int) -> Float32[np.ndarray, "m t"]:
    """Scores of all m images seen with all `count` texts."""
    image_rows, text_rows = np.repeat(np.arange(m), count), np.tile(np.arange(count), m)
    whole_images = max(1, PAIRS_AT_ONCE // count) * count
    return in_slices(scorer, seen, texts, image_rows, text_rows, whole_images).reshape(m, count)


def in_slices(
    scorer: Scorer,
    seen: Any,
    texts: Any,
    image_rows: Int64[np.ndarray, " p"],
    text_rows: Int64[np.ndarray, " p"],
    at_once: int = PAIRS_AT_ONCE,
) -> Float32[np.ndarray, " p"]:
    """Scores of pairs, so many in a call."""
    cuts = [slice(start, start + at_once) for start in range(0, max(1, len(image_rows)), at_once)]
    return np.concatenate([scorer.pairs(seen, texts, image_rows[cut], text_rows[cut]) for cut in cuts])
