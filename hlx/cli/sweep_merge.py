"""``hlx sweep merge``: all shards of a sweep in one file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hlx.cli.printing import progress_bar

if TYPE_CHECKING:
    from hlx.sweep.results.merge import MergeResult
    from hlx.sweep.results.rows import Missing

MOST_REASONS = 5
"""Reasons told of each model; the file has them all."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="MERGED.h5",
    help="Where to; merged.h5 in the sweep's output folder by default, which is replaced.",
)
@click.option("--force", is_flag=True, help="Replace the file that --out names.")
@click.option("--strict", is_flag=True, help="Write nothing unless all results are there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def merge(file: Path, out: Path | None, force: bool, strict: bool, as_json: bool) -> int:
    """Copy what the sweep FILE has computed into one file, checked, and say what is missing.

    The exit status is 1 if something is missing. The content hash depends on results and on what made them
    alone: two merges with the same hash hold the same numbers.

    \b
    Example:
      hlx sweep merge sweep.toml
    """
    from hlx.sweep.plan.expand import plan_sweep
    from hlx.sweep.results.merge import merge as merge_shards

    plan = plan_sweep(file)
    with progress_bar("merging shards") as progress:
        merged = merge_shards(plan, out, force, strict, progress)
    for bad in merged.bad:
        click.echo(f"bad shard: {bad.path}: {bad.reason}", err=True)
    for missing in merged.missing:
        for line in _missing_lines(missing):
            click.echo(line, err=True)
    if merged.missing:
        click.echo(f"hlx sweep run {file} computes what is missing", err=True)
    click.echo(json.dumps(_as_json(merged)) if as_json else _text(merged))
    return 1 if merged.missing else 0


def _text(merged: MergeResult) -> str:
    asked = merged.rows + sum(model.missing for model in merged.missing)
    lines = [f"{merged.rows:,} of {asked:,} results in {merged.path}", f"content hash {merged.content_hash}"]
    if merged.others:
        lines.append(f"left out: {merged.others:,} results that the sweep file does not ask for")
    return "\n".join(lines)


def _missing_lines(missing: Missing) -> list[str]:
    untried = missing.missing - sum(missing.failed.values())
    lines = [f"{missing.model}: {missing.missing:,} of {missing.asked:,} results are missing"]
    if untried:
        lines.append(f"  {untried:,} not computed yet")
    reasons = list(missing.failed.items())
    lines += [f"  {count:,} failed: {reason}" for reason, count in reasons[:MOST_REASONS]]
    if reasons[MOST_REASONS:]:
        rest = sum(count for _, count in reasons[MOST_REASONS:])
        lines.append(f"  {rest:,} failed for {len(reasons) - MOST_REASONS:,} other reasons")
    return lines


def _as_json(merged: MergeResult) -> dict[str, object]:
    return {
        **asdict(merged),
        "path": str(merged.path),
        "bad": [{"path": str(bad.path), "reason": bad.reason} for bad in merged.bad],
    }
