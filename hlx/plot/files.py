"""Pictures of explanations into files, whole or not at all."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hlx.errors import OutputError
from hlx.files import write_bytes
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
    write_bytes(path, drawn.getvalue())
