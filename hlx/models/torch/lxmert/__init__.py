"""LXMERT: the ``scorer`` and its ``network`` of ``layers``.

``region_features`` are what its ``detector`` finds.
"""
