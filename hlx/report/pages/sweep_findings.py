"""What a sweep found, in a few sentences, each true to its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from hlx.estimators import EXACT
from hlx.io.messages import plural, plural_stimuli
from hlx.report.kit.numbers import coefficient, listed, percent
from hlx.sweep.across_settings.agreement import BackgroundAgreement, GridAgreement
from hlx.sweep.across_settings.estimator_error import way_of
from hlx.sweep.across_settings.settings_comparison import SweepComparison
from hlx.sweep.results.sweep_maps import grouped

T = TypeVar("T")
P = TypeVar("P", GridAgreement, BackgroundAgreement)


def findings(sweep: SweepComparison) -> list[str]:
    """Sentences; those of what the study does not have are left out."""
    found = (_extent(sweep), _grids(sweep), _errors(sweep), _backgrounds(sweep), _cost(sweep))
    return [sentence for sentence in found if sentence]


def pairs_of_grids(sweep: SweepComparison) -> list[GridAgreement]:
    """The pairs of grids under the setting with the most of them."""
    return _of_main_setting(sweep.across_grids)


def pairs_of_backgrounds(sweep: SweepComparison) -> list[BackgroundAgreement]:
    """The pairs of backgrounds under the setting with the most of them."""
    return _of_main_setting(sweep.across_backgrounds)


def _of_main_setting(pairs: Sequence[P]) -> list[P]:
    # The first of equals; none without pairs.
    return max(grouped(pairs, lambda pair: pair.setting).values(), key=len, default=[])


def seconds(value: float) -> str:
    """A time in the unit that suits it."""
    for size, name in ((3600.0, "h"), (60.0, "min"), (1.0, "s")):
        if value >= size:
            return f"{value / size:.1f} {name}"
    return f"{1e3 * value:.0f} ms" if value >= 1e-2 else f"{1e3 * value:.2g} ms"


def mean_over(items: Iterable[T], number: Callable[[T], float | None]) -> float | None:
    """The mean of what is defined; None where nothing is."""
    known = [value for item in items if (value := number(item)) is not None]
    return sum(known) / len(known) if known else None


def _extent(sweep: SweepComparison) -> str:
    asked = sweep.maps + sum(model.missing for model in sweep.lacking)
    failed = sum(sum(model.failed.values()) for model in sweep.lacking)
    models = plural(len(sweep.models), "model")
    whole = f"{plural(sweep.maps, 'map')} of {plural_stimuli(sweep.stimuli)} by {models}"
    if asked == sweep.maps:
        return f"{whole}: everything that was asked."
    lost = f", of which {failed:,} failed" if failed else ""
    return f"{whole}; {asked - sweep.maps:,} of the {asked:,} that were asked are missing{lost}."


def _grids(sweep: SweepComparison) -> str:
    pairs = grouped(pairs_of_grids(sweep), lambda pair: (pair.first, pair.second))
    means = {names: mean for names, them in pairs.items() if (mean := mean_over(them, _rank)) is not None}
    if not means:
        return ""
    over = listed(
        [
            what
            for what, many in (
                ("models", len({pair.model for pair in pairs_of_grids(sweep)}) > 1),
                ("backgrounds", len({pair.background for pair in pairs_of_grids(sweep)}) > 1),
            )
            if many
        ]
    )
    on_average = f" on average over {over}" if over else ""
    most, least = max(means, key=lambda names: means[names]), min(means, key=lambda names: means[names])
    if most == least:
        return (
            f"Maps of a stimulus on {listed(most)} grids rank its regions with a correlation of "
            f"{coefficient(means[most], 2)}{on_average}."
        )
    return (
        f"Maps of a stimulus on two grids rank its regions most alike on {listed(most)}, with a correlation "
        f"of {coefficient(means[most], 2)}{on_average}, and least alike on {listed(least)}, with "
        f"{coefficient(means[least], 2)}."
    )


def _errors(sweep: SweepComparison) -> str:
    """The closest estimator of Shapley values on the finest regions that have exact ones."""
    known = [
        error
        for error in sweep.errors
        if error.kind == EXACT.estimates and error.relative_squared_error.mean is not None
    ]
    if not known:
        return ""
    finest = max(known, key=lambda error: error.n_players).regions
    ways = grouped([error for error in known if error.regions == finest], way_of)
    means = {
        way: mean_over(them, lambda error: error.relative_squared_error.mean) for way, them in ways.items()
    }
    best = min(means, key=lambda way: means[way] or 0.0)
    rank = mean_over(ways[best], lambda error: error.rank.mean)
    evaluations = mean_over(ways[best], lambda error: error.evaluations)
    closest = "comes closest to" if len(ways) > 1 else "is compared with"
    return (
        f"On {finest}, {best[0]} at {evaluations:,.0f} evaluations {closest} the exact values: its squared "
        f"error is {percent(means[best])} of theirs squared, its ranks correlate by {coefficient(rank, 2)}."
    )


def _backgrounds(sweep: SweepComparison) -> str:
    pairs = grouped(pairs_of_backgrounds(sweep), lambda pair: (pair.first, pair.second))
    means = {names: mean_over(them, lambda pair: pair.agreement.rank.mean) for names, them in pairs.items()}
    said = [
        f"{coefficient(mean, 2)} between {listed(names)}" for names, mean in means.items() if mean is not None
    ]
    if not said:
        return ""
    return (
        "Ranks of |phi| under two backgrounds, which hidden regions show, correlate on average by "
        f"{listed(said)}."
    )


def _cost(sweep: SweepComparison) -> str:
    known = grouped([cost for cost in sweep.costs if cost.seconds is not None], lambda cost: cost.regions)
    typical = {name: mean_over(costs, lambda cost: cost.seconds) for name, costs in known.items()}
    if not typical:
        return ""
    total = sum(cost.total_seconds or 0.0 for costs in known.values() for cost in costs)
    least, most = (
        min(typical, key=lambda name: typical[name] or 0.0),
        max(typical, key=lambda name: typical[name] or 0.0),
    )
    span = f"{seconds(typical[least] or 0.0)} on {least}"
    if most != least:
        span += f" and {seconds(typical[most] or 0.0)} on {most}"
    return f"A map took {span} (medians), all of them together {seconds(total)}."


def _rank(pair: GridAgreement) -> float | None:
    return pair.agreement.rank.mean
