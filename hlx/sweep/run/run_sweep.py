"""A sweep run from Python: planned, checked, and handed to the executor that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlx.errors import InputError
from hlx.io.messages import plural
from hlx.sweep.config.compilation_cache import keep_compiled
from hlx.sweep.config.sweep_file import SweepFile
from hlx.sweep.plan.expand import Plan, plan_sweep
from hlx.sweep.run.disk_space import check_disk
from hlx.sweep.run.display import Display
from hlx.sweep.run.loop import run_plan
from hlx.sweep.run.run_summary import RunSummary

if TYPE_CHECKING:
    from hlx.sweep.run.executor import Executor


def run_sweep(
    sweep: Plan | SweepFile | Mapping[str, Any] | str | Path,
    *,
    shard: tuple[int, int] | None = None,
    device: str = "auto",
    ray: str | None = None,
    ray_actors: int | None = None,
    wait: bool = False,
    progress: Display | None = None,
) -> RunSummary:
    """Compute what is missing of a sweep, and keep it in the sweep's output folder.

    Run again to go on after whatever ended a run. After the first SIGINT or SIGTERM what was begun is
    finished and written; the second raises `EndedAtOnce`.

    Parameters
    ----------
    sweep
        A plan, or what `plan_sweep` makes one of.
    shard
        (i, n): only the i-th of n parts, counted from 1.
    device
        "cpu", "cuda", "cuda:1" or "tpu" for all models; "auto" for what the sweep says of each, or all
        devices of the best kind.
    ray
        Address of a Ray cluster to spread over, "auto", or "local" for one on this machine.
    ray_actors
        Models at work at once on the cluster; one per device by default.
    wait
        For another run of this sweep, instead of refusing.
    progress
        What shows how far the run is, such as `display_for()`; nothing by default.

    Returns
    -------
    RunSummary
        Jobs done, failed and left, and where the time went. Jobs that fail raise nothing.

    Raises
    ------
    InputError
        The sweep cannot be planned, does not fit on the disk, or an argument is wrong.
    ModelError
        A device or the cluster is not there.
    OutputError
        Another run is at work, or results cannot be written; what was written before is kept.

    Examples
    --------
    >>> summary = hlx.run_sweep("sweep.toml")
    >>> summary.done, summary.failures
    (128, 0)
    """
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise InputError(f"shard {shard}: expected (i, n), the i-th of n parts, counted from 1")
    if ray is None and ray_actors is not None:
        raise InputError("ray_actors: is of ray: leave it out")
    plan = sweep if isinstance(sweep, Plan) else plan_sweep(sweep)
    check_disk(plan)
    cache = plan.sweep.compilation_cache
    if cache is not None:
        keep_compiled(cache)

    def make_executor() -> Executor:
        if ray is None:
            from hlx.sweep.run.local_executor import LocalExecutor

            return LocalExecutor(plan, device)
        from hlx.sweep.run.ray_executor import RayExecutor

        return RayExecutor(plan.models, ray, device, ray_actors, cache)

    if progress is not None:
        progress.say(_heading(plan, shard))
    return run_plan(plan, make_executor, shard, progress, wait)


def _heading(plan: Plan, shard: tuple[int, int] | None) -> str:
    images = len({group.image.path for group in plan.groups})
    regions = len({group.regions.label for group in plan.groups})
    asked = f"{plural(plan.n_jobs, 'job')} of {plural(len(plan.models), 'model')}"
    seen = f"{plural(images, 'image')} and {plural(regions, 'kind')} of regions"
    share = "" if shard is None else f"; part {shard[0]} of {shard[1]} of them"
    return f"{asked}, {seen}, into {plan.sweep.output}{share}"
