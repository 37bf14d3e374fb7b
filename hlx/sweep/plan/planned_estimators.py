"""What a sweep's estimators are asked for on so many regions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hlx.attribution.estimate import EstimatorSpec
from hlx.errors import InputError
from hlx.sweep.config.entries import EstimatorEntry
from hlx.sweep.config.problems import Problems


class PlannedEstimators:
    """The specs of a sweep's estimators, made and checked once for each number of regions."""

    def __init__(self, entries: Sequence[EstimatorEntry]) -> None:
        self._entries = tuple(entries)
        self._of: dict[int, tuple[EstimatorSpec, ...]] = {}
        self._left_out: dict[int, Counter[str]] = {}
        self._impossible: dict[int, list[tuple[str, str]]] = {}

    def add(self, n: int, label: str) -> None:
        """Make the specs for n regions, of which those called `label` are the first."""
        if n in self._of:
            return
        asked, left_out = list[EstimatorSpec](), list[EstimatorSpec]()
        for number, entry in enumerate(self._entries):
            specs = entry.estimator_specs(n)
            if not entry.takes(n):
                left_out += specs
                continue
            asked += specs
            for spec in specs:
                try:
                    spec.check(n)
                except InputError as error:
                    self._impossible.setdefault(number, []).append((label, str(error)))
                    break
        self._of[n] = tuple(dict.fromkeys(asked))
        # What another entry asks for is not left out.
        self._left_out[n] = Counter(one.estimator.name for one in set(left_out) - set(asked))

    def of(self, n: int) -> tuple[EstimatorSpec, ...]:
        """Those for n regions, each once."""
        return self._of[n]

    def left_out(self, n: int) -> dict[str, int]:
        """How many specs of each estimator its limits leave out."""
        return self._left_out[n]

    def tell(self, problems: Problems) -> None:
        """Make a problem of every estimator that is asked for what it cannot do."""
        for number, cases in self._impossible.items():
            (label, reason), more = cases[0], len(cases) - 1
            others = f" (and {more} other numbers of regions)" if more else ""
            problems.add(
                f"estimators[{number}]: regions {label}{others}: {reason}; fewest_players and most_players "
                "leave regions out"
            )
