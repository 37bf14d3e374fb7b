"""Studies: stimuli with human maps and the maps of models, and the questions asked of them."""

from hlx.study.analysis import Analysis, ModelAnalysis
from hlx.study.study import Benchmark, Study, StudyModel

__all__ = ["Analysis", "Benchmark", "ModelAnalysis", "Study", "StudyModel"]
