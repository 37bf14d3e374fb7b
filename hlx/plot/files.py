"""Pictures of explanations into files, whole or not at all."""

import contextlib
import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hlx.errors import OutputError
from hlx.plot.overlay import Panel, contact_sheet

# What each file format is saved with, so that the same figure gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None},
}


def save_overlay(path: str | Path, panel: Panel) -> None:
    """Write :func:`overlay_figure` to a .png or .pdf file, whole or not at all.

    Raises
    ------
    OutputError
        Another extension, or the file cannot be written.
    """
    save_contact_sheet(path, [panel])


def save_contact_sheet(path: str | Path, panels: Sequence[Panel]) -> None:
    """Write :func:`contact_sheet` to a .png or .pdf file, whole or not at all.

    Raises
    ------
    InputError
        There is nothing to draw.
    OutputError
        Another extension, or the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _METADATA:
        raise OutputError(
            f"{path}: pictures are written as {' or '.join(_METADATA)}, found {kind or 'no extension'!r}"
        )
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        # A caption in a script that the font lacks is drawn as boxes; that is all there is to say about it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        contact_sheet(panels).savefig(drawn, format=kind[1:], metadata=_METADATA[kind])
    _replace(path, drawn.getvalue())


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "is a folder")
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
