"""Batch studies: many stimuli, models, grids and estimators, in runs that can be killed, resumed and spread.

``study_file`` reads the TOML file, ``plan`` turns it into ``units``, each known by a hash of all that
determines its result. ``preparing`` and ``computing`` turn the units of one image into ``results``;
``running`` has that done by a ``crew``, the local devices or ``ray_crew``, and keeps what is done in
``shards``. ``merging`` makes one file of them, ``exporting`` tables, and ``agreement`` compares grids and
backgrounds.
"""
