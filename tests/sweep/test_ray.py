"""Ray's actors as a crew: the same bits as here, the dead replaced, a bounded number of items in hand."""

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
from hlx.regions import Grid
from hlx.sweep.plan.jobs import Asked, Item, PlannedModel
from hlx.sweep.run import ray_cluster
from hlx.sweep.run.computing import compute
from hlx.sweep.run.executor import Done
from hlx.sweep.run.preparing import Preparer, load_planned
from hlx.sweep.run.ray_cluster import connect
from hlx.sweep.run.ray_executor import RayCrew
from hlx.sweep.run.ray_slots import Seat, seats
from tests.support.image_groups import item_of, planned_image, planned_model, request, scene_images
from tests.waiting import PATIENCE

ray = pytest.importorskip("ray")

CAPTIONS = [
    Asked("a", "there is a red circle", "there is a blue square", "existence"),
    Asked("b", "there is a green triangle", None),
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
    """Ray, started as RayCrew starts it, with two CPUs whatever there are."""
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
def crew(cluster: None, models: list[PlannedModel]) -> Iterator[RayCrew]:
    """One worker."""
    with closing(RayCrew(models, "local", actors=1)) as crew:
        yield crew


@pytest.fixture
def notes(models: list[PlannedModel]) -> Path:
    """The folder where the slow function writes down what it does."""
    folder = Path(models[0].name).parent
    for path in (*folder.glob("*.pid"), *folder.glob("*.killed")):
        path.unlink()
    return folder


def asked_of(models: list[PlannedModel], image: Path, text: str, model: int = 0) -> Item:
    stimuli, requests = [Asked("x", text, None)], [request("exact", None)]
    return replace(item_of(models[model], planned_image(image), stimuli, requests, Grid(1, 2)), model=model)


def run(crew: RayCrew, items: Sequence[Item]) -> dict[str, Done]:
    """What a study's run does."""
    left, done, submitted = list(items), dict[str, Done](), 0
    end = time.monotonic() + PATIENCE
    while len(done) < len(items):
        while left and submitted - len(done) < crew.capacity:
            crew.submit(left.pop(0))
            submitted += 1
        found = crew.next(0.2)
        if found is not None:
            assert found.item.id not in done
            done[found.item.id] = found
        assert time.monotonic() < end
    return done


def until_noted(crew: RayCrew, notes: Path) -> Path:
    """The first note, while nothing is done yet."""
    end = time.monotonic() + PATIENCE
    while not (found := sorted(notes.glob("*.pid"))):
        assert crew.next(0.1) is None and time.monotonic() < end
    return found[0]


def contents(done: dict[str, Done]) -> dict[str, bytes]:
    return {result.unit: result.content() for one in done.values() for result in one.results}


def test_results_are_those_of_this_process_bit_for_bit(images: list[Path], tmp_path: Path) -> None:
    model = planned_model()
    requests = [request("exact", None), request("leverage", 60)]
    items = [
        item_of(model, planned_image(image), CAPTIONS, requests, grid, keep_tables=True)
        for image in images
        for grid in (Grid(2, 3),)
    ]
    loaded, preparer = load_planned(model, [jax.local_devices()[0]]), Preparer()
    here = {}
    for item in items:
        results, failures = compute(loaded, model, item, preparer.prepare(loaded, model, item))
        assert failures == []
        here |= {result.unit: result.content() for result in results}
    missing = replace(items[0], image=replace(items[0].image, path=tmp_path / "gone.png"))
    changed = replace(items[0], image=replace(items[0].image, sha256="0" * 64))
    with closing(RayCrew([model], "local", actors=2)) as crew:
        assert crew.capacity == 4
        done = run(crew, items)
        [one], [other] = run(crew, [missing]).values(), run(crew, [changed]).values()
    assert ray.is_initialized()
    assert [failure for each in done.values() for failure in each.failures] == []
    assert contents(done) == here
    assert all(each.seconds > 0 and each.waited >= 0 for each in done.values())
    assert str(tmp_path / "gone.png") in one.failures[0].reason
    assert other.failures[0].reason == f"{images[0]}: has changed since the study was planned"


def test_a_worker_that_is_killed_is_replaced_and_its_items_are_done(
    crew: RayCrew, models: list[PlannedModel], images: list[Path], notes: Path
) -> None:
    items = [asked_of(models, image, "note this") for image in images[:2]]
    for item in items:
        crew.submit(item)
    first = until_noted(crew, notes)
    worker = int(first.read_text())
    os.kill(worker, signal.SIGINT)
    time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    done: list[Done] = []
    while len(done) < 2 and time.monotonic() < end:
        done += [found] if (found := crew.next(0.2)) is not None else []
    assert {one.item.id for one in done} == {item.id for item in items}
    assert [one.failures for one in done] == [[], []]
    later = [int(path.read_text()) for path in notes.glob("*.pid") if path != first]
    assert later and worker not in later


def test_ctrl_c_leaves_workers_alone(
    crew: RayCrew, models: list[PlannedModel], images: list[Path], notes: Path
) -> None:
    crew.submit(asked_of(models, images[0], "note that"))
    worker = int(until_noted(crew, notes).read_text())
    os.kill(worker, signal.SIGINT)
    done = crew.next(PATIENCE)
    assert done is not None and done.failures == []
    assert {int(path.read_text()) for path in notes.glob("*.pid")} == {worker}


def test_a_model_that_is_another_one_on_the_workers_is_refused(
    crew: RayCrew, models: list[PlannedModel], images: list[Path]
) -> None:
    done = run(crew, [asked_of(models, image, "text", model=1) for image in images])
    for one in done.values():
        [failure] = one.failures
        assert failure.reason.startswith(f"{models[1].name}: has the fingerprint ")


def test_stopping_leaves_what_workers_have(
    crew: RayCrew, models: list[PlannedModel], images: list[Path], notes: Path
) -> None:
    items = [asked_of(models, images[0], f"note {i}") for i in range(crew.capacity + 3)]
    for item in items:
        crew.submit(item)
    until_noted(crew, notes)
    left = crew.stop()
    assert left == crew.capacity < len(items)
    assert all(crew.next(PATIENCE) is not None for _ in range(left))
    assert crew.next(0.5) is None


def test_an_item_that_kills_every_worker_fails_alone(
    crew: RayCrew, models: list[PlannedModel], images: list[Path], notes: Path
) -> None:
    texts = ["one", "two", "kill", "raise"]
    items = [asked_of(models, images[0], text) for text in texts]
    done = run(crew, items)
    failures = {text: done[item.id].failures for text, item in zip(texts, items, strict=True)}
    assert failures["one"] == failures["two"] == []
    assert "KeyError: 'no such text'" in failures["raise"][0].reason
    [failure] = failures["kill"]
    assert failure.units == tuple(unit.id for unit in items[2].units)
    assert (
        failure.reason.startswith("3 workers died of it: Worker unexpectedly exits")
        and "\n" not in failure.reason
    )
    assert len(list(notes.glob("*.killed"))) == 3


def node(name: str, alive: bool = True, **resources: float) -> dict[str, object]:
    return {"NodeID": name, "NodeManagerHostname": f"host-{name}", "Alive": alive, "Resources": resources}


def test_every_device_makes_one_seat() -> None:
    gpus = [
        node("a", CPU=8.0, GPU=4.0),
        node("b", CPU=64.0),
        node("c", GPU=2.0, CPU=8.0),
        node("d", False, GPU=8.0),
    ]
    assert [(seat.gpus, seat.node) for seat in seats(gpus)] == [(1, None)] * 6
    assert len(seats(gpus, 3)) == 3
    assert [(seat.cpus, seat.node) for seat in seats(gpus, cpu=True)] == [(64, "b"), (8, "a"), (8, "c")]
    assert [seat.tpus for seat in seats([node("a", CPU=96.0, TPU=4.0)] * 2)] == [1] * 8
    cpus = [node("a", CPU=4.0), node("b", CPU=16.0), node("c", CPU=0.0)]
    assert seats(cpus) == [Seat(16, node="b", host="host-b"), Seat(4, node="a", host="host-a")]
    assert [(seat.cpus, seat.node) for seat in seats(cpus, 4)] == [(5, "b")] * 3 + [(4, "a")]
    assert [seat.node for seat in seats(cpus, 1)] == ["b"]
    for wrong in (0, 21):
        with pytest.raises(InputError, match=f"--ray-actors {wrong}"):
            seats(cpus, wrong)
    with pytest.raises(InputError, match="no GPUs, TPUs or CPUs"):
        seats([node("a", CPU=0.0), node("b", False, CPU=2.0)])


def test_a_cluster_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray_cluster, "SECONDS_TO_ANSWER", 2.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://localhost:{port}"):
            with pytest.raises(
                ModelError, match=f"^--ray {address}: no Ray cluster can be reached: "
            ) as raised:
                RayCrew([], address)
            assert "\n" not in str(raised.value)
        silent.listen()
        start = time.monotonic()
        with pytest.raises(ModelError, match="does not answer as a Ray cluster does"):
            RayCrew([], f"127.0.0.1:{port}")
        assert time.monotonic() - start < 20
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    with pytest.raises(ModelError, match="no Ray cluster can be reached"):
        RayCrew([], "auto")
    for wrong in ("head", "head:", ":6379", "http://head:6379", "head:port"):
        with pytest.raises(InputError, match="expected local, auto, HOST:PORT or ray://HOST:PORT"):
            connect(wrong)


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(HlxError, match=r"pip install 'hlx\[ray\]'"):
        RayCrew([], "local")
