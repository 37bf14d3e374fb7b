"""Scenes keep their promises, and the embedded models are ordinary checkpoints that know what is in them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlx.assets
from hlx.attribution.score import accuracy, score_stimuli
from hlx.errors import InputError
from hlx.games.scenes import (
    HELD_OUT_SEED,
    PHENOMENA,
    SIDE,
    STATEMENTS,
    TRAINING_SEEDS,
    Scene,
    SceneObject,
    iterate_stimuli,
    make_scene,
    make_stimuli,
    truths,
)
from hlx.games.scenes.drawing import PAINT
from hlx.games.stimuli import Stimulus
from hlx.models import load_model
from hlx.models.loading import hub

ASSETS = Path(hlx.assets.__file__).parent
EMBEDDED = tuple(hub.EMBEDDED)
FRAMES = {"clip-scenes": 2, "siglip-scenes": 1, "flava-scenes": 2, "lxmert-scenes": 2}
"""Tokens around the words of a text: start and end, or the end alone."""
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4}
seeds = st.integers(0, 2**31 - 1)


def named(objects: tuple[SceneObject, ...], name: str) -> list[SceneObject]:
    """Objects that a noun phrase such as "large red circle", "circles" or "red objects" names."""
    words = {"crosses": "cross", "objects": "object"}
    parts = [words.get(w, w if w == "cross" else w.removesuffix("s")) for w in name.split()]
    return [o for o in objects if all(p in ("object", o.shape, o.colour) for p in parts)]


def holds(objects: tuple[SceneObject, ...], text: str) -> bool:
    """Read a statement and look at the objects: apart from the generator, so that each checks the other."""
    if match := re.fullmatch(r"there is (a|no) (.+)", text):
        return bool(named(objects, match[2])) == (match[1] == "a")
    if match := re.fullmatch(r"there (?:is|are) exactly (\w+) (.+)", text):
        return len(named(objects, match[2])) == NUMBERS[match[1]]
    if match := re.fullmatch(r"the (.+) is (left of|right of|above|below) the (.+)", text):
        axis = "column" if "of" in match[2] else "row"
        sign = 1 if match[2] in ("right of", "below") else -1
        gaps = [
            sign * (getattr(a, axis) - getattr(b, axis))
            for a in named(objects, match[1])
            for b in named(objects, match[3])
        ]
        return any(gap >= 8 for gap in gaps)
    match = re.fullmatch(r"the (.+) is (\w+)", text)
    assert match, text
    return any(match[2] in (o.colour, o.size) for o in named(objects, match[1]))


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_same_seed_same_stimuli(seed: int) -> None:
    for a, b in zip(make_stimuli(6, seed), make_stimuli(6, seed), strict=True):
        assert np.array_equal(a.image, b.image)
        assert (a.caption, a.foil, a.phenomenon) == (b.caption, b.foil, b.phenomenon)
        assert np.array_equal(a.target, b.target)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_more_stimuli_begin_with_the_same(seed: int) -> None:
    few, many = make_stimuli(3, seed), make_stimuli(7, seed)
    assert [s.caption for s in few] == [s.caption for s in many[:3]]
    assert np.array_equal(few[2].image, many[2].image)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_caption_holds_and_foil_does_not(seed: int) -> None:
    for stimulus in make_stimuli(len(PHENOMENA), seed):
        assert holds(stimulus.scene.objects, stimulus.caption), stimulus.caption
        assert not holds(stimulus.scene.objects, stimulus.foil), stimulus.foil


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_truths_agree_with_reading_every_statement(seed: int) -> None:
    objects = make_scene(np.random.default_rng(seed)).objects
    assert truths(objects).tolist() == [holds(objects, text) for text in STATEMENTS]


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_objects_do_not_overlap_and_keep_to_their_cells(seed: int) -> None:
    scene = make_scene(np.random.default_rng(seed))
    assert np.sum([o.mask for o in scene.objects], axis=0).max() == 1
    owners = np.zeros((4, 4), int)
    for o in scene.objects:
        cells = o.mask.reshape(4, 16, 4, 16).any(axis=(1, 3))
        # A large triangle may leave one of its cells empty.
        assert cells.sum() in ((3, 4) if o.size == "large" else (1,))
        owners += cells
    assert owners.max() == 1


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_masks_lie_on_pixels_of_the_colour(seed: int) -> None:
    scene = make_scene(np.random.default_rng(seed))
    for o in scene.objects:
        seen = np.median(scene.image[o.mask], axis=0)
        assert min(PAINT, key=lambda colour: np.abs(seen - PAINT[colour]).sum()) == o.colour


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_target_covers_the_objects_named_and_no_others(seed: int) -> None:
    for stimulus in make_stimuli(len(PHENOMENA), seed):
        text = stimulus.caption
        if text.startswith("there is no"):
            assert stimulus.target is None
            continue
        phrases = re.findall(r"(?:there is a|exactly \w+|the) ((?:\w+ )*?\w+)(?= is |$)", text)
        meant = [o for phrase in phrases for o in named(stimulus.scene.objects, phrase)]
        assert meant, text
        assert np.array_equal(stimulus.target, np.logical_or.reduce([o.mask for o in meant]))


def test_phenomena_come_in_turn_and_negation_goes_both_ways() -> None:
    stimuli = make_stimuli(120, HELD_OUT_SEED)
    assert [s.phenomenon for s in stimuli[:6]] == list(PHENOMENA)
    denials = [s.caption.startswith("there is no") for s in stimuli if s.phenomenon == "negation"]
    assert 0 < sum(denials) < len(denials)


def test_training_and_held_out_scenes_differ() -> None:
    assert HELD_OUT_SEED not in TRAINING_SEEDS
    training = {make_scene(np.random.default_rng(s)).image.tobytes() for s in TRAINING_SEEDS[:200]}
    held_out = {s.image.tobytes() for s in make_stimuli(200, HELD_OUT_SEED)}
    assert len(training) == len(held_out) == 200
    assert not training & held_out


def test_bad_requests_are_refused() -> None:
    with pytest.raises(InputError, match="colour"):
        make_stimuli(1, 0, ("colour",))
    with pytest.raises(InputError, match="-1"):
        make_stimuli(-1, 0)
    with pytest.raises(InputError, match="phenomenon"):
        next(iterate_stimuli(0, ()))


def test_statements_are_distinct() -> None:
    assert len(set(STATEMENTS)) == len(STATEMENTS)
    assert truths(Scene(np.zeros((64, 64, 3), np.uint8), ()).objects).sum() == 24


def test_assets_are_small_and_name_no_place() -> None:
    files = [f for name in EMBEDDED for f in (ASSETS / name).iterdir()]
    assert sum(f.stat().st_size for f in files) < 10e6
    for file in files:
        if file.suffix in (".json", ".txt"):
            assert not re.search(r"/\w+/|name_or_path", file.read_text()), file
    for name in EMBEDDED:
        assert (ASSETS / name / "model.safetensors").is_file()
        assert json.loads((ASSETS / name / "config.json").read_text())["model_type"] == name.split("-")[0]


@pytest.mark.parametrize("name", EMBEDDED)
def test_tokenizer_takes_any_words(name: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(ASSETS / name, local_files_only=True)
    lower, upper = tokenizer(["there is a red circle", "There is a RED circle"])["input_ids"]
    assert lower == upper
    assert len(lower) == 5 + FRAMES[name]
    config = json.loads((ASSETS / name / "config.json").read_text())
    vocabulary = config.get("text_config", config)["vocab_size"]
    end = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
    for text in ("a dog chases zebras!", "éclair 東京 🙂", "there is no purple triangle"):
        ids = tokenizer(text, padding="max_length", truncation=True)["input_ids"]
        assert len(ids) == tokenizer.model_max_length
        assert max(ids) < vocabulary
        assert end in ids
        if name == "siglip-scenes" or (name != "clip-scenes" and text.isascii()):  # CLIP's unknown is its end
            assert tokenizer.unk_token_id not in ids


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_model_knows_what_exists(name: str) -> None:
    if name == "lxmert-scenes":
        pytest.importorskip("torch")
    items = make_stimuli(200, HELD_OUT_SEED + 1, ("existence",))
    stimuli = [Stimulus(item.image, item.caption, item.foil) for item in items]
    model = load_model(name)
    assert model.side == SIDE
    assert accuracy(score_stimuli(model, stimuli)).pooled.share > 0.85
