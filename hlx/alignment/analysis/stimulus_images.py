"""Images of a study's stimuli, as large as a page needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from hlx.errors import InputError
from hlx.games.stimuli import Stimulus, find_images
from hlx.io.images import read_image
from hlx.io.messages import examples, plural, plural_stimuli

LONG_SIDE = 256
"""Of a thumbnail, in pixels."""


def stimulus_images(
    stimuli: Sequence[str],
    about: Mapping[str, Stimulus],
    files: Mapping[str, Path],
    shown: Mapping[str, UInt8[np.ndarray, "h w 3"]],
    folder: str | Path | None,
) -> tuple[dict[str, UInt8[np.ndarray, "height width 3"]], list[str]]:
    """Pixels by stimulus id, and notes on what is missing.

    An image is looked for by its name in `folder` and below, then beside the file that lists the stimuli,
    then among the images that result files keep.

    Parameters
    ----------
    stimuli
        Ids.
    about
        stimuli with the names of their images; a stimulus that is not there is named after its image.
    files
        Images found beside the file that lists the stimuli, by stimulus id.
    shown
        What models were shown, by stimulus id.
    folder
        Of images.

    Raises
    ------
    InputError
        `folder` is none, or holds different images of a name.
    """
    names = {stimulus: about[stimulus].image_name if stimulus in about else stimulus for stimulus in stimuli}
    named = _in_folder(names, folder)
    found: dict[str, UInt8[np.ndarray, "h w 3"]] = {}
    broken = []
    for stimulus, name in names.items():
        path = named.get(name) or files.get(stimulus)
        try:
            if path is not None:
                found[stimulus] = thumbnail(read_image(path))
        except InputError:
            broken.append(str(path))
        if stimulus not in found and stimulus in shown:
            found[stimulus] = thumbnail(shown[stimulus])
    notes = []
    if folder is not None and not named:
        notes.append(f"{folder} holds no image of any stimulus, such as {examples(list(names.values()))}")
    if broken:
        notes.append(f"{plural(len(broken), 'image')} cannot be read: {examples(broken)}")
    missing = [stimulus for stimulus in stimuli if stimulus not in found]
    if missing and (found or folder is not None):
        notes.append(f"{plural_stimuli(len(missing))} without an image: {examples(missing)}")
    return found, notes


def thumbnail(
    image: UInt8[np.ndarray, "h w 3"], longest: int = LONG_SIDE
) -> UInt8[np.ndarray, "height width 3"]:
    """The image with so many pixels on its long side at most, its aspect kept."""
    small = Image.fromarray(image)
    small.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    return np.array(small, dtype=np.uint8)


def _in_folder(names: Mapping[str, str], folder: str | Path | None) -> Mapping[str, Path]:
    if folder is None:
        return {}
    found = find_images(names.values(), [folder])
    if found.ambiguous:
        name, (first, second, *_) = next(iter(found.ambiguous.items()))
        raise InputError(f"image {name!r}: {first} and {second} have this name and differ; leave one out")
    return found.paths
