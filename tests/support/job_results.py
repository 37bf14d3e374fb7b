"""Random results of jobs and small plans around them, without a model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from hlx.attribution.estimate import EstimatorSpec
from hlx.estimators import EXACT
from hlx.games.regions import Grid
from hlx.sweep.plan.jobs import (
    ImageGroup,
    Job,
    PlannedImage,
    PlannedModel,
    PlannedRegions,
    PlannedStimulus,
    job_id,
    job_identity,
)
from hlx.sweep.results.job_results import JobResult

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@dataclass(frozen=True)
class SmallSweep:
    """What merging asks of a sweep file."""

    output: Path


@dataclass(frozen=True)
class SmallPlan:
    """What merging asks of a plan."""

    sweep: SmallSweep
    models: tuple[PlannedModel, ...]
    groups: tuple[ImageGroup, ...]

    def jobs(self) -> list[Job]:
        """All jobs, in order."""
        return [job for group in self.groups for job in group.jobs]


def small_plan(
    output: Path, images: int = 3, captions: int = 2, models: int = 2, keep: bool = True
) -> SmallPlan:
    """Jobs of some models, images and captions, on 1x2 regions."""
    planned = tuple(
        PlannedModel(f"model {m}", f"name-{m}", "float32", "jax", _hash("model", m)) for m in range(models)
    )
    spec, regions = EstimatorSpec(EXACT), PlannedRegions("1x2", 2, grid=Grid(1, 2))
    groups = []
    for m, model in enumerate(planned):
        for i in range(images):
            image = PlannedImage(Path(f"{i}.png"), _hash("image", i))
            asked = [PlannedStimulus(f"s{i}-{c}", f"caption {c}", None) for c in range(captions)]
            ids = [job_id(job_identity(model, image, regions, "blur", one, spec, keep)) for one in asked]
            jobs = tuple(Job(name, one, spec) for name, one in zip(ids, asked, strict=True))
            groups.append(ImageGroup(m, image, regions, "blur", keep, jobs))
    return SmallPlan(SmallSweep(output), planned, tuple(groups))


def results_of(
    plan: SmallPlan, host: str = "here", device: str = "1 x cpu", table: int = 4
) -> list[JobResult]:
    """A result for every job, the same whenever it is asked for but for the time."""
    made = []
    for group in plan.groups:
        for job in group.jobs:
            identity = job_identity(
                plan.models[group.model],
                group.image,
                group.regions,
                group.background,
                job.stimulus,
                job.spec,
                group.keep_tables,
            )
            draw = np.random.default_rng(int(job.id[:8], 16))
            made.append(
                JobResult(
                    job=job.id,
                    values=draw.normal(size=2),
                    standard_error=None,
                    coalition_values=draw.random(table, np.float32),
                    record={"identity": identity, "versions": {"device": device}},
                    spent={"seconds": float(np.random.default_rng().random()), "host": host},
                )
            )
    return made


@st.composite
def job_results(draw: st.DrawFn, most: int = 5) -> list[JobResult]:
    """Results of distinct jobs, with and without standard errors and tables."""
    seeds = draw(st.lists(st.integers(0, 2**20), min_size=1, max_size=most, unique=True))
    return [_result(draw, seed) for seed in seeds]


def _result(draw: st.DrawFn, seed: int) -> JobResult:
    random, n = np.random.default_rng(seed), draw(st.integers(1, 6))
    identity = {"caption": draw(TEXTS), "seed": seed, "tolerance": draw(st.none() | st.floats(1e-9, 1))}
    values = random.normal(size=n)
    values[0] = draw(st.floats(width=64))
    return JobResult(
        job=job_id(identity),
        values=values,
        standard_error=random.random(n) if draw(st.booleans()) else None,
        coalition_values=random.random(1 << n, np.float32) if draw(st.booleans()) else None,
        record={
            "identity": identity,
            "grand_coalition_value": draw(st.floats(allow_nan=False)),
            "degrees_of_freedom": draw(st.none() | st.floats(1, 100)),
            "versions": {"device": draw(TEXTS)},
        },
        spent={"seconds": draw(st.floats(0, 1e6)), "host": draw(TEXTS), "finished": 0.0},
    )


def assert_same(one: JobResult, other: JobResult) -> None:
    """Field by field, bit for bit."""
    assert (one.job, one.record, one.spent) == (other.job, other.record, other.spent)
    for name in ("values", "standard_error", "coalition_values"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert (a.dtype, a.tobytes()) == (b.dtype, b.tobytes()), name
    assert one.content() == other.content()


def differing(result: JobResult) -> JobResult:
    """Another result of the same job, such as another device gives."""
    return replace(
        result,
        values=np.nextafter(result.values, np.inf),
        record=result.record | {"versions": {"device": "1 x gpu"}},
        spent=result.spent | {"host": "there"},
    )


def _hash(*what: object) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()
