"""Stimuli: an image with a caption that is right and a foil that is wrong, and files that list them.

``stimulus`` holds the value itself, ``readers`` the CSV and JSONL files, ``valse`` the benchmark's own JSON,
``search`` finds images by their names in folders, and ``gather`` brings files and folders together.
"""

from hlx.games.stimuli.gather import Gathered, gather_read, gather_stimuli
from hlx.games.stimuli.readers import read_stimuli
from hlx.games.stimuli.search import FoundImages, beside, find_images
from hlx.games.stimuli.stimulus import Stimulus, stimulus_hash

__all__ = [
    "FoundImages",
    "Gathered",
    "Stimulus",
    "beside",
    "find_images",
    "gather_read",
    "gather_stimuli",
    "read_stimuli",
    "stimulus_hash",
]
