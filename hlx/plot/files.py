"""Pictures of explanations into files, whole or not at all."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlx.errors import OutputError
from hlx.files import write_bytes
from hlx.plot.overlay import Panel, contact_sheet

if TYPE_CHECKING:
    import matplotlib.figure

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
    check_picture(path)
    save_figure(path, contact_sheet(panels))


def save_figure(path: str | Path, figure: "matplotlib.figure.Figure") -> None:
    """Write a figure to a .png or .pdf file, whole or not at all; errors as `save_contact_sheet`."""
    write_bytes(path, figure_bytes(figure, check_picture(path)))


def figure_bytes(figure: "matplotlib.figure.Figure", kind: str = ".png") -> bytes:
    """A figure as the content of a file of this kind; the same figure gives the same bytes."""
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        # A caption in a script that the font lacks is drawn as boxes; that is all there is to say about it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(drawn, format=kind[1:], metadata=_METADATA[kind])
    return drawn.getvalue()


def check_picture(path: str | Path) -> str:
    """The kind of picture that a path asks for; OutputError for anything but .png and .pdf."""
    kind = Path(path).suffix.lower()
    if kind not in _METADATA:
        raise OutputError(
            f"{path}: pictures are written as {' or '.join(_METADATA)}, found {kind or 'no extension'!r}"
        )
    return kind
