"""Studies: stimuli with human maps and the maps of models, and the questions asked of them.

``layout`` says which file of a folder is what, ``scores`` and ``reading`` make a ``study`` of them;
``measuring`` compares maps, ``model_summary``, ``over_models`` and ``corrections`` hold the tests,
``analysis`` brings them together and ``text`` prints them.
"""

from hlx.study.analysis import Analysis, ModelAnalysis, analyze
from hlx.study.reading import read_study
from hlx.study.study import Benchmark, Study, StudyModel
from hlx.study.text import analysis_text

__all__ = [
    "Analysis",
    "Benchmark",
    "ModelAnalysis",
    "Study",
    "StudyModel",
    "analysis_text",
    "analyze",
    "read_study",
]
