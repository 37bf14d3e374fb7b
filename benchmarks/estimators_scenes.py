"""Do the estimators keep their order on games that none of them was chosen on?

The prior of odd-gp was chosen with the ten games of benchmarks/estimators.py in view. These are others: exact
4x4 games of both embedded models on held-out scenes, two of each kind of statement that the models get right.
They are nearly additive, which favours everything that knows about single players.

    python benchmarks/estimators_scenes.py [--scenes 8] [--repeats 5]
"""

from __future__ import annotations

import argparse
from typing import Any

from _environment import write_results

from hlx import explain, load_model
from hlx.bench import benchmark_estimators, games_from_attributions, markdown
from hlx.games.regions import Grid
from hlx.games.scenes import HELD_OUT_SEED, make_stimuli
from hlx.games.stimuli import Stimulus

MODELS = ("clip-scenes", "siglip-scenes")
PHENOMENA = ("existence", "negation", "counting", "attribute")
ESTIMATORS = ("odd-gp", "leverage", "kernel", "permutation", "svarm", "owen")
BUDGETS = (37, 82, 179, 394, 864)


def attributions(model_name: str, scenes: int) -> list[Any]:
    """Exact maps, with their tables, of held-out scenes."""
    model = load_model(model_name)
    stimuli = make_stimuli(scenes, HELD_OUT_SEED, PHENOMENA)
    return [explain(model, Stimulus(s.image, s.caption, s.foil), Grid(4, 4)) for s in stimuli]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=8, help="games of each model (default: 8)")
    parser.add_argument("--repeats", type=int, default=5, help="seeds (default: 5)")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for name in MODELS:
        games = games_from_attributions(attributions(name, options.scenes), name)
        result = benchmark_estimators(
            games, ESTIMATORS, BUDGETS, repeats=options.repeats, expensive_repeats=options.repeats
        )
        print(f"\n{name}, {len(games)} games\n")
        for measure in ("ratio", "coverage"):
            print(f"{measure}\n\n{markdown(result, measure)}\n", flush=True)
        results[name] = result.as_dict()
    print(f"written: {write_results('estimators_scenes', results, ['hlx', 'numpy', 'scipy', 'jax'])}")


if __name__ == "__main__":
    main()
