"""The models: `load_model` makes one of a name.

hub (name -> folder) and checkpoint (folder -> arrays) feed the JAX ports clip, siglip and flava (arrays ->
towers, of the blocks in transformer); tokens and image_side run their image towers over coalitions, and
dual_encoder puts both sides together. Every other model is shown composited images: composited makes a model
of any scorer, one in pytorch or a function of the user's own (callable_model). All are a Model, whose masked
images game asks.
"""

from hlx.models.callable_model import CallableModel
from hlx.models.load import load_model, load_text_side

__all__ = ["CallableModel", "load_model", "load_text_side"]
