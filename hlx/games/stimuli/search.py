"""Images found by their names in folders and below, in whatever case and with whatever extension stored."""

import filecmp
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hlx.errors import InputError

_KINDS = "jpg jpeg jpe jfif png webp gif bmp dib tif tiff jp2 avif ppm pgm pbm tga ico"

EXTENSIONS = frozenset(f".{kind}" for kind in _KINDS.split())
"""What an image's name may end with; names that differ only here belong together."""


@dataclass(frozen=True)
class FoundImages:
    """Where images are.

    Parameters
    ----------
    paths
        The file of each name that was found.
    missing
        Names that no file has, in the order given.
    ambiguous
        Names that several files have equally well, with different contents, and these files.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    ambiguous: dict[str, list[Path]] = field(default_factory=dict)


def beside(name: str, folder: Path) -> Path | None:
    """The file that `name` is, an absolute path or one relative to `folder`; None where there is none."""
    path = folder / name
    return path if os.path.isfile(path) else None


def find_images(names: Iterable[str], folders: Iterable[str | Path]) -> FoundImages:
    r"""Files with the given names, in any of the folders or below; links are followed, a folder is read once.

    Of several files the best wins: the same file name before one that differs in case, before one that
    differs in its image extension; then the one that shares more of the name's own folders (``coco/1.jpg``).
    Equally good files of the same content count as one, the first in the folders' order; of different
    content, the name is ambiguous and none is chosen.

    Parameters
    ----------
    names
        File names, with or without folders before them; ``/`` and ``\`` both separate.
    folders
        Where to look.

    Raises
    ------
    InputError
        A folder does not exist or is no folder.
    """
    wanted = list(dict.fromkeys(names))
    stems = {_stem(parts[-1]) for name in wanted if (parts := _parts(name))}
    stored: dict[str, list[Path]] = {}
    for path in _files(folders, stems):
        stored.setdefault(_stem(path.name), []).append(path)
    found = FoundImages()
    for name in wanted:
        parts = _parts(name)
        candidates = _best(parts, stored.get(_stem(parts[-1]), [])) if parts else []
        if not candidates:
            found.missing.append(name)
        elif all(_same_content(candidates[0], other) for other in candidates[1:]):
            found.paths[name] = candidates[0]
        else:
            found.ambiguous[name] = candidates
    return found


def _files(folders: Iterable[str | Path], stems: set[str]) -> Iterator[Path]:
    """The files of all folders and below whose stem is one of `stems`, in a settled order."""
    seen: set[str] = set()
    for folder in folders:
        if not Path(folder).is_dir():
            raise InputError(f"{folder}: no such folder to look for images in")
        for root, below, files in os.walk(folder, followlinks=True):
            here = os.path.realpath(root)
            if here in seen:  # a link that leads back, or a folder given twice
                below.clear()
                continue
            seen.add(here)
            below.sort()
            for file in sorted(files):
                path = os.path.join(root, file)
                if _stem(file) in stems and os.path.isfile(path):
                    yield Path(path)


def _best(parts: list[str], candidates: list[Path]) -> list[Path]:
    """The candidates whose name is closest to `parts`, a file's name after its folders'."""
    ranks = [_rank(parts, path) for path in candidates]
    return [path for path, rank in zip(candidates, ranks, strict=True) if rank == max(ranks)]


def _rank(parts: list[str], path: Path) -> tuple[int, int]:
    exact, alike = path.name == parts[-1], _folded(path.name) == _folded(parts[-1])
    shared = 0
    for own, stored in zip(reversed(parts[:-1]), reversed(path.parent.parts), strict=False):
        if _folded(own) != _folded(stored):
            break
        shared += 1
    return exact + alike, shared


def _same_content(first: Path, second: Path) -> bool:
    try:
        return filecmp.cmp(first, second, shallow=False)
    except OSError:
        return False


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


def _folded(name: str) -> str:
    # Some file systems store accents as characters of their own.
    return unicodedata.normalize("NFC", name).casefold()


def _stem(file: str) -> str:
    """What is left of a file's name without its case and its image extension."""
    stem, extension = os.path.splitext(_folded(file))
    return stem if extension in EXTENSIONS else stem + extension
