"""Sweeps: many stimuli, models, grids and estimators, in runs that can be killed, resumed and spread.

``config`` reads the sweep file. ``plan`` expands it into jobs, each known by a hash of all that determines
its result, in groups that share an image. ``run`` has the groups computed, by the local devices or by a Ray
cluster, and keeps what is done. ``results`` holds shards, the merged file and tables made of it. ``costs``
says what a plan takes before it runs, ``across_settings`` what it found over grids, backgrounds, estimators.
"""
