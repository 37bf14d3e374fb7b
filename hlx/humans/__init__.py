"""Where people looked: clicks on blurred images become masks, raters' maps and mean human maps.

``responses`` reads what participants did, ``validity`` says which responses count, ``masks`` turns clicks
into maps, ``build`` puts these together, ``human_maps`` is the result and ``files`` keeps it; ``render``
shows an image as a participant saw it, ``summary`` says what a build came to, and ``simulate`` makes
participants up for demos.
"""

from hlx.humans.build import build_human_maps
from hlx.humans.files import read_human_maps, write_human_maps
from hlx.humans.human_maps import ClickMask, FilterStep, HumanMap, HumanMaps, Normalisation
from hlx.humans.render import seen_image
from hlx.humans.responses import Response, read_responses, write_responses
from hlx.humans.simulate import simulate_responses
from hlx.humans.summary import summary, summary_text

__all__ = [
    "ClickMask",
    "FilterStep",
    "HumanMap",
    "HumanMaps",
    "Normalisation",
    "Response",
    "build_human_maps",
    "read_human_maps",
    "read_responses",
    "seen_image",
    "simulate_responses",
    "summary",
    "summary_text",
    "write_human_maps",
    "write_responses",
]
