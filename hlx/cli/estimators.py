"""``hlx estimators``: the estimators by name."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--grid", default="4x4", show_default=True, metavar="RxC", help="Grid for the least budget.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def estimators(grid: str, as_json: bool) -> None:
    """List the estimators of `hlx explain --estimator`: what each does, and the least it takes.

    \b
    Example:
      hlx estimators --grid 7x7
    """
    from hlx.estimators import ESTIMATORS
    from hlx.games.regions import Grid

    n = Grid.parse(grid).n_players
    listed = [
        {
            "name": name,
            "summary": estimator.summary,
            "min_budget": estimator.lowest_budget(n),
            "needs_budget": estimator.needs_budget,
            "standard_errors": estimator.standard_errors,
            "shapley": estimator.consistent,
            "kind": estimator.estimates,
        }
        for name, estimator in ESTIMATORS.items()
    ]
    if as_json:
        click.echo(json.dumps(listed))
        return
    width = max(len(name) for name in ESTIMATORS) + 2
    click.echo(f"{'':{width}}{'least budget':>14}  standard errors")
    for row in listed:
        least = f"{row['min_budget']:,}" if n <= 24 or row["min_budget"] != 1 << n else f"2^{n}"
        errors = "yes" if row["standard_errors"] else "-"
        click.echo(f"{row['name']:{width}}{least:>14}  {errors:3}  {row['summary']}")
