"""What the engine asks of every model, whatever it is made of and wherever it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from hlx.errors import InputError, NonFiniteScoreError
from hlx.games.backgrounds import hidden_view
from hlx.games.regions import LabelMap, Regions
from hlx.games.stimuli import Stimulus
from hlx.io.images import read_image, square
from hlx.models.batches import Progress
from hlx.models.image_text_game import ImageTextGame, MaskedImage


class Views(NamedTuple):
    """What a model is shown of an image, at the size of its input.

    Attributes
    ----------
    shown, hidden
        The image, and what its hidden regions show.
    size
        (h, w) of the image itself.
    """

    shown: UInt8[np.ndarray, "s s 3"]
    hidden: UInt8[np.ndarray, "s s 3"]
    size: tuple[int, int]


class Model(ABC):
    """An image-text model: scores of images with texts, and games of stimuli.

    Attributes
    ----------
    name
        What `load_model` was given (an absolute path for a directory).
    family
        The architecture, the `model_type` of its config.json.
    engine
        What runs it: "jax" for a port, "torch", or "function" for one of the user's own.
    side
        Images are shown to it as squares of so many pixels.
    dtype
        "float32" or "bfloat16", of the large products.
    unit
        Of its scores, for labels.
    revision
        The hub's commit, where it comes from there.
    device
        What it runs on, in words.
    packages
        packages whose versions matter to its results, beside those that all of hlx uses.
    """

    name: str
    family: str
    engine: str
    side: int
    dtype: str
    unit: str = "logits"
    revision: str | None = None
    device: str
    packages: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.family} {self.name}, {self.side} px, {self.dtype}, {self.device}>"

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of what determines its scores: weights, configs and tokenizer of a checkpoint."""

    @abstractmethod
    def text_queries(self, pairs: Sequence[tuple[str, str | None]]) -> Any:
        """(caption, foil) pairs as its masked images take them: all that depends on the texts alone.

        f = score(caption) - score(foil), or score(caption) where the foil is None.
        """

    @abstractmethod
    def scores(
        self, images: Sequence[str | Path | np.ndarray], texts: Sequence[str]
    ) -> Float32[np.ndarray, "m t"]:
        """Scores of all images (paths or uint8 arrays) with all texts."""

    @abstractmethod
    def _masked(
        self,
        shown: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        labels: Int32[np.ndarray, "s s"],
        n_players: int,
        batch_size: int | str | None,
        name: str,
    ) -> MaskedImage:
        """Both looks of an image and the player of every pixel, made ready on the device."""

    def mask(
        self,
        image: str | Path | np.ndarray,
        regions: Regions,
        background: str = "blur",
        batch_size: int | str | None = None,
        name: str | None = None,
    ) -> MaskedImage:
        """An image whose regions can be shown and hidden, ready on the devices."""
        return self.mask_views(views(read_image(image), self.side, background), regions, batch_size, name)

    def mask_views(
        self,
        views: Views,
        regions: Regions,
        batch_size: int | str | None = None,
        name: str | None = None,
    ) -> MaskedImage:
        """`mask` of an image whose views at the model's size are there already."""
        if isinstance(regions, LabelMap):
            regions.check_size(views.size, self.side)
        labels = regions.labels(self.side)
        n = regions.n_players
        return self._masked(views.shown, views.hidden, labels, n, batch_size, name or "image")

    def game(
        self,
        stimulus: Stimulus,
        regions: Regions,
        background: str = "blur",
        batch_size: int | str | None = None,
        progress: Progress | None = None,
    ) -> ImageTextGame:
        """The game of one stimulus: v(S) = f with only the regions S shown.

        Parameters
        ----------
        stimulus
            Image, caption and foil.
        regions
            `Grid` or `LabelMap`.
        background
            What hidden regions show: "blur", "mean" or "black".
        batch_size
            Coalitions per batch; None or "auto" chooses what suits the device.
        progress
            Called with (done, total) while `table()` runs.
        """
        masked = self.mask(stimulus.image, regions, background, batch_size, stimulus.name)
        return ImageTextGame(masked, self.text_queries([(stimulus.caption, stimulus.foil)]), progress)


def views(pixels: UInt8[np.ndarray, "h w 3"], side: int, background: str) -> Views:
    """An image at a model's size with every region shown, and with every region hidden."""
    shown = square(pixels, side)
    return Views(shown, hidden_view(shown, background), (pixels.shape[0], pixels.shape[1]))


def check_lists(images: Sequence[Any], texts: Sequence[str]) -> None:
    """Raise InputError unless both are lists with something in them."""
    if isinstance(images, str | Path) or isinstance(texts, str):
        raise InputError("scores takes lists: of images, and of texts")
    if len(images) == 0 or len(texts) == 0:
        raise InputError("scores takes at least one image and one text")


def check_scores(
    scores: Float32[np.ndarray, "m t"], texts: Sequence[str], name: str
) -> Float32[np.ndarray, "m t"]:
    """The scores of images with texts by the model of this name; NonFiniteScoreError unless finite."""
    if not np.isfinite(scores).all():
        i, j = np.argwhere(~np.isfinite(scores))[0]
        raise NonFiniteScoreError(f"{name}: the score of image {i} with text {texts[j]!r} is {scores[i, j]}")
    return scores
