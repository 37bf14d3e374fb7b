"""The models: `load_model` makes one of a name.

``loading`` finds a checkpoint and reads it, ``families`` lists the architectures. ``jax`` holds the ports,
whose image towers never see a masked image; every other model is shown composited images (``composited``):
those in ``torch``, or a function of the user's own (``function``). All are a ``model``, whose stimuli become
an ``image_text_game``; ``batches`` decides how many coalitions go at once.
"""

from hlx.models.function import CallableModel
from hlx.models.loading.load import load_model, load_text_side

__all__ = ["CallableModel", "load_model", "load_text_side"]
