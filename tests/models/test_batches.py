"""The sweep gives every coalition the same value whatever the batches, the devices and the memory."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from hlx.errors import InputError, ModelError, NonFiniteScoreError
from hlx.games.coalitions import all_rows, ids_from_rows
from hlx.games.game import Game, shapley_from_table
from hlx.games.regions import Grid
from hlx.games.stimuli import Stimulus
from hlx.models.batches import LARGEST_BATCH, BatchRunner, auto_batch, parse_batch, workers
from hlx.models.jax.dual_encoder import DualEncoder
from hlx.models.jax.image_side import ImageSide
from hlx.models.jax.transformer import BlockShape
from hlx.models.jax.vision import VisionShape
from hlx.models.loading.load import load_model
from tests.conftest import MakeCheckpoint

pytest.importorskip("torch", reason="random checkpoints are made with torch")

from tests.support.slow_way import CAPTION, FOIL, loaded, photograph, some_rows, tower_of

STIMULUS = Stimulus(photograph(), CAPTION, FOIL, id="photo-7")
GRID = Grid(2, 3)
ROUNDING = 5e-5
FULL = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 123 bytes."


@pytest.fixture(scope="module")
def model(clip_checkpoint: Path) -> DualEncoder:
    return loaded(clip_checkpoint)


@pytest.fixture(scope="module")
def table(model: DualEncoder) -> np.ndarray:
    """All 64 values with the batch size that hlx chooses."""
    return model.game(STIMULUS, GRID).table()


def test_rows_and_table_agree(model: DualEncoder, table: np.ndarray) -> None:
    """Bit i of an index is column i of a row."""
    game = model.game(STIMULUS, GRID)
    assert isinstance(game, Game) and table.shape == (64,) and np.ptp(table) > 1
    for rows in (all_rows(6), some_rows(6, 17)[:1], some_rows(6, 28)):
        np.testing.assert_allclose(game(rows), table[ids_from_rows(rows)], rtol=0, atol=ROUNDING)


def test_one_device_gives_the_numbers_of_two(
    clip_checkpoint: Path, model: DualEncoder, table: np.ndarray
) -> None:
    assert len(model.image_side.devices) == 2
    single = load_model(clip_checkpoint, devices=jax.local_devices()[:1])
    game = single.game(STIMULUS, GRID, batch_size=8)
    np.testing.assert_allclose(game.table(), table, rtol=0, atol=ROUNDING)
    rows = some_rows(6, 5)
    np.testing.assert_allclose(game(rows), table[ids_from_rows(rows)], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("batch_size", [1, 7, 16, 48, 1024])
def test_batch_size_changes_nothing(model: DualEncoder, table: np.ndarray, batch_size: int) -> None:
    """Dividing 2^n, not dividing it, and larger than it; progress rises to the total."""
    calls: list[tuple[int, int]] = []
    game = model.game(
        STIMULUS, GRID, batch_size=batch_size, progress=lambda done, total: calls.append((done, total))
    )
    np.testing.assert_allclose(game.table(), table, rtol=0, atol=ROUNDING)
    done = [call[0] for call in calls]
    assert done == sorted(set(done)) and done[-1] == 64 and {call[1] for call in calls} == {64}


def test_batches_of_rows_need_not_divide(model: DualEncoder, table: np.ndarray) -> None:
    game = model.game(STIMULUS, GRID, batch_size=7)
    np.testing.assert_allclose(game(all_rows(6)[:37]), table[:37], rtol=0, atol=ROUNDING)


def test_vectors_are_kept_on_request(model: DualEncoder, table: np.ndarray) -> None:
    image = model.mask(STIMULUS.image, GRID, batch_size=24)
    text_queries = model.text_queries([(CAPTION, FOIL), (CAPTION, None)])
    heads, offsets = text_queries
    kept, without = image.sweep(text_queries, keep_vectors=True), image.sweep(text_queries)
    assert without.vectors is None
    assert kept.vectors is not None and kept.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(kept.vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(kept.vectors @ heads + offsets, kept.values, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(kept.values[:, 0], table, rtol=0, atol=ROUNDING)
    rows = some_rows(6, 3)
    np.testing.assert_allclose(image.vectors(rows), kept.vectors[ids_from_rows(rows)], rtol=0, atol=2e-6)


def test_float32_everywhere(model: DualEncoder) -> None:
    game = model.game(STIMULUS, GRID)
    squares = np.stack([photograph(32, 32)])
    made = (game.table(), game(all_rows(6)[:2]), model.scores([STIMULUS.image], [CAPTION]))
    vectors = (model.encode_squares(squares), model.encode_texts([CAPTION]))
    assert {array.dtype for array in (*made, *vectors)} == {np.dtype("float32")}
    assert {leaf.dtype for leaf in jax.tree.leaves(model.image_side._state)} == {np.dtype("float32")}


@pytest.mark.parametrize("kind", ["clip", "siglip", "flava"])
def test_bfloat16_is_close(make_checkpoint: MakeCheckpoint, kind: str) -> None:
    """The large products run in bfloat16, nothing else does, and phi stays where it was."""
    folder = make_checkpoint(kind, layers=3, **({"tokenizer": "fast"} if kind == "siglip" else {}))
    full, half = loaded(folder), loaded(folder, "bfloat16")
    tower = tower_of(half)
    for stage in (tower.first, *tower.middle):
        for name in ("qkv_weight", "out_weight", "fc1_weight", "fc2_weight"):
            assert getattr(stage, name)[...].dtype == jax.numpy.bfloat16
        assert stage.norm1_scale[...].dtype == stage.fc1_bias[...].dtype == np.float32
    assert tower.patch_weight[...].dtype == tower.positions[...].dtype == np.float32
    one, other = (model.game(STIMULUS, Grid(3, 3), "black").table() for model in (full, half))
    assert other.dtype == np.float32
    phi, rough = shapley_from_table(one), shapley_from_table(other)
    assert not np.array_equal(phi, rough)
    assert spearmanr(phi, rough).statistic > 0.9
    assert np.linalg.norm(phi - rough) / np.linalg.norm(phi) < 0.05


def test_unknown_dtype_is_refused(clip_checkpoint: Path) -> None:
    with pytest.raises(InputError, match=r"float16.*float32.*bfloat16"):
        load_model(clip_checkpoint, dtype="float16")


def test_too_many_players_for_a_table(model: DualEncoder) -> None:
    game = model.game(STIMULUS, Grid(5, 5))
    with pytest.raises(InputError, match=r"25 regions.*2\^25.*permutation"):
        game.table()
    assert game(some_rows(25, 3)).shape == (30,)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_nan_weights_are_found_out(make_checkpoint: MakeCheckpoint, tmp_path: Path, kind: str) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "broken"
    shutil.copytree(make_checkpoint(kind, **({"tokenizer": "fast"} if kind == "siglip" else {})), folder)
    weights = load_file(folder / "model.safetensors")
    weights["vision_model.encoder.layers.1.mlp.fc2.bias"][3] = np.nan
    save_file(weights, folder / "model.safetensors")
    game = load_model(folder).game(STIMULUS, Grid(2, 2))
    with pytest.raises(NonFiniteScoreError, match=r"photo-7.*none of 4 players shown") as caught:
        game.table()
    assert "\n" not in str(caught.value)
    with pytest.raises(NonFiniteScoreError, match=r"photo-7.*players 1, 3 of 4 shown"):
        game(np.array([[False, True, False, True]]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_coalition_with_the_bad_score_is_named(
    model: DualEncoder, monkeypatch: pytest.MonkeyPatch, bad: float
) -> None:
    game = model.game(STIMULUS, GRID)
    rows = all_rows(6)
    values = np.zeros((64, 1), np.float32)
    values[0b100101] = bad
    monkeypatch.setattr(ImageSide, "sweep", lambda *_, **__: (values.copy(), None))
    monkeypatch.setattr(ImageSide, "scores", lambda *_, **__: values.copy())
    for ask in (game.table, lambda: game(rows)):
        with pytest.raises(NonFiniteScoreError, match=r"photo-7.* players 0, 2, 5 of 6 shown"):
            ask()


class LateFailure:
    """A device array whose computation fails when it is read, as asynchronous dispatch does."""

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise jax.errors.JaxRuntimeError(FULL)


@given(
    size=st.integers(1, 70),
    multiple=st.integers(1, 4),
    count=st.integers(1, 200),
    room=st.integers(1, 70),
    late=st.booleans(),
)
def test_batches_cover_all_items_in_whatever_room_there_is(
    size: int, multiple: int, count: int, room: int, late: bool
) -> None:
    """Halved until it fits; every item once and in order; batches are multiples of the devices."""
    runner = BatchRunner(size, multiple)
    asked: list[int] = []

    def evaluate(start: int, batch: int) -> tuple:
        asked.append(batch)
        if batch > room:
            if late:
                return (LateFailure(),)
            raise jax.errors.JaxRuntimeError(FULL)
        return (np.arange(start, start + batch), np.arange(start, start + batch) ** 2)

    calls: list[int] = []

    def gather() -> list[tuple[int, tuple[np.ndarray, ...]]]:
        return list(runner.run(evaluate, count, lambda done, total: calls.append(done)))

    if min(runner.size, runner._padded(count)) > room and multiple > room:
        with pytest.raises(ModelError, match=f"out of memory at a batch of {multiple}: .*bfloat16"):
            gather()
        return
    parts = gather()
    np.testing.assert_array_equal(np.concatenate([arrays[0] for _, arrays in parts]), np.arange(count))
    np.testing.assert_array_equal(np.concatenate([arrays[1] for _, arrays in parts]), np.arange(count) ** 2)
    assert [start for start, _ in parts] == [arrays[0][0] for _, arrays in parts]
    assert all(batch % multiple == 0 for batch in asked)
    assert calls == sorted(set(calls)) and calls[-1] == count
    assert runner.size % multiple == 0 and runner.size <= max(size, multiple)


def test_a_smaller_batch_is_kept_for_later_runs() -> None:
    runner, asked = BatchRunner(64), []

    def evaluate(start: int, batch: int) -> tuple:
        asked.append(batch)
        if batch > 16:
            raise MemoryError
        return (np.zeros(batch),)

    list(runner.run(evaluate, 64))
    assert runner.size == 16
    asked.clear()
    list(runner.run(evaluate, 64))
    assert asked == [16] * 4


def test_other_errors_pass_through() -> None:
    def fail(error: Exception) -> Callable:
        def evaluate(start: int, batch: int) -> tuple:
            raise error

        return evaluate

    for error in (jax.errors.JaxRuntimeError("INTERNAL: no luck"), ValueError("shapes"), KeyError("x")):
        runner = BatchRunner(8)
        with pytest.raises(type(error)):
            list(runner.run(fail(error), 8))
        assert runner.size == 8


def test_sweep_survives_a_full_device(
    model: DualEncoder, table: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device takes 16 coalitions at most: the table is the same, and the image remembers the size."""
    compiled = ImageSide._sweep

    def cramped(side: ImageSide, size: int, keep_vectors: bool) -> Callable:
        if size > 16:
            raise jax.errors.JaxRuntimeError(FULL)
        return compiled(side, size, keep_vectors)

    monkeypatch.setattr(ImageSide, "_sweep", cramped)
    game = model.game(STIMULUS, GRID, batch_size=64)
    np.testing.assert_allclose(game.table(), table, rtol=0, atol=ROUNDING)
    assert game.image.batch_size == 16
    monkeypatch.setattr(ImageSide, "_sweep", lambda *_: cramped(model.image_side, 17, False))
    with pytest.raises(ModelError, match="ran out of memory at a batch of 2"):
        game.table()


def test_batch_sizes_from_options() -> None:
    assert parse_batch("auto") is None
    assert parse_batch("8") == parse_batch(8) == 8
    for wrong in ("0", "-3", "many", "", "1.5", 0):
        with pytest.raises(InputError, match=re.escape(f"batch size {wrong!r}")):
            parse_batch(wrong)


@given(tokens=st.integers(2, 800), widest=st.integers(16, 20000))
def test_automatic_batch_is_a_power_of_two_per_device(tokens: int, widest: int) -> None:
    devices = jax.local_devices()
    size = auto_batch(tokens, widest, devices)
    share = size // len(devices)
    assert size == share * len(devices) and share & (share - 1) == 0 and 1 <= share <= LARGEST_BATCH
    assert auto_batch(tokens, 2 * widest, devices) <= size


@pytest.mark.parametrize(
    ("shape", "cpu", "accelerator"),
    [
        ((224, 32, 768, 3072, 12, False), 16, 1024),  # CLIP B/32
        ((224, 16, 768, 3072, 12, False), 4, 256),  # CLIP B/16
        ((224, 14, 1024, 4096, 16, False), 2, 128),  # CLIP L/14
        ((336, 14, 1024, 4096, 16, False), 1, 32),  # 16 * 577 logits a token are more than 4096
        ((384, 16, 768, 3072, 12, True), 1, 64),  # SigLIP base at 384: 12 * 576
        ((384, 14, 1152, 4304, 16, True), 1, 16),  # SigLIP so400m at 384: 16 * 729
    ],
)
def test_automatic_batches_of_published_models(shape: tuple, cpu: int, accelerator: int) -> None:
    """Attention's logits count too: neither they nor the MLP's activations outgrow a batch's share."""
    side, patch, width, mlp, heads, probe = shape
    sizes = VisionShape(side, patch, 12, width, mlp, BlockShape(heads, "gelu", 1e-5), probe)
    assert auto_batch(sizes.tokens, sizes.widest, jax.local_devices()[:1]) == cpu
    gpu = Mock(spec=jax.Device, platform="gpu", **{"memory_stats.return_value": {"bytes_limit": 80 * 2**30}})
    assert auto_batch(sizes.tokens, sizes.widest, [gpu]) == accelerator
    assert accelerator * heads * sizes.tokens**2 * 4 <= 2**30


def test_cpu_workers_follow_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that has three of a machine's cores has three batches under way."""
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {5, 6, 9}, raising=False)
    assert workers(jax.local_devices()[:1]) == 3


def test_config_of_the_checkpoint_is_the_shape(clip_checkpoint: Path, model: DualEncoder) -> None:
    config = json.loads((clip_checkpoint / "config.json").read_text())["vision_config"]
    assert model.side == config["image_size"]
    assert model.image_side.shape.tokens == (config["image_size"] // config["patch_size"]) ** 2 + 1
