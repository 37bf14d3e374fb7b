"""Attributions: from a model or a game to Shapley values and what is made of them.

``explain`` maps a stimulus, ``estimate`` any game, ``interactions`` says which players act together,
``score`` scores without any coalition. ``attribution`` is the result, ``result_file`` keeps it,
``map_tables`` and ``export`` hand it on; ``magnitudes`` and ``error_measures`` compare.
"""
