"""``hlx sweep``: sweeps, command by command."""

from __future__ import annotations

import click

from hlx.cli import LazyCommands

COMMANDS = {
    "plan": "What a sweep file asks for, and what it takes; nothing runs.",
    "schema": "The JSON schema of sweep files, for editors.",
    "run": "Compute what is missing; run again to go on.",
    "resume": "Go on with a sweep: the same as run.",
    "status": "What is done, what failed and why.",
    "merge": "All results in one file, checked, and what is missing.",
    "export": "Tables for hlx analyze and hlx report, or for statistics of your own.",
    "report": "How maps agree across grids and backgrounds, errors and costs, as a page.",
}
MODULES = {
    "plan": "sweep_plan",
    "schema": "sweep_plan",
    "run": "sweep_run",
    "resume": "sweep_run",
    "status": "sweep_run",
    "merge": "sweep_merge",
    "export": "sweep_results",
    "report": "sweep_results",
}


@click.group(cls=LazyCommands, summaries=COMMANDS, modules=MODULES, invoke_without_command=True)
@click.pass_context
def sweep(ctx: click.Context) -> None:
    """Compute thousands of maps, in runs that can be killed, resumed and spread.

    A sweep file says what: stimuli, models, regions, backgrounds, estimators (docs/sweeps.md).

    \b
    Example:
      hlx sweep plan sweep.toml
      hlx sweep run sweep.toml
      hlx sweep merge sweep.toml
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
