"""Small scenes of coloured shapes on textured grounds, with captions true of them and foils that are not.

The embedded models are trained on these scenes, and since every scene knows where its objects are, they
also tell whether a Shapley map points at what the caption is about. `statements` says what can be said of a
scene and when it is true, `drawing` draws scenes, `stimuli` makes captions and foils for them.

Splits are by seed: `benchmarks/train_embedded.py` draws scenes from `TRAINING_SEEDS` alone; whatever is
measured or shown uses `HELD_OUT_SEED` or a larger seed.
"""

from hlx.games.scenes.drawing import CELL, HELD_OUT_SEED, SIDE, TRAINING_SEEDS, Scene, make_scene
from hlx.games.scenes.scene_stimuli import PHENOMENA, SceneStimulus, iterate_stimuli, make_stimuli
from hlx.games.scenes.statements import COLOURS, KINDS, SHAPES, SIZES, STATEMENTS, SceneObject, truths

__all__ = [
    "CELL",
    "COLOURS",
    "HELD_OUT_SEED",
    "KINDS",
    "PHENOMENA",
    "SHAPES",
    "SIDE",
    "SIZES",
    "STATEMENTS",
    "TRAINING_SEEDS",
    "Scene",
    "SceneObject",
    "SceneStimulus",
    "iterate_stimuli",
    "make_scene",
    "make_stimuli",
    "truths",
]
