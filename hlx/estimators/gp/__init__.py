"""The odd Gaussian process: ``odd_gp`` is the estimator, ``posterior`` its algebra.

``odd_kernels`` and ``interaction_kernels`` are the prior, ``triples`` which regions lie near each other, and
``spread_pairs`` the coalitions it asks for.
"""
