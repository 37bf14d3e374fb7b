"""Functions of the user's own are models: what they get, what they may return, where they are found."""

from __future__ import annotations

import re
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.attribution.explain import explain
from hlx.errors import InputError, ModelError, NonFiniteScoreError
from hlx.games.coalitions import all_rows
from hlx.games.regions import Grid
from hlx.games.stimuli import Stimulus
from hlx.io.images import square
from hlx.models.function import CallableModel, load_callable
from tests.support.slow_way import photograph
from tests.support.unchecked import said_of

IMAGE = photograph(30, 41)
STIMULUS = Stimulus(IMAGE, "12", "7", "photo")


def brightness(images: np.ndarray, texts: list[str]) -> np.ndarray:
    """Mean of the images' red, weighted by how long a text is."""
    return images[..., 0].mean(axis=(1, 2))[:, None] / 255 * np.array([[len(text) for text in texts]])


def returning(answer: object) -> CallableModel:
    return CallableModel(lambda images, texts: answer, "constant", side=8)


class Watching:
    """Scores by red and text length, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[int, ...], list[str]]] = []

    def __call__(self, images: np.ndarray, texts: list[str]) -> np.ndarray:
        assert images.dtype == np.uint8 and isinstance(texts, list)
        self.asked.append((images.shape, texts))
        return brightness(images, texts)


def test_a_function_gets_squares_and_texts() -> None:
    watching = Watching()
    model = CallableModel(watching, side=12, batch_size=2)
    images = [photograph(9 + i, 31, seed=i) for i in range(5)]
    scores = model.scores(images, ["a", "bcd"])
    expected = brightness(np.stack([square(image, 12) for image in images]), ["a", "bcd"])
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert watching.asked == [((m, 12, 12, 3), ["a", "bcd"]) for m in (2, 2, 1)]
    assert (model.name, model.family, model.side, model.dtype) == ("Watching", "function", 12, "float32")
    assert model.engine == "function"


def test_a_game_is_the_function_of_composited_images() -> None:
    watching = Watching()
    model = CallableModel(watching, side=8, batch_size=7)
    game = model.game(STIMULUS, Grid(2, 2), "black")
    shown = all_rows(4)[:, Grid(2, 2).labels(8)][..., None]
    composites = np.where(shown, square(IMAGE, 8), np.uint8(0))
    np.testing.assert_allclose(game.table(), brightness(composites, ["12"])[:, 0] / 2, rtol=0, atol=1e-6)
    assert sum(shape[0] for shape, _ in watching.asked) == 16  # caption and foil in one call
    assert all(texts == ["12", "7"] for _, texts in watching.asked)
    result = explain(model, STIMULUS, Grid(2, 2))
    assert result.context is not None and result.context.versions["device"] == "the function's own"
    assert result.values.sum() == pytest.approx(game.table()[-1] - explain_empty(model), abs=1e-5)


def explain_empty(model: CallableModel) -> float:
    return float(model.game(STIMULUS, Grid(2, 2)).table()[0])


@given(
    pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=30),
    batch=st.integers(1, 5),
)
def test_pairs_are_those_asked_for_and_no_image_is_asked_twice(
    pairs: list[tuple[int, int]], batch: int
) -> None:
    watching = Watching()
    model = CallableModel(watching, side=4, batch_size=batch)
    squares = np.random.default_rng(0).integers(0, 256, (4, 4, 4, 3), dtype=np.uint8)
    texts = ["a" * (i + 1) for i in range(5)]
    image_rows, text_rows = np.array(pairs, np.int64).T
    found = model.pair_scores(squares, texts, image_rows, text_rows)
    np.testing.assert_allclose(found, brightness(squares, texts)[image_rows, text_rows], rtol=1e-6)
    asked = sum(shape[0] * len(texts) for shape, texts in watching.asked)
    assert asked == len(pairs)
    assert sum(shape[0] for shape, _ in watching.asked) == len(set(image_rows.tolist()))


def test_images_with_the_same_texts_are_asked_together() -> None:
    watching = Watching()
    squares = np.zeros((4, 4, 4, 3), np.uint8)
    rows = np.array([0, 0, 1, 1, 2, 3, 3]), np.array([0, 1, 0, 1, 2, 0, 1])
    CallableModel(watching, side=4).pair_scores(squares, ["a", "b", "c"], *rows)
    assert watching.asked == [((3, 4, 4, 3), ["a", "b"]), ((1, 4, 4, 3), ["c"])]


@pytest.mark.parametrize(
    "answer",
    [[[1, 2]], ((1.0, 2.0),), np.array([[1, 2]]), np.array([[1, 2]], np.float16), np.array([[True, False]])],
    ids=["list", "tuple", "integers", "float16", "truths"],
)
def test_any_real_numbers_will_do(answer: object) -> None:
    scores = returning(answer).scores([IMAGE], ["a", "b"])
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, np.asarray(answer, np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int64"])
def test_tensors_of_pytorch_will_do(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    answer = torch.tensor([[1.0, 2.5]]).to(getattr(torch, dtype))
    if answer.is_floating_point():
        answer.requires_grad_()
    scores = returning(answer).scores([IMAGE], ["a", "b"])
    np.testing.assert_array_equal(scores, [[1.0, 2.0 if dtype == "int64" else 2.5]])


def test_arrays_of_jax_will_do() -> None:
    import jax.numpy as jnp

    for dtype in (jnp.float32, jnp.bfloat16):
        scores = returning(jnp.array([[1.0, 2.5]], dtype)).scores([IMAGE], ["a", "b"])
        np.testing.assert_array_equal(scores, [[1.0, 2.5]])


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (np.zeros((2, 1)), r"found float64 of shape \(2, 1\)"),
        (np.zeros(2), r"found float64 of shape \(2,\)"),
        (np.zeros((1, 3)), r"found float64 of shape \(1, 3\)"),
        (0.5, r"found float64 of shape \(\)"),
        (None, "found object"),
        (np.zeros((1, 2), complex), "found complex128"),
        ([["a", "b"]], "found <U1"),
        ([[1.0], [1.0, 2.0]], "found list that is no array"),
    ],
)
def test_anything_else_is_an_error_of_one_line(answer: object, found: str) -> None:
    with pytest.raises(
        InputError, match=rf"constant: expected \(1, 2\) real numbers for 1 image and 2 texts, {found}"
    ) as caught:
        returning(answer).scores([IMAGE], ["a", "b"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_named(wrong: float) -> None:
    with pytest.raises(NonFiniteScoreError, match=r"constant: the score of image 0 with text 'b' is"):
        returning([[1.0, wrong]]).scores([IMAGE], ["a", "b"])

    def dark(images: np.ndarray, texts: list[str]) -> np.ndarray:
        scores = brightness(images, texts)
        return np.where(images.max(axis=(1, 2, 3))[:, None] == 0, wrong, scores)

    game = CallableModel(dark, side=8).game(STIMULUS, Grid(2, 2), "black")
    with pytest.raises(NonFiniteScoreError, match=r"photo.*none of 4 players shown"):
        game.table()


def test_what_is_no_model_is_refused() -> None:
    calls = ["hlx.CallableModel('brightness')", "hlx.CallableModel(len, side=1.5)"]
    calls += ["hlx.CallableModel(len, side=0)", "hlx.CallableModel(len, batch_size=True)"]
    function, *sizes = said_of(calls)
    assert function == "InputError: expected a function of images and texts, found str"
    for said, option in zip(sizes, ("side", "side", "batch_size"), strict=True):
        assert said.startswith(f"InputError: {option}")
    with pytest.raises(InputError, match="empty caption"):
        CallableModel(brightness, side=8).scores([IMAGE], [" "])


RAISING = """import json, sys

def boom(images, texts):
    return deeper("my weights\\n  are missing")

def deeper(text):
    raise RuntimeError(text)

def lost(images, texts):
    return {}["its own"]

def through_a_library(images, texts):
    return json.loads("{")

def leaving(images, texts):
    sys.exit("usage: none")

def one_argument(images):
    return [[1.0]]
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("boom", "RuntimeError: my weights are missing (raising.py, line 7)"),
        ("lost", "KeyError: 'its own' (raising.py, line 10)"),
        ("through_a_library", "JSONDecodeError: Expecting property name .* (raising.py, line 13)"),
        ("leaving", "SystemExit: usage: none (raising.py, line 16)"),
        ("one_argument", "TypeError: one_argument() takes 1 positional argument but 2 were given"),
    ],
)
def test_what_a_function_raises_is_one_line_that_names_its_own(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "raising.py").write_text(RAISING)
    model = load_callable(f"{tmp_path / 'raising.py'}:{name}")
    with pytest.raises(ModelError) as caught:
        model.scores([IMAGE], ["a"])
    expected = re.escape(f"{model.name}: {said}").replace(r"\.\*", ".*")
    assert re.fullmatch(expected, str(caught.value)), caught.value
    assert caught.value.__cause__ is not None


def test_an_interruption_of_the_function_passes_through() -> None:
    def interrupted(images: np.ndarray, texts: list[str]) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CallableModel(interrupted, side=8).scores([IMAGE], ["a"])


@pytest.mark.parametrize("error", [MemoryError("full"), RuntimeError("CUDA out of memory.")])
def test_a_function_out_of_memory_is_given_fewer_images(error: Exception) -> None:
    def narrow(images: np.ndarray, texts: list[str]) -> np.ndarray:
        if len(images) > room:
            raise error
        return brightness(images, texts)

    room, model = 3, CallableModel(narrow, side=8, batch_size=8)
    with pytest.warns(UserWarning, match="batch of 8; 2 fits"):
        assert np.isfinite(model.game(STIMULUS, Grid(2, 2)).table()).all()
    room = 0
    with pytest.raises(ModelError, match=r"batch of 1: use a smaller model, or show it smaller") as caught:
        model.game(STIMULUS, Grid(2, 2)).table()
    assert "bfloat16" not in str(caught.value)  # which functions refuse


def test_what_did_not_fit_once_is_not_tried_again() -> None:
    asked: list[int] = []

    def small(images: np.ndarray, texts: list[str]) -> np.ndarray:
        asked.append(len(images))
        if len(images) > 2:
            raise MemoryError
        return brightness(images, texts)

    model = CallableModel(small, side=8)
    images = [np.full((8, 8, 3), level, np.uint8) for level in range(5)]
    with pytest.warns(UserWarning, match="ran out of memory at a batch of 16; 2 fits"):
        first = explain(model, Stimulus(images[0], "a"), regions=Grid(2, 2))
    assert max(asked) == 16
    asked.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = explain(model, Stimulus(images[0], "a"), regions=Grid(2, 2))
        model.scores(images, ["a"])
    assert max(asked) == 2
    np.testing.assert_array_equal(first.values, again.values)


def test_memory_that_ends_while_the_answer_is_read_is_told_as_such() -> None:
    class Late:
        def __array__(self, *_: object, **__: object) -> np.ndarray:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    with pytest.raises(ModelError, match="ran out of memory at a batch of 1"):
        returning(Late()).scores([IMAGE], ["a"])


def test_fingerprints_tell_functions_apart() -> None:
    def same(images: np.ndarray, texts: list[str]) -> np.ndarray:
        return brightness(images, texts)

    def other(images: np.ndarray, texts: list[str]) -> np.ndarray:
        return -brightness(images, texts)

    prints = [CallableModel(f).fingerprint for f in (same, other, brightness, Watching(), len)]
    assert len(set(prints)) == 5
    assert all(re.fullmatch(r"[0-9a-f]{64}", text) for text in prints)
    assert CallableModel(same).fingerprint == prints[0]
    assert CallableModel(same, fingerprint="weights of May").fingerprint == "weights of May"
    assert CallableModel(same, side=112).fingerprint != prints[0]
    # Of a partial the function counts, not what every partial has in common.
    assert CallableModel(partial(same)).fingerprint == prints[0] != CallableModel(partial(other)).fingerprint
