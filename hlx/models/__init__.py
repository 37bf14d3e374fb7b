"""The models: `load_model` reads a checkpoint into its JAX port.

hub (name -> folder) and checkpoint (folder -> arrays) feed clip and siglip (arrays -> towers, of the
blocks in transformer); tokens and image_side run their image towers over coalitions; dual_encoder puts both
sides together and game asks it for values.
"""

from hlx.models.load import load_model, load_text_side

__all__ = ["load_model", "load_text_side"]
