"""Where people looked: clicks on blurred images become masks, raters' maps and mean human maps.

``responses`` reads what participants did, ``validity`` says which responses count, ``masks`` turns clicks
into maps, ``build`` puts these together, ``human_maps`` is the result and ``files`` keeps it; ``render``
shows an image as a participant saw it.
"""

from hlx.humans.human_maps import ClickMask, FilterStep, HumanMap, HumanMaps, Normalisation

__all__ = ["ClickMask", "FilterStep", "HumanMap", "HumanMaps", "Normalisation"]
