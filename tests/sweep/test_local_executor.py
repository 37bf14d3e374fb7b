"""The local devices as an executor: the same bits on each, prepared ahead, compiled once, whatever fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import pytest

from hlx.errors import ModelError
from hlx.games.regions import Grid
from hlx.sweep.plan.jobs import ImageGroup, PlannedModel, PlannedStimulus
from hlx.sweep.results.job_results import content_hash_of
from hlx.sweep.run import local_executor
from hlx.sweep.run.computing import compute
from hlx.sweep.run.executor import Done
from hlx.sweep.run.local_executor import LocalExecutor
from hlx.sweep.run.preparing import Preparer, devices_of
from tests.support.image_groups import group_of, planned_image, planned_model, scene_images, spec
from tests.support.job_results import SmallPlan, SmallSweep
from tests.support.waiting import PATIENCE

ASKED = [
    PlannedStimulus("a", "there is a red circle", "there is a blue square"),
    PlannedStimulus("b", "a square", None),
]
GRIDS = (Grid(2, 2), Grid(2, 3))


OWN = """
import numpy as np

def score(images, texts):
    return np.stack([images.mean(axis=(1, 2, 3)) * len(text) for text in texts], axis=1).astype(np.float32)
"""


@pytest.fixture(scope="module")
def clip() -> PlannedModel:
    return planned_model("clip-scenes", "clip")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[PlannedModel]:
    """Two that need no compiling."""
    folder = tmp_path_factory.mktemp("functions")
    made = []
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text(OWN)
        made.append(planned_model(f"{folder / name}.py:score", name))
    return made


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [Path(str(one.image)) for one in scene_images(tmp_path_factory.mktemp("scenes"), 4)]


def plan_of(
    models: Sequence[PlannedModel], images: Sequence[Path], grids: Sequence[Grid] = GRIDS
) -> SmallPlan:
    groups = [
        replace(group_of(model, planned_image(image), ASKED, [spec("exact", None)], grid), model=number)
        for number, model in enumerate(models)
        for image in images
        for grid in grids
    ]
    return SmallPlan(SmallSweep(Path("nowhere")), tuple(models), tuple(groups))


def computed(
    plan: SmallPlan,
    device: str | None = "cpu:0",
    groups: Sequence[ImageGroup] | None = None,
    tell: Callable[[Done], object] = lambda done: None,
) -> list[Done]:
    executor = LocalExecutor(plan, device)  # type: ignore[arg-type]
    try:
        for group in plan.groups if groups is None else groups:
            executor.submit(group)
        found = []
        while len(found) < len(plan.groups if groups is None else groups):
            done = executor.next(PATIENCE)
            assert done is not None, "nothing is heard of an image group"
            found.append(done)
            tell(done)
        assert executor.next(0.0) is None and executor.stop() == 0
    finally:
        executor.close()
    assert not [each.name for each in threading.enumerate() if each.name.startswith(("prepare", "compute"))]
    return found


def hashes(found: Sequence[Done]) -> dict[str, str]:
    assert all(not done.failures for done in found)
    return {done.group.id: content_hash_of(result.content() for result in done.results) for done in found}


def test_two_devices_find_the_same_bits_as_one(clip: PlannedModel, images: list[Path]) -> None:
    plan = plan_of([clip], images[:2], GRIDS[:1])
    assert len(devices_of(clip)) == 2
    one, both = computed(plan), computed(plan, None)
    assert hashes(one) == hashes(both) and len(hashes(one)) == 2
    assert [done.group.id for done in one] == [group.id for group in plan.groups]
    assert all(done.seconds > 0 and done.waited >= 0 for done in one)


def test_a_model_compiles_once_for_each_shape(clip: PlannedModel, images: list[Path]) -> None:
    compiled: list[str] = []

    def listen(event: str, seconds: float, **more: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(str(more.get("fun_name", "")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    plan = plan_of([clip], images[:3])
    after = []
    computed(plan, tell=lambda _: after.append(len(compiled)))
    # While the last shape of the first image is computed the second image is being prepared.
    assert after[len(GRIDS) - 1] == after[-1] == len(compiled)
    assert compiled.count("jit(call)") == len(GRIDS), compiled


def test_what_cannot_be_loaded_read_or_computed_fails_alone(
    models: list[PlannedModel], images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = replace(models[1], name=str(tmp_path / "nowhere.py:score"), label="missing")
    gone = tmp_path / "gone.png"
    gone.write_bytes(images[0].read_bytes()[:-1] + b"?")
    plan = plan_of([missing, models[0]], [images[0], gone, images[1], images[2]])
    gone.write_bytes(b"no image")
    loads: list[str] = []
    load = local_executor.load_planned

    def counting(model: PlannedModel, devices: Any) -> Any:
        loads.append(model.label)
        return load(model, devices)

    def failing(loaded: Any, model: PlannedModel, group: ImageGroup, prepared: Any) -> Any:
        if group.image.path == images[1]:
            raise MemoryError("no room\nat all")
        if group.image.path == images[2]:
            raise SystemExit
        return compute(loaded, model, group, prepared)

    monkeypatch.setattr(local_executor, "load_planned", counting)
    monkeypatch.setattr(local_executor, "compute", failing)
    reasons: dict[tuple[int, str], set[str]] = {}
    for done in computed(plan):
        told = [failure.reason for failure in done.failures] or [""]
        reasons.setdefault((done.group.model, done.group.image.path.name), set()).update(told)
        jobs = {job for failure in done.failures for job in failure.jobs}
        assert jobs | {result.job for result in done.results} == {job.id for job in done.group.jobs}
    assert loads == ["missing", "one"]
    assert all("nowhere" in reason for (model, _), told in reasons.items() if model == 0 for reason in told)
    assert reasons[1, images[0].name] == {""} and "changed since" in reasons[1, "gone.png"].pop()
    assert reasons[1, images[1].name] == {"MemoryError: no room at all"}
    assert reasons[1, images[2].name] == {"SystemExit"}


def refused_while_computing(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> list[Any]:
    """What `place.name` was asked for, and had no memory for, while something was computed."""
    make, computing, told, refused = getattr(place, name), threading.Event(), threading.Event(), list[Any]()

    def full(*what: Any) -> Any:
        if computing.is_set():
            refused.append(what)
            told.set()
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return make(*what)

    def slow(*what: Any) -> Any:
        computing.set()
        told.wait(0.5)
        results = compute(*what)
        computing.clear()
        return results

    monkeypatch.setattr(place, name, full)
    monkeypatch.setattr(local_executor, "compute", slow)
    return refused


def test_a_model_that_does_not_fit_beside_the_last_is_loaded_after_it(
    models: list[PlannedModel], images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = refused_while_computing(monkeypatch, local_executor, "load_planned")
    plan = plan_of(models, images[:1])
    found = computed(plan, groups=[plan.groups[0], plan.groups[-1]])
    assert len(hashes(found)) == 2 and [model.label for model, _ in refused] == ["two"]


def test_an_image_that_does_not_fit_beside_others_is_prepared_after_them(
    models: list[PlannedModel], images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = refused_while_computing(monkeypatch, local_executor.Preparer, "prepare")
    found = computed(plan_of(models[:1], images[:2]))
    assert refused and len(hashes(found)) == len(found)


def test_a_model_that_waits_for_room_does_not_keep_an_executor_from_stopping(
    models: list[PlannedModel], images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    computing, refused, go_on = threading.Event(), threading.Event(), threading.Event()
    load = local_executor.load_planned

    def full(model: PlannedModel, devices: Any) -> Any:
        if model.label == "two":
            refused.set()
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return load(model, devices)

    def slow(*what: Any) -> Any:
        computing.set()
        go_on.wait(PATIENCE)
        return compute(*what)

    monkeypatch.setattr(local_executor, "load_planned", full)
    monkeypatch.setattr(local_executor, "compute", slow)
    monkeypatch.setattr(local_executor, "AHEAD", 4)
    plan = plan_of(models, images[:2])
    executor = local_executor.LocalExecutor(plan, "cpu")
    for worker in executor._workers:
        worker._ahead = 4  # as after groups that were short
    first = [group for group in plan.groups if group.model == 0][:3]
    for group in (*first, plan.groups[-1]):
        executor.submit(group)
    assert computing.wait(PATIENCE) and refused.wait(PATIENCE)
    assert executor.stop() >= 1
    closing = threading.Thread(target=executor.close, daemon=True)
    closing.start()
    go_on.set()
    closing.join(PATIENCE)
    assert not closing.is_alive()


def test_images_are_prepared_while_the_device_computes(
    models: list[PlannedModel], images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(models[:1], images[:2])
    prepared = {group.id: threading.Event() for group in plan.groups}
    following = dict(pairwise(prepared))
    prepare = Preparer.prepare

    def noted(*what: Any) -> Any:
        found = prepare(*what)
        prepared[what[-1].id].set()
        return found

    def waiting(loaded: Any, model: PlannedModel, group: ImageGroup, ready: Any) -> Any:
        if group.id in following:
            assert prepared[following[group.id]].wait(PATIENCE), "the next image waits for the device"
        return compute(loaded, model, group, ready)

    monkeypatch.setattr(local_executor.Preparer, "prepare", noted)
    monkeypatch.setattr(local_executor, "compute", waiting)
    assert len(hashes(computed(plan))) == len(plan.groups)


@pytest.mark.parametrize(
    ("free", "since", "loading", "waited"),
    [
        (10.0, 5.0, None, 4.0),
        (10.0, 12.0, None, 2.0),
        (10.0, 5.0, (11.0, 13.0), 2.0),
        (10.0, 5.0, (8.0, 11.0), 3.0),
        (10.0, 5.0, (8.0, 9.0), 4.0),
        (14.0, 5.0, None, 0.0),
    ],
)
def test_a_device_waits_while_it_is_free_and_no_model_is_loaded(
    models: list[PlannedModel],
    images: list[Path],
    free: float,
    since: float,
    loading: tuple[float, float] | None,
    waited: float,
) -> None:
    submitted = local_executor._Submitted(plan_of(models[:1], images[:1]).groups[0], since)
    assert local_executor._waited(free, 14.0, local_executor._Ready(submitted, loading)) == waited


def test_stopping_finishes_only_what_was_begun(
    models: list[PlannedModel], images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()

    def held(*what: Any) -> Any:
        begun.set()
        assert go.wait(PATIENCE)
        return compute(*what)

    monkeypatch.setattr(local_executor, "compute", held)
    plan = plan_of(models[:1], images)
    executor = LocalExecutor(plan, "cpu:0")  # type: ignore[arg-type]
    assert executor.capacity < len(plan.groups) * 3
    for group in plan.groups:
        executor.submit(group)
    assert begun.wait(PATIENCE) and executor.next(0.0) is None
    assert executor.stop() == 1
    go.set()
    done = executor.next(PATIENCE)
    assert done is not None and done.group is plan.groups[0] and done.results
    assert executor.stop() == 0 and executor.next(0.1) is None
    executor.close()


def test_devices(clip: PlannedModel) -> None:
    jax_model, torch_model = clip, replace(clip, engine="torch")
    function = replace(clip, engine="function")
    here = [[device] for device in jax.local_devices()]
    assert devices_of(jax_model) == devices_of(jax_model, "auto") == devices_of(jax_model, "cpu") == here
    assert devices_of(jax_model, "cpu:1") == here[1:] == devices_of(replace(jax_model, device="cpu:1"))
    assert devices_of(replace(jax_model, device="cpu:1"), "cpu:0") == here[:1]
    assert devices_of(function, "cpu") == [None]
    for wrong in ("tpu", "cpu:9", "cpu:x", "nonsense"):
        with pytest.raises(
            ModelError, match=f"device '{wrong}' is not here for JAX; there are: cpu:0, cpu:1"
        ):
            devices_of(jax_model, wrong)
    pytest.importorskip("torch")
    assert devices_of(torch_model, "cpu") == ["cpu"]
    with pytest.raises(ModelError, match="run on cpu, cuda or cuda:N"):
        devices_of(torch_model, "tpu")
