"""From a name to weights: ``hub`` finds the folder, ``checkpoint`` reads it by a ``weight_map``.

``processors`` are its tokenizer and image processor, ``devices`` where it may run, ``load`` puts all
together, and ``safetensors_copy`` rewrites pickled weights.
"""
