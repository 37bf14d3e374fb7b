"""How close model maps are to human maps, beside what chance, the centre and other people reach.

``comparison`` is the result, ``matching`` computes it, and ``summary`` makes of it what is printed and drawn.
"""

from hlx.comparing.comparison import Comparison, MeasureResult
from hlx.comparing.matching import compare
from hlx.comparing.summary import comparison_panels, comparison_rows, summary

__all__ = ["Comparison", "MeasureResult", "compare", "comparison_panels", "comparison_rows", "summary"]
