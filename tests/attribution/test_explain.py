"""`explain` gives what the game says, and its result says all that made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hlx
from hlx.attribution.attribution import Attribution
from hlx.attribution.explain import explain, explain_from_table, explain_kept, explain_pairs
from hlx.errors import InputError
from hlx.games.coalitions import all_rows
from hlx.games.regions import Grid, LabelMap
from hlx.games.stimuli import Stimulus
from hlx.io.images import content_hash, square
from hlx.models import load_text_side
from hlx.models.jax.dual_encoder import DualEncoder
from tests.conftest import MakeCheckpoint
from tests.support.command_line import hlx as command

pytest.importorskip("torch", reason="random checkpoints are made with torch")

from tests.support.slow_way import CAPTION, FOIL, blobs, loaded, photograph

IMAGE = photograph()
STIMULUS = Stimulus(IMAGE, CAPTION, FOIL, id="photo-7", phenomenon="existence")
GRID = Grid(2, 3)
KEYS = {
    *("model", "image", "caption", "foil", "grid", "background", "estimator", "dtype", "n_evaluations"),
    *("score", "score_hidden", "shapley", "standard_error", "seconds"),
}


@pytest.fixture(scope="module")
def model(clip_checkpoint: Path) -> DualEncoder:
    return loaded(clip_checkpoint)


@pytest.fixture(scope="module")
def attribution(model: DualEncoder) -> Attribution:
    return explain(model, STIMULUS, GRID, seed=5)


def test_front_door(model: DualEncoder, attribution: Attribution) -> None:
    assert hlx.explain is explain
    stimulus = hlx.Stimulus(IMAGE, CAPTION, foil=FOIL)
    again = hlx.explain(model, stimulus, regions=hlx.Grid(2, 3), estimator="exact")
    np.testing.assert_array_equal(again.values, attribution.values)


def test_exact_values(model: DualEncoder, attribution: Attribution) -> None:
    """The Shapley values of the game's own table, adding up to v(all) - v(none)."""
    table = model.game(STIMULUS, GRID).table()
    assert attribution.coalition_values is not None
    np.testing.assert_allclose(attribution.coalition_values, table, rtol=0, atol=5e-5)
    np.testing.assert_array_equal(attribution.values, hlx.shapley_from_table(attribution.coalition_values))
    assert attribution.values.dtype == np.float64 and attribution.standard_error is None
    assert (attribution.baseline_value, attribution.grand_coalition_value) == (
        attribution.coalition_values[0],
        attribution.coalition_values[-1],
    )
    assert attribution.values.sum() == pytest.approx(
        attribution.grand_coalition_value - attribution.baseline_value, abs=1e-9
    )
    assert attribution.n_evaluations == 64 and np.abs(attribution.values).max() > 0.1
    np.testing.assert_array_equal(attribution.map.ravel(), attribution.values)
    np.testing.assert_array_equal(explain_from_table(attribution)[0].values, attribution.values)


def test_score_is_the_models_of_the_square_image(model: DualEncoder, attribution: Attribution) -> None:
    """The processor's own resize and crop leave an image of the model's size as it is."""
    whole = square(IMAGE, model.side)
    caption, foil = model.scores([whole], [CAPTION, FOIL])[0]
    assert attribution.grand_coalition_value == pytest.approx(caption - foil, abs=1e-3)
    assert explain(model, Stimulus(whole, CAPTION), GRID).grand_coalition_value == pytest.approx(
        caption, abs=1e-3
    )
    assert abs(np.diff(model.scores([IMAGE], [CAPTION, FOIL])[0]) - (foil - caption)) > 1e-2  # cropped


def test_as_dict_holds_what_json_promises(model: DualEncoder, attribution: Attribution) -> None:
    made = json.loads(json.dumps(attribution.as_dict(), allow_nan=False))
    assert made.keys() >= KEYS
    assert (made["grid"], made["estimator"], made["background"]) == ("2x3", "exact", "blur")
    assert (made["caption"], made["foil"], made["dtype"]) == (CAPTION, FOIL, "float32")
    assert (made["n_evaluations"], made["standard_error"], made["seed"]) == (64, None, 5)
    assert (made["score"], made["score_hidden"]) == (
        attribution.grand_coalition_value,
        attribution.baseline_value,
    )
    assert (made["stimulus_id"], made["phenomenon"]) == ("photo-7", "existence")
    assert made["stimulus_hash"] == STIMULUS.content_hash and made["image_hash"] == content_hash(IMAGE)
    assert made["seconds"] > 0 and made["versions"].keys() >= {"hlx", "jax", "device"}
    np.testing.assert_array_equal(made["shapley"], attribution.map)
    assert load_text_side(made["model"])[1].fingerprint() == made["fingerprint"] == model.fingerprint


def test_label_map_is_laid_out_flat(model: DualEncoder) -> None:
    labels = blobs(IMAGE.shape[:2], 4)
    attribution = explain(model, Stimulus(IMAGE, CAPTION), LabelMap(labels), background="mean")
    made = attribution.as_dict()
    assert made["grid"] is None and made["foil"] is None
    assert np.shape(made["shapley"]) == (4,) and made["regions"]["kind"] == "labels"
    np.testing.assert_array_equal(attribution.map, attribution.values[labels])


def test_sampled(model: DualEncoder, attribution: Attribution) -> None:
    """Within the budget, efficient, near the exact values, and the same for the same seed."""

    def run(seed: int, budget: int = 52) -> Attribution:
        return explain(model, STIMULUS, GRID, "permutation", budget=budget, seed=seed)

    one, same, other = run(1), run(1), run(2)
    assert one.n_evaluations <= 52 and one.coalition_values is None
    np.testing.assert_array_equal(one.values, same.values)
    assert not np.array_equal(one.values, other.values)
    assert one.values.sum() == pytest.approx(
        attribution.grand_coalition_value - attribution.baseline_value, abs=1e-3
    )
    assert one.grand_coalition_value == pytest.approx(attribution.grand_coalition_value, abs=1e-4)
    assert one.baseline_value == pytest.approx(attribution.baseline_value, abs=1e-4)
    assert one.standard_error is not None
    assert (np.abs(one.values - attribution.values) < 6 * one.standard_error + 1e-3).all()
    assert np.shape(one.as_dict()["standard_error"]) == (2, 3)
    whole = run(1, budget=64)
    assert whole.n_evaluations == 64 and whole.standard_error is None
    np.testing.assert_allclose(whole.values, attribution.values, rtol=0, atol=1e-4)


def test_pairs_share_a_sweep(model: DualEncoder, attribution: Attribution, tmp_path: Path) -> None:
    """Many pairs at once give what each gives alone, and so do kept image vectors later."""
    path = tmp_path / "photo.png"
    Image.fromarray(IMAGE).save(path)
    pairs = [(CAPTION, FOIL), (FOIL, None), ("the dog chases the cat", "the cat chases the dog")]
    stimuli = [Stimulus(path, *pair) for pair in pairs]
    together = explain_pairs(model, stimuli, GRID, keep_vectors=True)
    np.testing.assert_allclose(together[0].values, attribution.values, rtol=0, atol=1e-4)
    later = explain_kept(together[0], pairs, *_text_side_and_fingerprint(model))
    for stimulus, shared, kept in zip(stimuli, together, later, strict=True):
        alone = explain(model, stimulus, GRID)
        np.testing.assert_allclose(shared.values, alone.values, rtol=0, atol=1e-4)
        np.testing.assert_allclose(kept.values, alone.values, rtol=0, atol=1e-4)
        assert (kept.grand_coalition_value, kept.baseline_value) == pytest.approx(
            (alone.grand_coalition_value, alone.baseline_value), abs=1e-4
        )
        assert shared.context is not None and kept.context is not None
        assert kept.context.stimulus_hash == shared.context.stimulus_hash == stimulus.content_hash
        assert (kept.context.caption, kept.context.foil) == (stimulus.caption, stimulus.foil)
        assert shared.context.image == str(path)
    with pytest.raises(InputError, match="other weights"):
        explain_kept(together[0], pairs, model.texts, "0" * 64)
    with pytest.raises(InputError, match="keep_vectors=True"):
        explain_kept(attribution, pairs, model.texts, model.fingerprint)


def _text_side_and_fingerprint(model: DualEncoder) -> tuple:
    texts, checkpoint = load_text_side(model.name)
    return texts, checkpoint.fingerprint()


def test_sampled_pairs_share_their_coalitions(model: DualEncoder) -> None:
    stimuli = [Stimulus(IMAGE, CAPTION, FOIL), Stimulus(IMAGE, CAPTION)]
    together = explain_pairs(model, stimuli, GRID, "permutation", budget=32, seed=3)
    for stimulus, shared in zip(stimuli, together, strict=True):
        alone = explain(model, stimulus, GRID, "permutation", budget=32, seed=3)
        np.testing.assert_allclose(shared.values, alone.values, rtol=0, atol=1e-4)


def test_players_without_a_difference_get_nothing(model: DualEncoder) -> None:
    """Where image and background are the same the player is a dummy; the values of others do not see it."""
    image = photograph(32, 32)
    image[:16, 16:] = 0
    values = explain(model, Stimulus(image, CAPTION, FOIL), Grid(2, 2), background="black").values
    assert abs(values[1]) < 1e-4 < 0.05 < np.abs(values[[0, 2, 3]]).min()


def test_renumbering_the_players_renumbers_the_values(model: DualEncoder) -> None:
    order = np.array([4, 2, 0, 5, 1, 3])
    labels = GRID.labels(model.side)
    values = explain(model, STIMULUS, GRID).values
    np.testing.assert_allclose(explain(model, STIMULUS, LabelMap(labels)).values, values, rtol=0, atol=1e-4)
    renamed = explain(model, STIMULUS, LabelMap(order[labels])).values
    np.testing.assert_allclose(renamed[order], values, rtol=0, atol=1e-4)


def test_swapping_caption_and_foil_flips_the_sign(make_checkpoint: MakeCheckpoint) -> None:
    model = loaded(make_checkpoint("siglip", tokenizer="fast"))
    one, other = explain_pairs(model, [Stimulus(IMAGE, CAPTION, FOIL), Stimulus(IMAGE, FOIL, CAPTION)], GRID)
    np.testing.assert_allclose(one.values, -other.values, rtol=0, atol=1e-4)
    np.testing.assert_allclose(one.normalized, other.normalized, rtol=0, atol=1e-4)


def test_array_and_file_are_the_same_image(
    model: DualEncoder, attribution: Attribution, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(IMAGE).save(path)
    from_file = explain(model, Stimulus(path, CAPTION, FOIL), GRID)
    np.testing.assert_array_equal(from_file.values, attribution.values)
    assert from_file.as_dict()["image"] == str(path) and attribution.as_dict()["image"] == "array"
    assert from_file.as_dict()["stimulus_hash"] == attribution.as_dict()["stimulus_hash"]


def test_the_image_is_read_once(
    model: DualEncoder, clip_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is opened once for a call of `explain`, and once for the command."""
    path, opened, plain_open = tmp_path / "photo.png", [], open
    Image.fromarray(IMAGE).save(path)

    def counted(file: object, *arguments: Any, **options: Any) -> Any:
        if str(file) == str(path):
            opened.append(arguments)
        return plain_open(file, *arguments, **options)

    monkeypatch.setattr("builtins.open", counted)
    explain(model, Stimulus(path, CAPTION, FOIL), GRID)
    assert len(opened) == 1
    asked = ("--caption", CAPTION, "--grid", "2x2", "--model", clip_checkpoint, "--json")
    ended = command("explain", path, *asked)
    assert ended.status == 0, ended.err
    assert len(opened) == 2
    assert json.loads(ended.out)["image"] == str(path)


def test_overlay_is_drawn(attribution: Attribution, tmp_path: Path) -> None:
    attribution.plot(tmp_path / "map.png", title="photo")
    with Image.open(tmp_path / "map.png") as drawn:
        assert min(drawn.size) > 100


def test_progress_counts_coalitions(model: DualEncoder) -> None:
    for options, total in (({}, 64), ({"estimator": "permutation", "budget": 32}, None)):
        calls: list[tuple[int, int]] = []
        made = explain(
            model,
            STIMULUS,
            GRID,
            batch_size=8,
            progress=lambda *call, calls=calls: calls.append(call),
            **options,
        )
        assert calls[-1] == (made.n_evaluations, made.n_evaluations)
        assert total in (None, made.n_evaluations) and len(calls) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": "white"}, "background 'white'.*blur, mean, black"),
        ({"estimator": "lime"}, "unknown estimator 'lime'"),
        ({"estimator": "permutation"}, "budget"),
        ({"estimator": "permutation", "budget": 6}, "at least 7"),
        ({"budget": 10}, "all 64 coalitions"),
        ({"regions": Grid(5, 5)}, r"2\^25 = 33,554,432 .*permutation"),
        ({"regions": LabelMap(blobs((40, 40), 3))}, "40 x 40"),
        ({"regions": Grid(1, 33), "estimator": "permutation", "budget": 66}, "more rows or columns"),
    ],
)
def test_unusable_options(model: DualEncoder, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        explain(model, STIMULUS, **{"regions": GRID, **options})
    assert "\n" not in str(caught.value)


def test_pairs_of_different_images_are_refused(model: DualEncoder) -> None:
    for first, second in (("a.png", "b.png"), (IMAGE, photograph(seed=1)), (IMAGE, "a.png")):
        with pytest.raises(InputError, match="one image"):
            explain_pairs(model, [Stimulus(first, CAPTION), Stimulus(second, CAPTION)], GRID)
    with pytest.raises(InputError, match="no pairs"):
        explain_pairs(model, [], GRID)
    with pytest.raises(InputError, match="exact"):
        explain_pairs(model, [STIMULUS], GRID, "permutation", budget=32, keep_vectors=True)


def test_rows_of_the_game_are_its_table(model: DualEncoder, attribution: Attribution) -> None:
    np.testing.assert_allclose(
        model.game(STIMULUS, GRID)(all_rows(6)), attribution.coalition_values, rtol=0, atol=5e-5
    )
