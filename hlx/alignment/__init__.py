"""How close models' maps are to where people look.

``model_maps`` reads a model's maps of many stimuli from results or tables, `hlx.humans` those of people.
``maps`` measures how similar two maps are, and what baselines and noise ceilings reach; ``inference`` holds
the statistics: tests, effect sizes, intervals, power; ``compare`` brings these together for one model, and
``analysis`` asks the questions of a study of several.
"""

from hlx.alignment import inference, maps

__all__ = ["inference", "maps"]
