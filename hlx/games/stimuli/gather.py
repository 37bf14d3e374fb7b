"""Several stimulus files and folders of images, brought together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlx.errors import InputError
from hlx.games.stimuli.readers import read_stimuli
from hlx.games.stimuli.search import beside, find_images
from hlx.games.stimuli.stimulus import Stimulus


@dataclass(frozen=True)
class Gathered:
    """Stimuli of several files, their images still named as the files name them.

    Parameters
    ----------
    stimuli
        In the order of the files.
    sources
        The image file of each stimulus; None where none was found.
    """

    stimuli: list[Stimulus]
    sources: list[Path | None]

    @property
    def missing(self) -> list[str]:
        """Names of the images that were not found, each once."""
        pairs = zip(self.stimuli, self.sources, strict=True)
        return list(dict.fromkeys(stimulus.image_name for stimulus, source in pairs if source is None))


def gather_stimuli(
    files: Sequence[str | Path],
    folders: Iterable[str | Path] = (),
    *,
    validated: bool = False,
    need_foil: bool = False,
) -> Gathered:
    """Read stimulus files and find their images: beside the file that names them, else in the folders.

    Parameters
    ----------
    files, validated, need_foil
        As in :func:`~hlx.games.stimuli.read_stimuli`.
    folders
        As in :func:`~hlx.games.stimuli.find_images`.

    Raises
    ------
    InputError
        As in both; two files use the same id; different images have equally good names.
    """
    # One file after the other, so that of several errors the first file's is told.
    read = (
        (file, read_stimuli(file, validated=validated, need_foil=need_foil, resolve=False)) for file in files
    )
    return gather_read(read, folders)


def gather_read(
    read: Iterable[tuple[str | Path, Sequence[Stimulus]]], folders: Iterable[str | Path] = ()
) -> Gathered:
    """As `gather_stimuli`, of files with the stimuli already read from them, their images not resolved."""
    stimuli: list[Stimulus] = []
    near: list[Path | None] = []
    owners: dict[str | None, str | Path] = {}
    for file, own in read:
        for stimulus in own:
            if stimulus.id in owners:
                raise InputError(
                    f"{file}: the id {stimulus.id!r} is also one of {owners[stimulus.id]}; ids must be "
                    "unique over all files (where a file gives none they start with its name)"
                )
            owners[stimulus.id] = file
            stimuli.append(stimulus)
            near.append(beside(stimulus.image_name, Path(file).parent))
    pairs = list(zip(stimuli, near, strict=True))
    found = find_images([stimulus.image_name for stimulus, path in pairs if path is None], folders)
    if found.ambiguous:
        name, (first, second, *_) = next(iter(found.ambiguous.items()))
        others = f" (and {len(found.ambiguous) - 1} more names)" if len(found.ambiguous) > 1 else ""
        raise InputError(
            f"image {name!r}{others}: {first} and {second} have this name and differ; "
            "leave a folder out, or name the image with its folder"
        )
    return Gathered(stimuli, [path or found.paths.get(stimulus.image_name) for stimulus, path in pairs])
