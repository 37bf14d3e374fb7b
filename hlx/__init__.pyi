"""The public names of hlx and where they live: `hlx/__init__.py` reads this list, type checkers too."""

from hlx import alignment as alignment
from hlx import bench as bench
from hlx import estimators as estimators
from hlx import humans as humans
from hlx.alignment.analysis import analyze as analyze
from hlx.alignment.analysis import read_study as read_study
from hlx.alignment.compare import compare as compare
from hlx.alignment.model_maps import read_model_maps as read_model_maps
from hlx.attribution.attribution import Attribution as Attribution
from hlx.attribution.estimate import estimate as estimate
from hlx.attribution.explain import explain as explain
from hlx.attribution.explain import explain_from_table as explain_from_table
from hlx.attribution.explain import explain_kept as explain_kept
from hlx.attribution.explain import explain_pairs as explain_pairs
from hlx.attribution.interactions import interactions as interactions
from hlx.attribution.result_file import load as load
from hlx.attribution.result_file import save as save
from hlx.errors import HlxError as HlxError
from hlx.errors import InputError as InputError
from hlx.errors import ModelError as ModelError
from hlx.errors import NonFiniteScoreError as NonFiniteScoreError
from hlx.errors import OutputError as OutputError
from hlx.games.cached import CachedGame as CachedGame
from hlx.games.game import CallableGame as CallableGame
from hlx.games.game import TabulatedGame as TabulatedGame
from hlx.games.game import shapley_from_table as shapley_from_table
from hlx.games.regions import Grid as Grid
from hlx.games.regions import LabelMap as LabelMap
from hlx.games.stimuli import Stimulus as Stimulus
from hlx.games.stimuli import read_stimuli as read_stimuli
from hlx.humans import build_human_maps as build_human_maps
from hlx.humans import read_human_maps as read_human_maps
from hlx.humans import read_responses as read_responses
from hlx.humans import write_human_maps as write_human_maps
from hlx.models import CallableModel as CallableModel
from hlx.models import load_model as load_model
from hlx.report import write_report as write_report
from hlx.sweep.plan.expand import plan_sweep as plan_sweep
from hlx.sweep.run.run_sweep import run_sweep as run_sweep

__version__: str
