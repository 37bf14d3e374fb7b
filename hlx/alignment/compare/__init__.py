"""How similar model maps are to human maps, beside what chance, the centre bias and other people reach.

``comparison`` compares a model's maps with human maps, ``people`` holds where people looked and how they
agree, and ``presentation`` makes of a comparison what is printed, written to tables and drawn.
"""

from hlx.alignment.compare.comparison import Comparison, MeasureResult, compare
from hlx.alignment.compare.presentation import comparison_panels, comparison_rows, summary

__all__ = ["Comparison", "MeasureResult", "compare", "comparison_panels", "comparison_rows", "summary"]
