"""The game's exact savings change nothing but rounding: each against the slow way, together and alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hlx.errors import InputError
from hlx.games.regions import Grid, LabelMap, Regions
from hlx.games.stimuli import Stimulus
from hlx.models.jax import token_tables as token_forms
from hlx.models.jax.token_tables import AffineTokens, TokenTable, patch_variants
from hlx.models.jax.transformer import BLOCK_ARRAYS, Block, BlockShape, attend_once, attention
from hlx.models.jax.vision import VisionShape, patches_of
from tests.conftest import MakeCheckpoint

pytest.importorskip("torch", reason="the slow way runs in torch")

from tests.support.slow_way import (
    CAPTION,
    FOIL,
    blobs,
    composites,
    loaded,
    photograph,
    scale_of,
    slow_values,
    some_rows,
    tower_of,
)

TOLERANCE_AT_100 = 1e-3
IMAGE = photograph()

Case = tuple[str, dict[str, object], Regions]
CASES: dict[str, Case] = {
    "grid on 16 patches, aligned": ("clip", {"image_size": 64}, Grid(4, 4)),
    "grid that cuts 4 patches": ("clip", {}, Grid(3, 3)),
    "4x4 on 7x7 patches of 14 pixels": ("clip", {"image_size": 98, "patch_size": 14}, Grid(4, 4)),
    "one row of five": ("clip", {}, Grid(1, 5)),
    "3x2, one layer": ("clip", {"layers": 1}, Grid(3, 2)),
    "blobs as large as the image": ("clip", {}, LabelMap(blobs(IMAGE.shape[:2], 7))),
    "blobs, SigLIP": ("siglip", {"tokenizer": "fast"}, LabelMap(blobs((32, 32), 9, seed=1))),
    "patch 14 in 46 pixels, SigLIP 2": (
        "siglip",
        {"version": 2, "image_size": 46, "patch_size": 14},
        Grid(3, 3),
    ),
    "one layer, SigLIP": ("siglip", {"tokenizer": "fast", "layers": 1}, Grid(5, 1)),
    "patch 14 in 46 pixels, FLAVA": ("flava", {"image_size": 46, "patch_size": 14}, Grid(3, 3)),
    "blobs, FLAVA without biases": ("flava", {"qkv_bias": False}, LabelMap(blobs((32, 32), 9, seed=1))),
    "one layer, FLAVA's towers alone": ("flava", {"layers": 1, "whole": False}, Grid(2, 3)),
}
# Pixels dealt out one by one: a patch then has 2^12 variants, too many for the table; or 2^40.
FINE = {
    12: LabelMap(np.random.default_rng(3).permutation(1024).reshape(32, 32) % 12),
    40: LabelMap(np.random.default_rng(4).permutation(1024).reshape(32, 32) % 40),
}
SOME = (
    "grid that cuts 4 patches",
    "3x2, one layer",
    "patch 14 in 46 pixels, SigLIP 2",
    "patch 14 in 46 pixels, FLAVA",
)


def assert_equals_slow_way(folder: Path, regions: Regions, background: str, foil: str | None) -> None:
    """f of some coalitions by the port and by the reference, within 1e-3 at a logit scale of 100."""
    game = loaded(folder).game(Stimulus(IMAGE, CAPTION, foil), regions, background)
    rows = some_rows(regions.n_players)
    expected = slow_values(folder, IMAGE, regions, rows, background, foil=foil)
    assert np.ptp(expected) > 1  # otherwise agreement would say little
    np.testing.assert_allclose(game(rows), expected, rtol=0, atol=TOLERANCE_AT_100 * scale_of(folder) / 100)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_equals_slow_way(make_checkpoint: MakeCheckpoint, case: Case) -> None:
    """By lookup of tokens, on every background, with and without a foil."""
    kind, options, regions = case
    folder = make_checkpoint(kind, **options)
    assert isinstance(_tokens(folder, regions), TokenTable)
    for background, foil in (("blur", FOIL), ("mean", None), ("black", FOIL)):
        assert_equals_slow_way(folder, regions, background, foil)


@pytest.mark.parametrize("case", [CASES[name] for name in SOME], ids=SOME)
def test_affine_form_equals_slow_way(
    make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    """By sums of token deltas, forced where the table would do."""
    kind, options, regions = case
    folder = make_checkpoint(kind, **options)
    monkeypatch.setattr(token_forms, "TABLE_ROWS", 1)
    assert isinstance(_tokens(folder, regions), AffineTokens)
    for background, foil in (("blur", None), ("black", FOIL)):
        assert_equals_slow_way(folder, regions, background, foil)


@pytest.mark.parametrize("n", FINE)
def test_label_map_too_fine_for_a_table(clip_checkpoint: Path, n: int) -> None:
    assert isinstance(_tokens(clip_checkpoint, FINE[n]), AffineTokens)
    assert_equals_slow_way(clip_checkpoint, FINE[n], "mean", FOIL)


@pytest.mark.parametrize(
    "name", ["grid that cuts 4 patches", "patch 14 in 46 pixels, SigLIP 2", "patch 14 in 46 pixels, FLAVA"]
)
def test_both_token_forms_are_the_patch_embedding(
    make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Tokens looked up = tokens summed = tokens of the composited image."""
    kind, options, regions = CASES[name]
    folder = make_checkpoint(kind, **options)
    model, rows = loaded(folder), some_rows(regions.n_players)
    tower, side = tower_of(model), model.image_side
    patches = patches_of(
        jnp.asarray(side.normalise(composites(model.side, IMAGE, regions, rows, "blur"))), side.shape
    )
    patch_tokens = tower.patch_tokens(patches, jnp.arange(patches.shape[1]))
    fixed = tower.fixed_tokens()
    fixed = jnp.broadcast_to(fixed, (len(rows), *fixed.shape))
    expected = np.asarray(tower.enter(jnp.concatenate([fixed, patch_tokens], axis=1)))
    looked_up, _ = _tokens(folder, regions).of(tower, jnp.asarray(rows))
    monkeypatch.setattr(token_forms, "TABLE_ROWS", 1)
    summed, _ = _tokens(folder, regions).of(tower, jnp.asarray(rows))
    np.testing.assert_allclose(looked_up, expected, rtol=0, atol=2e-5)
    np.testing.assert_allclose(summed, expected, rtol=0, atol=2e-5)


def test_first_projections_are_looked_up(
    clip_checkpoint: Path, siglip_checkpoint: Path, make_checkpoint: MakeCheckpoint
) -> None:
    """The table's queries, keys and values are what the first block would compute."""
    for folder in (clip_checkpoint, siglip_checkpoint, make_checkpoint("flava")):
        tower = tower_of(loaded(folder))
        x, qkv = _tokens(folder, Grid(3, 3)).of(tower, jnp.asarray(some_rows(9, 5)))
        assert qkv is not None and qkv.shape[-1] == 3 * x.shape[-1]
        np.testing.assert_allclose(qkv, tower.first.qkv(x), rtol=0, atol=2e-5)


@pytest.mark.parametrize(("heads", "head_width", "tokens"), [(1, 8, 4), (5, 3, 9), (2, 8, 1)])
def test_first_token_is_the_blocks_own(heads: int, head_width: int, tokens: int) -> None:
    d = heads * head_width
    draw = np.random.default_rng(heads)
    block = _random_block(draw, d, heads)
    x = jnp.asarray(draw.normal(size=(3, tokens, d)), jnp.float32)
    whole, first = _both(*nnx.split(block), x)
    np.testing.assert_allclose(first, whole[:, 0], rtol=0, atol=2e-5)


@partial(jax.jit, static_argnums=0)
def _both(graph: nnx.GraphDef, state: nnx.State, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    block = nnx.merge(graph, state)
    return block(x), block.first_token(x)


@pytest.mark.parametrize(("heads", "shared"), [(1, False), (3, False), (3, True)])
def test_one_query_attends_as_any_other(heads: int, shared: bool) -> None:
    """`attend_once` against textbook attention in float64; the key bias must make no difference."""
    m, t, d = 4, 6, 12
    draw = np.random.default_rng(heads)
    query = draw.normal(size=(1 if shared else m, d))
    x, weight, bias = draw.normal(size=(m, t, d)), draw.normal(size=(d, 3 * d)) / 2, draw.normal(size=3 * d)
    _, key, value = np.split(x @ weight + bias, 3, axis=-1)
    expected = np.empty((m, d))
    for i in range(m):
        for h in range(heads):
            part = slice(h * d // heads, (h + 1) * d // heads)
            logits = key[i, :, part] @ query[0 if shared else i, part] / np.sqrt(d // heads)
            weights = np.exp(logits - logits.max())
            expected[i, part] = (weights / weights.sum()) @ value[i, :, part]
    q, tokens, qkv, value_bias = (jnp.asarray(a, jnp.float32) for a in (query, x, weight, bias[2 * d :]))
    np.testing.assert_allclose(attend_once(q, tokens, qkv, value_bias, heads), expected, rtol=1e-5, atol=1e-4)
    packed = np.broadcast_to(query[:, None], (m, t, d)), key, value
    whole = attention(jnp.asarray(np.concatenate(packed, -1), jnp.float32), heads, jnp.dtype("float32"))
    np.testing.assert_allclose(whole[:, 0], expected, rtol=1e-5, atol=1e-4)


def test_attention_sees_what_its_mask_shows() -> None:
    """Masks of one row per sequence, per token and of both give what the shown tokens alone give."""
    m, t, d, heads = 3, 5, 8, 2
    draw = np.random.default_rng(0)
    qkv, dtype = jnp.asarray(draw.normal(size=(m, t, 3 * d)), jnp.float32), jnp.dtype("float32")
    lengths = np.array([2, 5, 3])
    padding, causal = np.arange(t) < lengths[:, None], np.tril(np.ones((t, t), bool))
    by_padding = attention(qkv, heads, dtype, jnp.asarray(padding[:, None]))
    by_order = attention(qkv, heads, dtype, jnp.asarray(causal[None]))
    by_both = attention(qkv, heads, dtype, jnp.asarray(padding[:, None] & causal))
    for i, length in enumerate(lengths):
        alone = attention(qkv[i : i + 1, :length], heads, dtype)[0]
        np.testing.assert_allclose(by_padding[i, :length], alone, rtol=0, atol=1e-6)
        for last in range(length):
            seen = attention(qkv[i : i + 1, : last + 1], heads, dtype)[0, last]
            np.testing.assert_allclose(by_order[i, last], seen, rtol=0, atol=1e-6)
            np.testing.assert_allclose(by_both[i, last], seen, rtol=0, atol=1e-6)


def test_one_sweep_serves_many_pairs(make_checkpoint: MakeCheckpoint) -> None:
    """Each pair gets what it gets alone, whatever is beside it, and one without a foil its bias."""
    model = loaded(make_checkpoint("siglip", tokenizer="fast"))
    pairs = [(CAPTION, FOIL), (FOIL, CAPTION), (CAPTION, None)]
    together = model.mask(IMAGE, Grid(2, 2)).sweep(model.text_queries(pairs)).values
    alone = [model.game(Stimulus(IMAGE, *pair), Grid(2, 2)).table() for pair in pairs]
    np.testing.assert_allclose(together, np.stack(alone, axis=1), rtol=0, atol=5e-5)
    np.testing.assert_allclose(together[:, 0], -together[:, 1], rtol=0, atol=5e-5)
    assert np.ptp(together, axis=1).min() > 1e-2


def test_looks_are_as_many_as_regions_allow() -> None:
    """A patch that r regions reach has 2^r variants, no more."""
    shape = _shape(side=32, patch=16)
    image = photograph(32, 32)
    for regions in (Grid(2, 2), Grid(3, 3), Grid(1, 5), LabelMap(blobs((32, 32), 6))):
        labels = regions.labels(32)
        cut = labels.reshape(2, 16, 2, 16).swapaxes(1, 2).reshape(4, -1)
        variants = patch_variants(image, np.zeros_like(image), labels, regions.n_players, shape)
        assert variants is not None
        assert len(variants.pixels) == sum(2 ** len(np.unique(patch)) for patch in cut)
        assert (variants.place != 0).sum() == sum(len(np.unique(patch)) for patch in cut)


def test_rows_of_another_kind_are_refused(clip_checkpoint: Path) -> None:
    game = loaded(clip_checkpoint).game(Stimulus(IMAGE, CAPTION), Grid(2, 2))
    for wrong in (np.ones((3, 5), bool), np.ones((3, 4), int), np.ones(4, bool)):
        with pytest.raises(InputError, match=r"rows as \(m, 4\) booleans"):
            game(wrong)
    assert game(np.zeros((0, 4), bool)).shape == (0,)
    with pytest.raises(InputError):
        game(np.zeros((0, 5), bool))


def test_label_map_of_another_size_is_refused(clip_checkpoint: Path) -> None:
    with pytest.raises(InputError, match=r"40 x 40.*50 x 71.*32 x 32"):
        loaded(clip_checkpoint).game(Stimulus(IMAGE, CAPTION), LabelMap(blobs((40, 40), 3)))


def _tokens(folder: Path, regions: Regions) -> TokenTable | AffineTokens:
    return loaded(folder).mask(IMAGE, regions)._tokens


def _shape(side: int, patch: int) -> VisionShape:
    return VisionShape(side, patch, 1, 4, 4, BlockShape(1, "gelu", 1e-5), False)


def _random_block(draw: np.random.Generator, d: int, heads: int) -> Block:
    mlp = 2 * d + 1
    sizes = dict.fromkeys(BLOCK_ARRAYS, (d,)) | {
        "qkv_weight": (d, 3 * d),
        "qkv_bias": (3 * d,),
        "out_weight": (d, d),
        "fc1_weight": (d, mlp),
        "fc1_bias": (mlp,),
        "fc2_weight": (mlp, d),
    }
    arrays = {name: jnp.asarray(draw.normal(size=size) * 0.5, jnp.float32) for name, size in sizes.items()}
    return Block(arrays, BlockShape(heads, "quick_gelu", 1e-5))
