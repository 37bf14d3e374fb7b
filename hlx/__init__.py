"""hlx: exact Shapley maps of image-text models.

    model = hlx.load_model("clip-scenes")
    attribution = hlx.explain(model, hlx.Stimulus("photo.jpg", "a red circle", foil="a blue square"))

The names below are imported when first used, so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Attribution": "hlx.attribution",
    "CallableGame": "hlx.games",
    "CallableModel": "hlx.models",
    "Grid": "hlx.regions",
    "HlxError": "hlx.errors",
    "InputError": "hlx.errors",
    "LabelMap": "hlx.regions",
    "ModelError": "hlx.errors",
    "NonFiniteScoreError": "hlx.errors",
    "OutputError": "hlx.errors",
    "RememberingGame": "hlx.evaluations",
    "Stimulus": "hlx.stimuli",
    "TabulatedGame": "hlx.games",
    "analyze": "hlx.alignment.analysis",
    "build_human_maps": "hlx.humans",
    "compare": "hlx.alignment.compare",
    "estimate": "hlx.estimating",
    "explain": "hlx.explaining",
    "explain_kept": "hlx.explaining",
    "explain_pairs": "hlx.explaining",
    "explain_table": "hlx.explaining",
    "interactions": "hlx.interaction_values",
    "load": "hlx.store",
    "load_model": "hlx.models",
    "plan_sweep": "hlx.sweep.plan.expand",
    "read_human_maps": "hlx.humans",
    "read_model_maps": "hlx.alignment.model_maps",
    "read_responses": "hlx.humans",
    "read_stimuli": "hlx.stimuli",
    "read_study": "hlx.alignment.analysis",
    "run_sweep": "hlx.sweep.run.run_sweep",
    "save": "hlx.store",
    "shapley_from_table": "hlx.games",
    "write_human_maps": "hlx.humans",
    "write_report": "hlx.report",
}

__all__ = [
    "Attribution",
    "CallableGame",
    "CallableModel",
    "Grid",
    "HlxError",
    "InputError",
    "LabelMap",
    "ModelError",
    "NonFiniteScoreError",
    "OutputError",
    "RememberingGame",
    "Stimulus",
    "TabulatedGame",
    "__version__",
    "alignment",
    "analyze",
    "bench",
    "build_human_maps",
    "compare",
    "estimate",
    "estimators",
    "explain",
    "explain_kept",
    "explain_pairs",
    "explain_table",
    "humans",
    "interactions",
    "load",
    "load_model",
    "plan_sweep",
    "read_human_maps",
    "read_model_maps",
    "read_responses",
    "read_stimuli",
    "read_study",
    "run_sweep",
    "save",
    "shapley_from_table",
    "write_human_maps",
    "write_report",
]

if TYPE_CHECKING:
    from hlx import alignment, bench, estimators, humans
    from hlx.alignment.analysis import analyze, read_study
    from hlx.alignment.compare import compare
    from hlx.alignment.model_maps import read_model_maps
    from hlx.attribution import Attribution
    from hlx.errors import HlxError, InputError, ModelError, NonFiniteScoreError, OutputError
    from hlx.estimating import estimate
    from hlx.evaluations import RememberingGame
    from hlx.explaining import explain, explain_kept, explain_pairs, explain_table
    from hlx.games import CallableGame, TabulatedGame, shapley_from_table
    from hlx.humans import build_human_maps, read_human_maps, read_responses, write_human_maps
    from hlx.interaction_values import interactions
    from hlx.models import CallableModel, load_model
    from hlx.regions import Grid, LabelMap
    from hlx.report import write_report
    from hlx.stimuli import Stimulus, read_stimuli
    from hlx.store import load, save
    from hlx.sweep.plan.expand import plan_sweep
    from hlx.sweep.run.run_sweep import run_sweep


_PACKAGES = ("alignment", "bench", "estimators", "humans")
"""Rooms that are used by their own name."""


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"hlx.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'hlx' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
