"""Image groups of sweeps: the numbers of `hlx.explain`, the same bits in any company, failures told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hlx.attribution.explain import explain
from hlx.errors import InputError, ModelError
from hlx.games.regions import Grid, LabelMap
from hlx.io.images import content_hash, read_image
from hlx.models.loading.load import Loaded
from hlx.sweep.plan.jobs import ImageGroup, PlannedModel, PlannedRegions, PlannedStimulus
from hlx.sweep.results.job_results import JobResult, content_hash_of
from hlx.sweep.run import computing, preparing
from hlx.sweep.run.computing import compute
from hlx.sweep.run.preparing import Preparer, load_planned
from tests.support.image_groups import group_of, planned_image, planned_model, scene_images, spec

CAPTIONS = [
    PlannedStimulus("a", "there is a red circle", "there is a blue square", "existence"),
    PlannedStimulus("b", "there is a green triangle", None),
    PlannedStimulus("c", "there are two circles", "there are three circles"),
]
REQUESTS = [
    spec("exact", None),
    spec("leverage", 60),
    spec("partition", 60),
    spec("leverage", 60, 1),
]
FAILING = """
import numpy as np

def score(images, texts):
    found = np.stack([images.mean(axis=(1, 2, 3)) + len(text) for text in texts], axis=1).astype(np.float32)
    found[:, [("triangle" in text) for text in texts]] = np.nan
    return found
"""


@pytest.fixture(scope="module")
def model() -> PlannedModel:
    return planned_model()


@pytest.fixture(scope="module")
def loaded(model: PlannedModel) -> Loaded:
    return load_planned(model)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [Path(str(one.image)) for one in scene_images(tmp_path_factory.mktemp("scenes"), 3)]


def computed(
    loaded: Loaded, model: PlannedModel, group: ImageGroup, preparer: Preparer | None = None
) -> list[JobResult]:
    preparer = preparer or Preparer()
    results, failures = compute(loaded, model, group, preparer.prepare(loaded, model, group))
    assert failures == []
    return results


def test_the_numbers_are_those_of_explain(model: PlannedModel, loaded: Loaded, images: list[Path]) -> None:
    group = group_of(model, planned_image(images[0]), CAPTIONS, REQUESTS, keep_tables=True)
    results = {result.job: result for result in computed(loaded, model, group)}
    assert len(results) == len(CAPTIONS) * len(REQUESTS)
    from hlx.games.stimuli import Stimulus

    for job in group.jobs:
        one, asked = job.stimulus, job.spec
        alone = explain(
            loaded,
            Stimulus(images[0], one.caption, one.foil),
            Grid(3, 3),
            asked.estimator,
            budget=asked.budget,
            seed=asked.seed,
        )
        found = results[job.id]
        np.testing.assert_allclose(found.values, alone.values, atol=2e-4)
        assert found.record["grand_coalition_value"] == pytest.approx(alone.grand_coalition_value, abs=1e-4)
        assert found.record["baseline_value"] == pytest.approx(alone.baseline_value, abs=1e-4)
        assert found.record["n_evaluations"] == alone.n_evaluations
        assert found.record["image_hash"] == content_hash(read_image(images[0]))
        assert found.record["identity"]["caption"] == one.caption
        [caption] = loaded.scores([images[0]], [one.caption])[0]
        assert found.record["score_caption"] == pytest.approx(float(caption), abs=2e-3)
        assert (found.standard_error is None) == (alone.standard_error is None)
        assert (found.coalition_values is None) == (asked.estimator.name != "exact")
        if found.coalition_values is not None:
            np.testing.assert_allclose(found.coalition_values, alone.coalition_values, atol=1e-4)
        assert set(found.spent) == {"seconds", "host", "finished"} and found.spent["seconds"] > 0


def test_the_same_bits_after_other_groups_and_by_another_process_of_work(
    model: PlannedModel, loaded: Loaded, images: list[Path]
) -> None:
    groups = [group_of(model, planned_image(image), CAPTIONS, REQUESTS) for image in images]
    shared = Preparer()
    forwards = [content_hash_of(r.content() for r in computed(loaded, model, i, shared)) for i in groups]
    again = load_planned(model)
    backwards = [content_hash_of(r.content() for r in computed(again, model, i)) for i in reversed(groups)]
    assert forwards == backwards[::-1] and len(set(forwards)) == len(groups)


def test_seconds_and_hosts_are_no_content_and_all_else_is(
    model: PlannedModel, loaded: Loaded, images: list[Path]
) -> None:
    group = group_of(model, planned_image(images[0]), CAPTIONS[:1], [spec("leverage", 60)])
    [result] = computed(loaded, model, group)
    assert replace(result, spent={"seconds": 9.0}).content() == result.content()
    assert result.standard_error is not None
    for other in (
        replace(result, values=result.values + 1e-12),
        replace(result, standard_error=None),
        replace(result, job="0" * 64),
        replace(result, record={**result.record, "batch_size": 1}),
        replace(result, coalition_values=np.zeros(2, np.float32)),
    ):
        assert other.content() != result.content()


def test_stimuli_alike_share_a_result(model: PlannedModel, loaded: Loaded, images: list[Path]) -> None:
    twice = [CAPTIONS[0], replace(CAPTIONS[0], id="another", phenomenon=None)]
    group = group_of(model, planned_image(images[0]), twice, [spec()])
    assert len(group.jobs) == 2 and len({job.id for job in group.jobs}) == 1
    assert len(computed(loaded, model, group)) == 1


def test_only_what_cannot_be_computed_fails(tmp_path: Path, images: list[Path]) -> None:
    source = tmp_path / "failing.py"
    source.write_text(FAILING)
    model = planned_model(f"{source}:score", "own")
    loaded, group = (
        load_planned(model),
        group_of(model, planned_image(images[0]), CAPTIONS, REQUESTS, Grid(2, 2)),
    )
    results, failures = compute(loaded, model, group, Preparer().prepare(loaded, model, group))
    bad = {job.id for job in group.jobs if job.stimulus.id == "b"}
    assert {job for failure in failures for job in failure.jobs} == bad
    assert {result.job for result in results} == {job.id for job in group.jobs} - bad
    assert all("NaN or infinite" in failure.reason and "\n" not in failure.reason for failure in failures)


def test_an_error_of_any_kind_fails_only_what_it_concerns(
    model: PlannedModel, loaded: Loaded, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = group_of(model, planned_image(images[0]), CAPTIONS, [spec("leverage", 20), spec("kernel", 20)])
    prepared = Preparer().prepare(loaded, model, group)
    raised: Exception = np.linalg.LinAlgError("singular")
    planned = computing._planned

    def failing(estimator: Any, *rest: Any) -> Any:
        if estimator.name == "kernel":
            raise raised
        return planned(estimator, *rest)

    monkeypatch.setattr(computing, "_planned", failing)
    results, failures = compute(loaded, model, group, prepared)
    good = {job.id for job in group.jobs if job.spec.estimator.name == "leverage"}
    assert {result.job for result in results} == good
    assert {failure.reason for failure in failures} == {"LinAlgError: singular"}
    # Smaller parts would not help against these.
    raised = MemoryError()
    with pytest.raises(MemoryError):
        compute(loaded, model, group, prepared)


def test_images_and_weights_that_changed_since_the_plan(
    tmp_path: Path, model: PlannedModel, loaded: Loaded, images: list[Path]
) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(images[0].read_bytes())
    group = group_of(model, planned_image(path), CAPTIONS[:1], [spec()])
    computed(loaded, model, group)
    path.write_bytes(images[1].read_bytes())
    with pytest.raises(InputError, match="has changed since the sweep was planned"):
        Preparer().prepare(loaded, model, group)
    with pytest.raises(ModelError, match="the sweep was planned with 000000000000"):
        load_planned(replace(model, fingerprint="0" * 64))


def test_plans_keep_no_label_maps(
    tmp_path: Path, model: PlannedModel, loaded: Loaded, images: list[Path]
) -> None:
    """They are as many as images: what is kept for the next image must not hold them."""
    computing._kept_plan.cache_clear()
    for number, image in enumerate(images):
        pixels = np.arange(64).reshape(8, 8).repeat(8, axis=0).repeat(8, axis=1) // (7 + number)
        np.save(tmp_path / f"{number}.npy", pixels)
        labels = LabelMap.read(tmp_path / f"{number}.npy")
        regions = PlannedRegions(
            "map", labels.n_players, labels=tmp_path / f"{number}.npy", sha256=labels.sha256
        )
        asked = [spec("permutation", 60), spec("partition", 60)]
        computed(
            loaded, model, replace(group_of(model, planned_image(image), CAPTIONS, asked), regions=regions)
        )
    kept = computing._kept_plan.cache_info().currsize
    assert kept == len({len(range(0, 64, 7 + number)) for number in range(len(images))})


def test_the_pixels_are_of_the_bytes_that_were_checked(
    tmp_path: Path, model: PlannedModel, loaded: Loaded, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.png"
    path.write_bytes(images[0].read_bytes())
    group = group_of(model, planned_image(path), CAPTIONS, [spec("leverage", 20)])
    decode = preparing.read_image_bytes

    def replaced(content: bytes, name: Path) -> np.ndarray:
        name.write_bytes(images[1].read_bytes())
        return decode(content, name)

    monkeypatch.setattr(preparing, "read_image_bytes", replaced)
    prepared = Preparer().prepare(loaded, model, group)
    assert prepared.image_hash == content_hash(read_image(images[0]))


def test_label_maps_are_read_when_needed_and_must_be_the_planned_ones(
    tmp_path: Path, model: PlannedModel, loaded: Loaded, images: list[Path]
) -> None:
    size = Image.open(images[0]).size
    labels = np.arange(size[1])[:, None] * 4 // size[1] + np.zeros(size[0], int)
    path = tmp_path / "labels.npy"
    np.save(path, labels)
    own = LabelMap(labels)
    group = group_of(model, planned_image(images[0]), CAPTIONS[:1], [spec("exact", None)])
    group = replace(group, regions=PlannedRegions("rows", 4, None, path, own.sha256))
    [result] = computed(loaded, model, group)
    assert result.values.shape == (4,)
    np.save(path, labels[::-1])
    with pytest.raises(InputError, match="has changed since the sweep was planned"):
        Preparer().prepare(loaded, model, group)
