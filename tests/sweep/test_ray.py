"""Ray's actors as an executor: the same bits as here, the dead replaced, few groups in hand."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import pytest

from hlx.errors import HlxError, InputError, ModelError
from hlx.games.regions import Grid
from hlx.sweep.plan.jobs import ImageGroup, PlannedModel, PlannedStimulus
from hlx.sweep.run import ray_cluster
from hlx.sweep.run.computing import compute
from hlx.sweep.run.executor import Done
from hlx.sweep.run.preparing import Preparer, load_planned
from hlx.sweep.run.ray_cluster import connect
from hlx.sweep.run.ray_executor import RayExecutor
from hlx.sweep.run.ray_slots import Slot, slots
from tests.support.image_groups import group_of, planned_image, planned_model, scene_images, spec
from tests.support.waiting import PATIENCE

ray = pytest.importorskip("ray")

CAPTIONS = [
    PlannedStimulus("a", "there is a red circle", "there is a blue square", "existence"),
    PlannedStimulus("b", "there is a green triangle", None),
]
SLOW = """
import os, pathlib, time
import numpy as np

HERE = pathlib.Path(__file__).parent

def score(images, texts):
    for text in texts:
        if text.startswith("note"):
            (HERE / f"{time.time_ns()}.pid").write_text(str(os.getpid()))
            time.sleep(0.5)
        if text.startswith("kill"):
            (HERE / f"{time.time_ns()}.killed").touch()
            os.kill(os.getpid(), 9)
        if text.startswith("raise"):
            raise KeyError("no such text")
    return np.stack([images.mean(axis=(1, 2, 3)) + len(text) for text in texts], axis=1)
"""


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Ray, started as RayExecutor starts it, with two CPUs whatever there are."""
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray, "init", partial(ray.init, num_cpus=2))
        assert connect("local")
    assert signal.getsignal(signal.SIGTERM) is handler
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [Path(str(one.image)) for one in scene_images(tmp_path_factory.mktemp("scenes"), 3)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[PlannedModel]:
    """A function that is slow, kills or fails when it is told to; and the same, planned as another."""
    path = tmp_path_factory.mktemp("models") / "slow.py"
    path.write_text(SLOW)
    slow = planned_model(f"{path}:score", "slow")
    return [slow, replace(slow, label="other", fingerprint="0" * 64)]


@pytest.fixture(scope="module")
def executor(cluster: None, models: list[PlannedModel]) -> Iterator[RayExecutor]:
    """One worker."""
    with closing(RayExecutor(models, "local", actors=1)) as executor:
        yield executor


@pytest.fixture
def notes(models: list[PlannedModel]) -> Path:
    """The folder where the slow function writes down what it does."""
    folder = Path(models[0].name).parent
    for path in (*folder.glob("*.pid"), *folder.glob("*.killed")):
        path.unlink()
    return folder


def asked_of(models: list[PlannedModel], image: Path, text: str, model: int = 0) -> ImageGroup:
    stimuli, specs = [PlannedStimulus("x", text, None)], [spec("exact", None)]
    return replace(group_of(models[model], planned_image(image), stimuli, specs, Grid(1, 2)), model=model)


def run(executor: RayExecutor, groups: Sequence[ImageGroup]) -> dict[str, Done]:
    """What a sweep's run does."""
    left, done, submitted = list(groups), dict[str, Done](), 0
    end = time.monotonic() + PATIENCE
    while len(done) < len(groups):
        while left and submitted - len(done) < executor.capacity:
            executor.submit(left.pop(0))
            submitted += 1
        found = executor.next(0.2)
        if found is not None:
            assert found.group.id not in done
            done[found.group.id] = found
        assert time.monotonic() < end
    return done


def until_noted(executor: RayExecutor, notes: Path) -> Path:
    """The first note, while nothing is done yet."""
    end = time.monotonic() + PATIENCE
    while not (found := sorted(notes.glob("*.pid"))):
        assert executor.next(0.1) is None and time.monotonic() < end
    return found[0]


def contents(done: dict[str, Done]) -> dict[str, bytes]:
    return {result.job: result.content() for one in done.values() for result in one.results}


def test_results_are_those_of_this_process_bit_for_bit(images: list[Path], tmp_path: Path) -> None:
    model = planned_model()
    specs = [spec("exact", None), spec("leverage", 60)]
    groups = [
        group_of(model, planned_image(image), CAPTIONS, specs, grid, keep_tables=True)
        for image in images
        for grid in (Grid(2, 3),)
    ]
    loaded, preparer = load_planned(model, [jax.local_devices()[0]]), Preparer()
    here = {}
    for group in groups:
        results, failures = compute(loaded, model, group, preparer.prepare(loaded, model, group))
        assert failures == []
        here |= {result.job: result.content() for result in results}
    missing = replace(groups[0], image=replace(groups[0].image, path=tmp_path / "gone.png"))
    changed = replace(groups[0], image=replace(groups[0].image, sha256="0" * 64))
    with closing(RayExecutor([model], "local", actors=2)) as executor:
        assert executor.capacity == 4
        done = run(executor, groups)
        [one], [other] = run(executor, [missing]).values(), run(executor, [changed]).values()
    assert ray.is_initialized()
    assert [failure for each in done.values() for failure in each.failures] == []
    assert contents(done) == here
    assert all(each.seconds > 0 and each.waited >= 0 for each in done.values())
    assert str(tmp_path / "gone.png") in one.failures[0].reason
    assert other.failures[0].reason == f"{images[0]}: has changed since the sweep was planned"


def test_a_worker_that_is_killed_is_replaced_and_its_groups_are_done(
    executor: RayExecutor, models: list[PlannedModel], images: list[Path], notes: Path
) -> None:
    groups = [asked_of(models, image, "note this") for image in images[:2]]
    for group in groups:
        executor.submit(group)
    first = until_noted(executor, notes)
    worker = int(first.read_text())
    os.kill(worker, signal.SIGINT)
    time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    done: list[Done] = []
    while len(done) < 2 and time.monotonic() < end:
        done += [found] if (found := executor.next(0.2)) is not None else []
    assert {one.group.id for one in done} == {group.id for group in groups}
    assert [one.failures for one in done] == [[], []]
    later = [int(path.read_text()) for path in notes.glob("*.pid") if path != first]
    assert later and worker not in later


def test_ctrl_c_leaves_workers_alone(
    executor: RayExecutor, models: list[PlannedModel], images: list[Path], notes: Path
) -> None:
    executor.submit(asked_of(models, images[0], "note that"))
    worker = int(until_noted(executor, notes).read_text())
    os.kill(worker, signal.SIGINT)
    done = executor.next(PATIENCE)
    assert done is not None and done.failures == []
    assert {int(path.read_text()) for path in notes.glob("*.pid")} == {worker}


def test_a_model_that_is_another_one_on_the_workers_is_refused(
    executor: RayExecutor, models: list[PlannedModel], images: list[Path]
) -> None:
    done = run(executor, [asked_of(models, image, "text", model=1) for image in images])
    for one in done.values():
        [failure] = one.failures
        assert failure.reason.startswith(f"{models[1].name}: has the fingerprint ")


def test_stopping_leaves_what_workers_have(
    executor: RayExecutor, models: list[PlannedModel], images: list[Path], notes: Path
) -> None:
    groups = [asked_of(models, images[0], f"note {i}") for i in range(executor.capacity + 3)]
    for group in groups:
        executor.submit(group)
    until_noted(executor, notes)
    left = executor.stop()
    assert left == executor.capacity < len(groups)
    assert all(executor.next(PATIENCE) is not None for _ in range(left))
    assert executor.next(0.5) is None


def test_a_group_that_kills_every_worker_fails_alone(
    executor: RayExecutor, models: list[PlannedModel], images: list[Path], notes: Path
) -> None:
    texts = ["one", "two", "kill", "raise"]
    groups = [asked_of(models, images[0], text) for text in texts]
    done = run(executor, groups)
    failures = {text: done[group.id].failures for text, group in zip(texts, groups, strict=True)}
    assert failures["one"] == failures["two"] == []
    assert "KeyError: 'no such text'" in failures["raise"][0].reason
    [failure] = failures["kill"]
    assert failure.jobs == tuple(job.id for job in groups[2].jobs)
    assert (
        failure.reason.startswith("3 workers died of it: Worker unexpectedly exits")
        and "\n" not in failure.reason
    )
    assert len(list(notes.glob("*.killed"))) == 3


def node(name: str, alive: bool = True, **resources: float) -> dict[str, object]:
    return {"NodeID": name, "NodeManagerHostname": f"host-{name}", "Alive": alive, "Resources": resources}


def test_every_device_makes_one_slot() -> None:
    gpus = [
        node("a", CPU=8.0, GPU=4.0),
        node("b", CPU=64.0),
        node("c", GPU=2.0, CPU=8.0),
        node("d", False, GPU=8.0),
    ]
    assert [(slot.gpus, slot.node) for slot in slots(gpus)] == [(1, None)] * 6
    assert len(slots(gpus, 3)) == 3
    assert [(slot.cpus, slot.node) for slot in slots(gpus, cpu=True)] == [(64, "b"), (8, "a"), (8, "c")]
    assert [slot.tpus for slot in slots([node("a", CPU=96.0, TPU=4.0)] * 2)] == [1] * 8
    cpus = [node("a", CPU=4.0), node("b", CPU=16.0), node("c", CPU=0.0)]
    assert slots(cpus) == [Slot(16, node="b", host="host-b"), Slot(4, node="a", host="host-a")]
    assert [(slot.cpus, slot.node) for slot in slots(cpus, 4)] == [(5, "b")] * 3 + [(4, "a")]
    assert [slot.node for slot in slots(cpus, 1)] == ["b"]
    for wrong in (0, 21):
        with pytest.raises(InputError, match=f"ray_actors {wrong}"):
            slots(cpus, wrong)
    with pytest.raises(InputError, match="no GPUs, TPUs or CPUs"):
        slots([node("a", CPU=0.0), node("b", False, CPU=2.0)])


def test_a_cluster_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray_cluster, "SECONDS_TO_ANSWER", 2.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://localhost:{port}"):
            with pytest.raises(
                ModelError, match=f"^ray {address}: no Ray cluster can be reached: "
            ) as raised:
                RayExecutor([], address)
            assert "\n" not in str(raised.value)
        silent.listen()
        with pytest.raises(ModelError, match="does not answer as a Ray cluster does"):
            RayExecutor([], f"127.0.0.1:{port}")
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    with pytest.raises(ModelError, match="no Ray cluster can be reached"):
        RayExecutor([], "auto")
    for wrong in ("head", "head:", ":6379", "http://head:6379", "head:port"):
        with pytest.raises(InputError, match="expected local, auto, HOST:PORT or ray://HOST:PORT"):
            connect(wrong)


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(HlxError, match=r"pip install 'hlx\[ray\]'"):
        RayExecutor([], "local")
