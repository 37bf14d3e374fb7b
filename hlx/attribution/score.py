"""Scoring many stimuli with one model: does the caption score higher than the foil?

Each distinct image and each distinct text is encoded once, then every stimulus costs two dot products. Images
are prepared as for a map: resized to the model's square input with PIL's bicubic filter, the aspect not kept.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64, UInt8

from hlx.errors import InputError, NonFiniteScoreError
from hlx.games.stimuli import Stimulus, stimulus_hash
from hlx.io.images import content_hash, read_image, square

COLUMNS = (
    "id",
    "image",
    "caption",
    "foil",
    "phenomenon",
    "score_caption",
    "score_foil",
    "correct",
    "content_hash",
)
NO_PHENOMENON = "(none)"
"""Where stimuli without a phenomenon are counted."""

_PAIRS_AT_ONCE = 8192
_ENCODED_AT_ONCE = 64

T = TypeVar("T")

Progress = Callable[[int, int], object]
"""Called with how many images and texts are encoded and how many there are."""


@runtime_checkable
class PairScorer(Protocol):
    """What scoring needs of a model whose images and texts meet in a dot product."""

    @property
    def side(self) -> int:
        """Width and height of the model's input, in pixels."""

    def encode_squares(self, squares: UInt8[np.ndarray, "m side side 3"]) -> Float[np.ndarray, "m p"]:
        """Normalised image embeddings."""

    def encode_texts(self, texts: list[str]) -> Float[np.ndarray, "t p"]:
        """Normalised text embeddings."""

    def pair_logits(
        self, images: Float[np.ndarray, "m p"], texts: Float[np.ndarray, "m p"]
    ) -> Float[np.ndarray, " m"]:
        """The score of each image with the text of the same row."""


@runtime_checkable
class JointScorer(Protocol):
    """What scoring needs of a model that reads image and text together."""

    @property
    def side(self) -> int:
        """Width and height of the model's input, in pixels."""

    @property
    def images_at_once(self) -> int:
        """Images that it likes to be given together."""

    def pair_scores(
        self,
        squares: UInt8[np.ndarray, "m side side 3"],
        texts: Sequence[str],
        image_rows: Int64[np.ndarray, " p"],
        text_rows: Int64[np.ndarray, " p"],
    ) -> Float[np.ndarray, " p"]:
        """The score of image `image_rows[i]` with text `text_rows[i]`."""


@dataclass(frozen=True)
class PairScore:
    """The scores of one stimulus; None where its image is missing.

    Parameters
    ----------
    id, image, phenomenon, caption, foil
        The stimulus's own; `image` is the name it came with, or ``array``.
    score_caption, score_foil
        The model's logits, with its scale and bias.
    content_hash
        The hash of caption, foil and pixels, as :attr:`hlx.Stimulus.content_hash` gives it.
    """

    id: str | None
    image: str
    phenomenon: str | None
    caption: str
    foil: str
    score_caption: float | None
    score_foil: float | None
    content_hash: str | None

    @property
    def correct(self) -> bool | None:
        """Whether the caption scores higher; a tie is wrong, since a model blind to the difference ties."""
        if self.score_caption is None or self.score_foil is None:
            return None
        return self.score_caption > self.score_foil

    def as_row(self) -> dict[str, object]:
        """What a result file says of the stimulus, under the names of the reference study's files."""
        return {name: getattr(self, name) for name in COLUMNS}


def score_stimuli(
    model: PairScorer | JointScorer,
    stimuli: Sequence[Stimulus],
    *,
    sources: Sequence[str | Path | np.ndarray | None] | None = None,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> list[PairScore]:
    """Caption and foil scores of all stimuli, in their order.

    Parameters
    ----------
    model
        PairScorer or JointScorer Any model from ``hlx.load_model``, or a ``hlx.CallableModel``.
    stimuli
        Sequence of Stimulus All with a foil.
    sources
        Sequence, optional What to read each stimulus's image from, where that is not its own `image`; None
        marks a missing one, whose stimulus stays unscored.
    batch_size
        How many images or texts are encoded at once; 64 by default, or what suits a model that
        reads image and text together.
    progress
        Told how far it is after each batch.

    Raises
    ------
    InputError
        A stimulus has no foil, an image cannot be read, or the batch size is below 1.
    NonFiniteScoreError
        A score is NaN or infinite; the message names the stimulus.
    """
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch size: expected at least 1, found {batch_size}")
    for stimulus in stimuli:
        if stimulus.foil is None:
            raise InputError(f"stimulus {stimulus.name}: has no foil to score its caption against")
    origins = [stimulus.image for stimulus in stimuli] if sources is None else list(sources)
    if len(origins) != len(stimuli):
        raise InputError(f"sources: expected one for each of {len(stimuli)} stimuli, found {len(origins)}")

    pairs = [(s, source) for s, source in zip(stimuli, origins, strict=True) if source is not None]
    images = {_key(source): source for _, source in pairs}
    texts = list(dict.fromkeys(text for s, _ in pairs for text in (s.caption, str(s.foil))))
    image_row = {key: row for row, key in enumerate(images)}
    text_row = {text: row for row, text in enumerate(texts)}
    shown = [image_row[_key(source)] for _, source in pairs]
    asked = [(row, text_row[text]) for row, (s, _) in zip(shown, pairs, strict=True) for text in _texts(s)]
    pixel_hashes: list[str] = []
    sources_of_images = list(images.values())
    if isinstance(model, PairScorer):
        size = batch_size or _ENCODED_AT_ONCE
        found = _score_vectors(model, sources_of_images, texts, asked, size, progress, pixel_hashes)
    else:
        size = batch_size or model.images_at_once
        found = _score_jointly(model, sources_of_images, texts, asked, size, progress, pixel_hashes)
    caption_scores, foil_scores = found[0::2], found[1::2]

    scores = iter(zip(caption_scores, foil_scores, (pixel_hashes[row] for row in shown), strict=True))
    return [
        _unscored(s) if source is None else _scored(s, *next(scores))
        for s, source in zip(stimuli, origins, strict=True)
    ]


@dataclass(frozen=True)
class Accuracy:
    """How often the caption scored higher: `correct` of `scored` stimuli; `unscored` had no image."""

    scored: int
    correct: int
    unscored: int

    @property
    def share(self) -> float | None:
        """Correct over scored, in [0, 1]; None where nothing was scored."""
        return self.correct / self.scored if self.scored else None


@dataclass(frozen=True)
class AccuracyTable:
    """Accuracy by phenomenon, in the order in which they first appear, and over all stimuli."""

    phenomena: dict[str, Accuracy]
    pooled: Accuracy

    @property
    def macro(self) -> float | None:
        """The mean of the phenomena's accuracies; those with nothing scored are left out."""
        shares = [accuracy.share for accuracy in self.phenomena.values()]
        known = [share for share in shares if share is not None]
        return math.fsum(known) / len(known) if known else None


def accuracy(records: Iterable[PairScore]) -> AccuracyTable:
    """Accuracy per phenomenon, pooled over all stimuli, and macro: the mean over phenomena.

    Ties count as wrong. Unscored stimuli count in no accuracy and are reported beside it; stimuli without a
    phenomenon are one of their own, ``NO_PHENOMENON``.
    """
    groups: dict[str, list[bool | None]] = {}
    for record in records:
        name = NO_PHENOMENON if record.phenomenon is None else record.phenomenon
        groups.setdefault(name, []).append(record.correct)
    pooled = [answer for answers in groups.values() for answer in answers]
    return AccuracyTable({name: _count(answers) for name, answers in groups.items()}, _count(pooled))


def _count(answers: Sequence[bool | None]) -> Accuracy:
    unscored = sum(answer is None for answer in answers)
    return Accuracy(len(answers) - unscored, sum(answer is True for answer in answers), unscored)


def _key(source: str | Path | np.ndarray) -> str | int:
    """What tells images apart; the caller keeps arrays alive, so their identity is theirs alone."""
    return id(source) if isinstance(source, np.ndarray) else str(source)


def _squares(
    sources: Iterable[str | Path | np.ndarray], side: int, pixel_hashes: list[str]
) -> UInt8[np.ndarray, "m side side 3"]:
    """A batch of images in the model's size; the hashes of their full-size pixels are appended."""
    squares = []
    for source in sources:
        image = read_image(source)
        pixel_hashes.append(content_hash(image))
        squares.append(square(image, side))
    return np.stack(squares)


def _texts(stimulus: Stimulus) -> tuple[str, str]:
    return stimulus.caption, str(stimulus.foil)


def _score_vectors(
    model: PairScorer,
    images: Sequence[str | Path | np.ndarray],
    texts: Sequence[str],
    asked: Sequence[tuple[int, int]],
    batch_size: int,
    progress: Progress | None,
    pixel_hashes: list[str],
) -> list[float]:
    """Scores of (image, text) rows: every image and every text is encoded once."""
    advance = _counter(progress, len(texts) + len(images))
    # Texts first: a caption that is too long is warned of before the long part begins.
    text_vectors = _stacked(advance(model.encode_texts(batch)) for batch in _batches(texts, batch_size))
    image_vectors = _stacked(
        advance(model.encode_squares(_squares(batch, model.side, pixel_hashes)))
        for batch in _batches(images, batch_size)
    )
    scores: list[float] = []
    for rows in _batches(asked, _PAIRS_AT_ONCE):
        of_images, of_texts = np.array(rows).T
        scores += np.asarray(model.pair_logits(image_vectors[of_images], text_vectors[of_texts])).tolist()
    return scores


def _score_jointly(
    model: JointScorer,
    images: Sequence[str | Path | np.ndarray],
    texts: Sequence[str],
    asked: Sequence[tuple[int, int]],
    batch_size: int,
    progress: Progress | None,
    pixel_hashes: list[str],
) -> list[float]:
    """Scores of (image, text) rows: every image is seen once, in batches, together with its own texts."""
    advance = _counter(progress, len(images))
    rows = np.array(asked, np.int64).reshape(-1, 2)
    scores = np.zeros(len(rows))
    for start in range(0, len(images), batch_size):
        squares = _squares(images[start : start + batch_size], model.side, pixel_hashes)
        own = np.flatnonzero((rows[:, 0] >= start) & (rows[:, 0] < start + len(squares)))
        read, places = np.unique(rows[own, 1], return_inverse=True)
        scores[own] = model.pair_scores(squares, [texts[i] for i in read], rows[own, 0] - start, places)
        advance(squares)
    return scores.tolist()


def _scored(stimulus: Stimulus, score_caption: float, score_foil: float, pixel_hash: str) -> PairScore:
    for text, score in (("caption", score_caption), ("foil", score_foil)):
        if not math.isfinite(score):
            raise NonFiniteScoreError(
                f"stimulus {stimulus.name}: the model's score of its {text} is {score}; "
                "try float32, and check the checkpoint's weights"
            )
    return replace(
        _unscored(stimulus),
        score_caption=score_caption,
        score_foil=score_foil,
        content_hash=stimulus_hash(stimulus.caption, stimulus.foil, pixel_hash),
    )


def _unscored(stimulus: Stimulus) -> PairScore:
    return PairScore(
        id=stimulus.id,
        image=stimulus.image_name,
        phenomenon=stimulus.phenomenon,
        caption=stimulus.caption,
        foil=str(stimulus.foil),
        score_caption=None,
        score_foil=None,
        content_hash=None,
    )


def _batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _stacked(blocks: Iterable[np.ndarray]) -> Float[np.ndarray, "m p"]:
    rows = [np.asarray(block, dtype=np.float32) for block in blocks]
    return np.concatenate(rows) if rows else np.zeros((0, 0), dtype=np.float32)


def _counter(progress: Progress | None, total: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function that hands a batch through and reports how many rows have passed."""
    done = 0

    def advance(block: np.ndarray) -> np.ndarray:
        nonlocal done
        done += len(block)
        if progress is not None:
            progress(done, total)
        return block

    return advance
