"""``hlx sweep plan``: what a sweep file asks for, and what it takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hlx.io.messages import plural, plural_stimuli, text_table

if TYPE_CHECKING:
    from hlx.sweep.costs.totals import CostLine, Costs
    from hlx.sweep.plan.expand import Plan
    from hlx.sweep.results.shards import Scan


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--no-timing", is_flag=True, help="Load no model, and estimate no time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(file: Path, no_timing: bool, as_json: bool) -> None:
    """Say what the sweep FILE asks for and what that takes; nothing is computed or written.

    Everything that is wrong, missing images and models too, is listed at once. Time is estimated from a few
    evaluations of each model on this machine; --no-timing leaves that out.

    \b
    Example:
      hlx sweep plan sweep.toml
    """
    from hlx.sweep.costs.timing import measure
    from hlx.sweep.costs.totals import costs, remaining_groups
    from hlx.sweep.plan.expand import plan_sweep
    from hlx.sweep.results.shards import scan
    from hlx.sweep.run.disk_space import check_disk

    planned = plan_sweep(file)
    scanned = scan(planned.sweep.output, quarantine=False)
    timings = {}
    if not no_timing:
        timings = measure(
            planned.models, remaining_groups(planned, scanned), lambda line: click.echo(line, err=True)
        )
    found = costs(planned, scanned, timings)
    click.echo(json.dumps(_as_json(planned, scanned, found)) if as_json else _text(planned, scanned, found))
    for label, reason in found.unknown.items():
        click.echo(f"warning: {label} cannot be timed: {' '.join(reason.split())}", err=True)
    check_disk(planned, found.disk)


@click.command()
def schema() -> None:
    """Print the JSON schema of sweep files: editors that know it complete keys and mark mistakes.

    \b
    Example:
      hlx sweep schema > sweep.schema.json
    """
    from hlx.sweep.config.sweep_file import SweepFile

    click.echo(json.dumps(SweepFile.model_json_schema(), indent=2))


def _text(plan: Plan, scanned: Scan, costs: Costs) -> str:
    from hlx.sweep.run.disk_space import size_text
    from hlx.sweep.run.display import duration

    images = len({group.image.path for group in plan.groups})
    parts = [
        f"{plural_stimuli(len(plan.stimuli))} of {plural(images, 'image')}, "
        f"{plural(len(plan.models), 'model')}, backgrounds {', '.join(plan.sweep.backgrounds)}",
        "",
        _table(costs.lines),
        "",
        f"jobs         {costs.jobs:,}, {costs.done:,} of them done",
        f"evaluations  {_number(costs.evaluations, costs.at_most)} to do, in "
        f"{plural(costs.groups, 'image group')}: what estimators share is evaluated once",
    ]
    if costs.groups and costs.seconds is not None:
        starting = f", and {duration(costs.starting)} of loading and compiling" if costs.starting else ""
        about = "at least" if costs.at_least else "about"
        parts.append(f"time         {about} {duration(costs.seconds)} on this machine{starting}")
    if costs.at_least:
        parts.append("             (what large budgets of expensive estimators take to solve is not in it)")
    how = "as the shards have it" if costs.disk.measured else "assumed"
    parts.append(
        f"disk         about {size_text(costs.disk.needed)} needed in {plan.sweep.output}, "
        f"{size_text(costs.disk.free)} free ({costs.disk.record:,} bytes a record, {how})"
    )
    if scanned.bad:
        parts.append(f"bad shards   {len(scanned.bad):,}, which a run sets aside and computes again")
    if plan.left_out:
        left = sum(each.jobs for each in plan.left_out)
        parts.append(f"left out     {plural(left, 'job')} by fewest_players and most_players:")
        parts += [f"             {name}: {text}" for name, text in _left_out(plan)]
    return "\n".join(parts)


def _table(lines: Sequence[CostLine]) -> str:
    names = [
        ("model", "regions", "estimator"),
        *((line.model, line.regions, line.estimator) for line in lines),
    ]
    widths = [max(map(len, column)) for column in zip(*names, strict=True)]
    cells = [("jobs", "done", "evaluations", "time"), *map(_cells, lines)]
    return text_table(
        [
            ("  ".join(part.ljust(width) for part, width in zip(name, widths, strict=True)), *of_line)
            for name, of_line in zip(names, cells, strict=True)
        ]
    )


def _cells(line: CostLine) -> tuple[str, str, str, str]:
    from hlx.sweep.run.display import duration

    longer = ">= " if line.at_least else ""
    return (
        f"{line.jobs:,}",
        f"{line.done:,}",
        _number(line.evaluations, line.at_most),
        "-" if line.seconds is None else longer + duration(line.seconds),
    )


def _left_out(plan: Plan) -> list[tuple[str, str]]:
    """Each estimator with the regions that it is left out of."""
    by_name: dict[str, list[str]] = {}
    for each in plan.left_out:
        by_name.setdefault(each.estimator, []).append(f"{each.regions} ({each.jobs:,})")
    return [(name, ", ".join(regions)) for name, regions in by_name.items()]


def _number(count: int, at_most: bool) -> str:
    return f"{'<= ' if at_most else ''}{count:,}"


def _as_json(plan: Plan, scanned: Scan, costs: Costs) -> dict[str, Any]:
    return {
        "sweep": str(plan.sweep.path),
        "output": str(plan.sweep.output),
        "stimuli": len(plan.stimuli),
        "models": [asdict(model) for model in plan.models],
        "jobs": costs.jobs,
        "done": costs.done,
        "groups": costs.groups,
        "evaluations": costs.evaluations,
        "at_most": costs.at_most,
        "seconds": costs.seconds,
        "at_least": costs.at_least,
        "starting": costs.starting,
        "unknown": dict(costs.unknown),
        "disk": asdict(costs.disk),
        "bad_shards": len(scanned.bad),
        "left_out": [asdict(each) for each in plan.left_out],
        "lines": [asdict(line) for line in costs.lines],
    }
