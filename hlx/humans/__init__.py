"""Where people looked: clicks on blurred images become masks, raters' maps and mean human maps.

``responses`` reads what participants did, ``masks`` turns clicks into maps and shows an image as a
participant saw it, ``build`` says which responses count and puts these together, ``human_maps`` is the result
and ``human_map_files`` keeps it; ``simulate`` makes participants up for demos.
"""

from hlx.humans.build import build_human_maps
from hlx.humans.human_map_files import read_human_maps, write_human_maps
from hlx.humans.human_maps import (
    ClickMask,
    FilterStep,
    HumanMap,
    HumanMaps,
    Normalisation,
    summary,
    summary_text,
)
from hlx.humans.masks import seen_image
from hlx.humans.responses import Response, read_responses, write_responses
from hlx.humans.simulate import simulate_responses

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
