"""``hlx sweep run``, ``resume`` and ``status``: computing what a sweep asks for, and how far that is."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hlx.errors import HlxError, InputError
from hlx.io.messages import plural

if TYPE_CHECKING:
    from hlx.sweep.plan.expand import Plan
    from hlx.sweep.results.failures import FailedJobs
    from hlx.sweep.results.status import Status
    from hlx.sweep.run.run_summary import RunSummary

SHOWN = 20
"""So many failures are listed; --json has them all."""

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--shard", metavar="i/n", help="Only the i-th of n parts, for job arrays and several hosts.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]|tpu",
    help="What models run on; auto: what the sweep file says, or all devices of the best kind.",
)
@click.option("--ray", metavar="ADDRESS|local", help="Spread over a Ray cluster, or over a local one.")
@click.option(
    "--ray-actors", type=int, metavar="N", help="Models at work at once; one per device by default."
)
@click.option("--wait", is_flag=True, help="Wait for another run of this sweep, instead of refusing.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def run(
    file: Path,
    shard: str | None,
    device: str,
    ray: str | None,
    ray_actors: int | None,
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Compute what is missing of the sweep FILE; run again to go on after whatever ended it.

    What is done is kept every few seconds. Ctrl-C finishes what was begun; a second one ends at once. Exit
    statuses: 0 all done, 1 some failed (tried again by the next run), 2 refused, 130 or 143 interrupted.

    \b
    Examples:
      hlx sweep run sweep.toml
      hlx sweep run sweep.toml --shard $SLURM_ARRAY_TASK_ID/8
      hlx sweep run sweep.toml --ray auto
    """
    from hlx.sweep.plan.expand import plan_sweep
    from hlx.sweep.run.display import display_for
    from hlx.sweep.run.run_sweep import run_sweep
    from hlx.sweep.run.signals import EndedAtOnce

    part = None if shard is None else parse_shard(shard)
    try:
        with options_named("ray_actors", "ray"):
            plan = plan_sweep(file)
            summary = run_sweep(
                plan,
                shard=part,
                device=device,
                ray=ray,
                ray_actors=ray_actors,
                wait=wait,
                progress=None if quiet else display_for(),
            )
    except EndedAtOnce as ended:
        click.echo(f"ended at once; what is written is kept: {_again(file, shard)}", err=True)
        sys.stdout.flush()
        sys.stderr.flush()
        # Threads that are computing would be waited for, and nothing is lost without them.
        os._exit(128 + ended.number)
    if as_json:
        click.echo(json.dumps(_as_json(plan, summary)))
    else:
        click.echo(_text(plan, summary))
    _list_failures(summary.failed)
    if summary.exit_status >= 128:
        click.echo(f"interrupted; go on with: {_again(file, shard)}", err=True)
    elif summary.failed:
        click.echo(f"failed jobs are tried again by: {_again(file, shard)}", err=True)
    return summary.exit_status


resume = run


@click.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with all failures.")
def status(file: Path, as_json: bool) -> None:
    """Say what of the sweep FILE is done, what failed and why, and whether a run is at it.

    Every shard is checked; nothing is changed.

    \b
    Example:
      hlx sweep status sweep.toml
    """
    from hlx.sweep.plan.expand import plan_sweep
    from hlx.sweep.results.status import status_of

    found = status_of(plan_sweep(file))
    click.echo(json.dumps(_status_json(found)) if as_json else _status_text(found))
    if not as_json:
        _list_failures(found.failed)


def parse_shard(text: str) -> tuple[int, int]:
    """(i, n) of "i/n", counted from 1.

    Raises
    ------
    InputError
        Not two whole numbers with 1 <= i <= n.
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"--shard {text!r}: expected i/n, the i-th of n parts, such as 1/4 up to 4/4")
    return int(found[1]), int(found[2])


@contextmanager
def options_named(*arguments: str) -> Iterator[None]:
    """Errors of the library name its arguments; here they are options."""
    try:
        yield
    except HlxError as error:
        message = str(error)
        for name in arguments:
            message = re.sub(rf"^{name}\b|\b{name}=True\b", f"--{name.replace('_', '-')}", message)
        error.args = (message,)
        raise


def _again(file: Path, shard: str | None) -> str:
    return f"hlx sweep run {file}" + ("" if shard is None else f" --shard {shard}")


def _text(plan: Plan, summary: RunSummary) -> str:
    lines = [
        f"{plural(summary.done, 'job')} done, {summary.before:,} were before, {summary.failures:,} failed, "
        f"{summary.left:,} left, in {plan.sweep.output}"
    ]
    if summary.seconds:
        lines.append(
            f"{summary.seconds:.1f} s, {summary.rate:.3g} jobs/s on {plural(summary.devices, 'device')}: "
            f"waiting for images {summary.waiting_share:.1%} of the time, not computing "
            f"{summary.overhead_share:.1%}"
        )
    return "\n".join(lines)


def _list_failures(failed: Sequence[FailedJobs]) -> None:
    if failed:
        click.echo(f"{plural(sum(each.jobs for each in failed), 'job')} failed:", err=True)
    for each in failed[:SHOWN]:
        where = f"{each.model}, {each.image}, {each.regions}, {each.background}"
        click.echo(f"  {where}, {plural(each.jobs, 'job')}: {each.reason}", err=True)
    if len(failed) > SHOWN:
        click.echo(f"  ... and {len(failed) - SHOWN:,} more; --json has them all", err=True)


def _as_json(plan: Plan, summary: RunSummary) -> dict[str, object]:
    return {
        "output": str(plan.sweep.output),
        "before": summary.before,
        "done": summary.done,
        "failed": summary.failures,
        "left": summary.left,
        "seconds": round(summary.seconds, 3),
        "jobs_per_second": summary.rate,
        "devices": summary.devices,
        "waiting_share": summary.waiting_share,
        "overhead_share": summary.overhead_share,
        "signal": summary.signal,
        "failures": [asdict(each) for each in summary.failed],
        "bad_shards": [{"path": str(bad.path), "reason": bad.reason} for bad in summary.bad],
    }


def _status_text(found: Status) -> str:
    rows = [("model", "regions", "asked", "done", "failed", "missing")]
    for part in found.parts:
        counts = [f"{count:,}" for count in (part.asked, part.done, part.failed, part.missing)]
        rows.append((part.model, part.regions, counts[0], counts[1], counts[2], counts[3]))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [
        f"{row[0].ljust(widths[0])}  {row[1].ljust(widths[1])}" + "".join(cell.rjust(10) for cell in row[2:])
        for row in rows
    ]
    done, asked = sum(part.done for part in found.parts), sum(part.asked for part in found.parts)
    lines.append(f"{done:,} of {asked:,} results are done")
    lines.append(f"run: {found.running or 'nobody'}")
    lines.append(f"merged file: {found.merged}")
    lines += [f"damaged shard, set aside by the next run: {bad.path}: {bad.reason}" for bad in found.bad]
    if found.quarantined:
        lines.append(f"damaged shards set aside: {len(found.quarantined):,}")
    return "\n".join(lines)


def _status_json(found: Status) -> dict[str, object]:
    return {
        "parts": [{**asdict(part), "missing": part.missing} for part in found.parts],
        "failures": [asdict(each) for each in found.failed],
        "bad_shards": [{"path": str(bad.path), "reason": bad.reason} for bad in found.bad],
        "quarantined": list(found.quarantined),
        "running": found.running,
        "merged": found.merged,
    }
