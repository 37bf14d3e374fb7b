"""Studies: stimuli with human maps and the maps of models, and the questions asked of them.

``layout`` says which file of a folder is what; ``scores``, ``stimulus_images`` and ``reading`` make a
``study`` of them. ``questions`` asks the reference study's questions, whose results are an ``analysis``, and
``text`` prints it.
"""

from hlx.alignment.analysis.analysis import Analysis, ModelAnalysis
from hlx.alignment.analysis.questions import analyze
from hlx.alignment.analysis.reading import read_study
from hlx.alignment.analysis.study import Benchmark, Study, StudyModel
from hlx.alignment.analysis.text import analysis_text

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
