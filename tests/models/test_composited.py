"""Models of composited images: coalitions look as they should, texts are read once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.attribution.explain import explain, explain_pairs
from hlx.attribution.score import score_stimuli
from hlx.errors import InputError, ModelError, NonFiniteScoreError
from hlx.games.backgrounds import hidden_view
from hlx.games.coalitions import all_rows
from hlx.games.regions import Grid, LabelMap
from hlx.games.stimuli import Stimulus
from hlx.io.images import square
from hlx.models.composited import CompositingModel
from tests.support.slow_way import photograph

IMAGE = photograph(30, 41)
CAPTION, FOIL = "3 of 7", "1 of 5"


class Weighing:
    """Scores an image by weights of its pixels that a text's numbers seed, and counts what it is asked."""

    side, dtype, device, packages, default_batch = 8, "float32", "here", ("numpy",), 5

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.read: list[str] = []
        self.seen: list[int] = []

    def texts(self, texts: list[str]) -> np.ndarray:
        self.read += texts
        seeds = [sum(map(ord, text)) for text in texts]
        return np.stack([np.random.default_rng(seed).normal(size=(8, 8, 3)) for seed in seeds])

    def canvas(self, shown: np.ndarray, hidden: np.ndarray, labels: np.ndarray) -> object:
        return lambda rows: np.where(rows[:, labels][..., None], shown, hidden)

    def squares(self, images: np.ndarray) -> np.ndarray:
        return images

    def whole(self, images: list[np.ndarray]) -> np.ndarray:
        return self.see(np.stack([square(image, 8) for image in images]))

    def see(self, images: np.ndarray) -> np.ndarray:
        if len(images) > self.room:
            raise MemoryError("full")
        self.seen.append(len(images))
        return images / 255

    def pairs(self, seen: np.ndarray, texts: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.einsum("pyxc,pyxc->p", seen[i], texts[j]).astype(np.float32)


def made(scorer: Weighing) -> CompositingModel:
    return CompositingModel("weighing", "own", scorer, lambda: "f" * 64)


def slowly(rows: np.ndarray, labels: np.ndarray, text: str, background: str = "blur") -> np.ndarray:
    """Scores of coalitions, one composited image at a time."""
    scorer, shown = Weighing(), square(IMAGE, 8)
    hidden = hidden_view(shown, background)
    images = [np.where(row[labels][..., None], shown, hidden) for row in rows]
    weights = scorer.texts([text])[0]
    return np.array([(image / 255 * weights).sum() for image in images])


@pytest.mark.parametrize("background", ["blur", "mean", "black"])
@pytest.mark.parametrize("foil", [FOIL, None])
def test_a_table_is_made_of_composited_images(background: str, foil: str | None) -> None:
    labels = np.random.default_rng(0).integers(0, 5, (8, 8)).astype(np.int32)
    labels.flat[:5] = range(5)
    game = made(Weighing()).game(Stimulus(square(IMAGE, 8), CAPTION, foil), LabelMap(labels), background)
    shown = square(IMAGE, 8)
    hidden, weights = hidden_view(shown, background), Weighing().texts([CAPTION, FOIL])
    direction = weights[0] - (weights[1] if foil else 0)
    expected = [
        (np.where(row[labels][..., None], shown, hidden) / 255 * direction).sum() for row in all_rows(5)
    ]
    np.testing.assert_allclose(game.table(), expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(game(all_rows(5)), game.table())


@given(batch=st.integers(1, 40), count=st.integers(0, 33))
def test_batches_change_nothing(batch: int, count: int) -> None:
    rows = np.random.default_rng(count).random((count, 4)) < 0.5
    stimulus = Stimulus(IMAGE, CAPTION, FOIL)
    game = made(Weighing()).game(stimulus, Grid(2, 2), batch_size=batch)
    labels = Grid(2, 2).labels(8)
    expected = slowly(rows, labels, CAPTION) - slowly(rows, labels, FOIL)
    np.testing.assert_allclose(game(rows), expected.reshape(-1), rtol=0, atol=1e-5)


def test_texts_are_read_once_and_images_once_for_all_pairs() -> None:
    scorer = Weighing()
    stimuli = [Stimulus(IMAGE, CAPTION, FOIL), Stimulus(IMAGE, FOIL, CAPTION), Stimulus(IMAGE, "9", None)]
    first, swapped, alone = explain_pairs(made(scorer), stimuli, Grid(2, 2))
    assert sorted(scorer.read) == sorted([CAPTION, FOIL, "9"])
    assert sum(scorer.seen) == 16
    np.testing.assert_allclose(first.values, -swapped.values, atol=1e-6)
    rows = all_rows(4)
    np.testing.assert_allclose(
        alone.coalition_values, slowly(rows, Grid(2, 2).labels(8), "9"), rtol=0, atol=1e-5
    )


def test_a_result_says_what_made_it() -> None:
    context = explain(made(Weighing()), Stimulus(IMAGE, CAPTION, FOIL), Grid(2, 2)).context
    assert context is not None
    assert (context.model, context.fingerprint, context.revision) == ("weighing", "f" * 64, None)
    assert context.engine == "torch"
    assert context.versions["device"] == "here" and context.versions["numpy"] == np.__version__
    assert context.shown.shape == (8, 8, 3)


def test_scores_of_lists_and_of_pairs_agree() -> None:
    model = made(Weighing())
    images = [photograph(9 + i, 12, seed=i) for i in range(7)]
    texts = ["a 1", "b 2", "c 3"]
    scores = model.scores(images, texts, batch_size=3)
    squares = np.stack([square(image, 8) for image in images])
    rows = np.array([5, 0, 0, 6, 5, 2]), np.array([2, 1, 0, 0, 0, 2])
    np.testing.assert_allclose(model.pair_scores(squares, texts, *rows), scores[rows], atol=1e-5)
    assert scores.shape == (7, 3) and np.ptp(scores) > 1
    with pytest.raises(InputError, match="lists"):
        model.scores(images, "a 1")


def test_stimuli_are_scored_image_by_image() -> None:
    scorer = Weighing()
    images = [photograph(9, 12, seed=i) for i in range(3)]
    asked = [(0, "1", "2"), (2, "2", "3"), (0, "4", "1"), (1, "1", "2")]
    stimuli = [Stimulus(images[i], caption, foil, id=str(n)) for n, (i, caption, foil) in enumerate(asked)]
    records = score_stimuli(made(scorer), stimuli, batch_size=2)
    expected = made(Weighing()).scores(images, ["1", "2", "3", "4"])
    for record, (i, caption, foil) in zip(records, asked, strict=True):
        assert record.score_caption == pytest.approx(expected[i, int(caption) - 1], abs=1e-5)
        assert record.score_foil == pytest.approx(expected[i, int(foil) - 1], abs=1e-5)
    assert sum(scorer.seen) == 3


def test_a_full_device_is_told_which_batch_fits() -> None:
    stimulus = Stimulus(IMAGE, CAPTION, FOIL)
    roomy = made(Weighing()).game(stimulus, Grid(2, 2)).table()
    game = made(Weighing(room=3)).game(stimulus, Grid(2, 2), batch_size=8)
    with pytest.warns(UserWarning, match=r"batch of 8; 2 fits: .*batch_size=2"):
        np.testing.assert_allclose(game.table(), roomy, rtol=0, atol=1e-6)
    assert game.image.batch_size == 2
    with pytest.raises(ModelError, match=r"ran out of memory at a batch of 1: .* dtype=.bfloat16"):
        made(Weighing(room=0)).game(stimulus, Grid(2, 2)).table()


def test_a_score_that_is_no_number_names_stimulus_and_coalition() -> None:
    class Broken(Weighing):
        def see(self, images: np.ndarray) -> np.ndarray:
            seen = super().see(images)
            return np.where((images == hidden_view(square(IMAGE, 8), "black")).all(), np.nan, seen)

    game = made(Broken()).game(Stimulus(IMAGE, CAPTION, FOIL, "photo-9"), Grid(2, 2), "black", batch_size=1)
    with pytest.raises(NonFiniteScoreError, match=r"photo-9.*none of 4 players shown"):
        game.table()
    assert np.isfinite(game(np.eye(4, dtype=bool))).all()


def test_no_vectors_are_kept() -> None:
    with pytest.raises(InputError, match="jax engine"):
        explain_pairs(made(Weighing()), [Stimulus(IMAGE, CAPTION, FOIL)], Grid(2, 2), keep_vectors=True)
