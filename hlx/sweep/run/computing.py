"""An image group's jobs computed from its prepared image: together, and where that fails, one by one."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from hlx.attribution.estimate import EstimatorSpec, GameEstimate
from hlx.attribution.explain import answer, made_with
from hlx.estimators import Estimator, Plan, make_plan
from hlx.games.regions import LabelMap, Regions
from hlx.models.loading.load import Loaded
from hlx.sweep.plan.jobs import ImageGroup, Job, PlannedModel, PlannedStimulus, job_identity
from hlx.sweep.results.failures import Failure, failure_of, reason_of
from hlx.sweep.results.job_results import JobResult
from hlx.sweep.run.preparing import Prepared

MOST_KEPT = 4096
"""Plans of larger budgets are made anew: they are large, and take little beside their evaluations."""

BROKEN = ("JaxRuntimeError", "XlaRuntimeError", "AcceleratorError")
"""Errors of a device, after which a process may compute nothing any more."""

Pair = tuple[str, str | None]


def compute(
    loaded: Loaded, model: PlannedModel, group: ImageGroup, prepared: Prepared
) -> tuple[list[JobResult], list[Failure]]:
    """Results of the group's jobs, each id once, and the failures of those that gave none.

    All jobs share the image's vectors. The batches depend on the group alone, so that the same kind of device
    finds the same bits whenever and wherever the group is computed. Where something fails, NaN in one score
    say, the group is computed in smaller parts, so that only the jobs fail that cannot be computed; an error
    that `is_broken` is raised.
    """
    start = time.perf_counter()
    jobs = list({job.id: job for job in group.jobs}.values())
    results: list[JobResult] = []
    failures: list[Failure] = []
    _attempt(_Computation(loaded, model, group, prepared), jobs, results, failures)
    share = (time.perf_counter() - start) / len(jobs)
    spent = {"seconds": share, "host": socket.gethostname(), "finished": time.time()}
    for result in results:
        result.spent.update(spent)
    return results, failures


def is_broken(error: BaseException) -> bool:
    """Whether an error tells of a device or a process that smaller parts would not help."""
    return type(error).__name__ in BROKEN or isinstance(error, MemoryError)


class _Computation:
    """What is the same for all parts of an image group."""

    def __init__(self, loaded: Loaded, model: PlannedModel, group: ImageGroup, prepared: Prepared) -> None:
        self.loaded, self.model, self.group, self.prepared = loaded, model, group, prepared

    def results(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Results of jobs that are every one of some stimuli with every one of some specs."""
        asked = list(dict.fromkeys(job.spec for job in jobs))
        pairs = list(dict.fromkeys(_pair(job.stimulus) for job in jobs))
        masked, regions = self.prepared.masked, self.prepared.regions
        # The captions alone are asked too: f and they give the scores of caption and foil.
        text_queries = self.loaded.text_queries([*pairs, *[(caption, None) for caption, _ in pairs]])
        answers = answer(masked, text_queries, asked, regions, len(pairs), planned=_planned)
        whole = np.ones((1, masked.n_players), np.bool_)
        captions = answers.evaluations(whole)[0, len(pairs) :]
        place = {pair: i for i, pair in enumerate(pairs)}
        found = dict(zip(asked, answers.found, strict=True))
        return [
            self._result(job, found[job.spec][i], float(captions[i]))
            for job in jobs
            for i in [place[_pair(job.stimulus)]]
        ]

    def _result(self, job: Job, found: GameEstimate, score_caption: float) -> JobResult:
        group, estimate = self.group, found.estimate
        kept = group.keep_tables and job.spec.takes_table(self.prepared.masked.n_players)
        identity = job_identity(
            self.model,
            group.image,
            group.regions,
            group.background,
            job.stimulus,
            job.spec,
            group.keep_tables,
        )
        record: dict[str, Any] = {
            "identity": identity,
            "image_hash": self.prepared.image_hash,
            "estimator": found.estimator,
            "kind": job.spec.estimator.estimates,
            "grand_coalition_value": found.grand_coalition_value,
            "baseline_value": found.baseline_value,
            "n_evaluations": found.n_evaluations,
            "degrees_of_freedom": estimate.degrees_of_freedom,
            "score_caption": score_caption,
            "unit": self.loaded.unit,
            "batch_size": self.prepared.masked.batch_size,
            "versions": made_with(self.loaded),
        }
        error = estimate.standard_error
        return JobResult(
            job=job.id,
            values=np.ascontiguousarray(estimate.values, np.float64),
            standard_error=None if error is None else np.ascontiguousarray(error, np.float64),
            coalition_values=np.asarray(found.coalition_values, np.float32)
            if kept and found.coalition_values is not None
            else None,
            record=record,
            spent={},
        )


def _attempt(
    work: _Computation, jobs: Sequence[Job], results: list[JobResult], failures: list[Failure]
) -> None:
    """Compute jobs together; where that fails by stimulus, then by spec."""
    try:
        results += work.results(jobs)
    except Exception as error:
        if is_broken(error):
            raise
        by_stimulus: dict[Pair, list[Job]] = {}
        by_request: dict[EstimatorSpec, list[Job]] = {}
        for job in jobs:
            by_stimulus.setdefault(_pair(job.stimulus), []).append(job)
            by_request.setdefault(job.spec, []).append(job)
        parts = list((by_stimulus if len(by_stimulus) > 1 else by_request).values())
        if len(parts) == 1:
            failures.append(failure_of(jobs, reason_of(error)))
            return
        for part in parts:
            _attempt(work, part, results, failures)


def _pair(stimulus: PlannedStimulus) -> Pair:
    return stimulus.caption, stimulus.foil


def _planned(estimator: Estimator, n: int, budget: int | None, seed: int, regions: Regions | None) -> Plan:
    if not estimator.uses_adjacency:
        regions = None
    # Label maps are as many as images, and as large.
    kept = budget is not None and budget <= MOST_KEPT and not isinstance(regions, LabelMap)
    return (_kept_plan if kept else make_plan)(estimator, n, budget, seed, regions)


# The images of a sweep are asked for the same coalitions.
_kept_plan = lru_cache(maxsize=64)(make_plan)
