"""The folder a demo writes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hlx.errors import OutputError
from hlx.files import check_output


@contextmanager
def output_folder(folder: Path, names: Sequence[str], force: bool = False) -> Iterator[None]:
    """A folder in which these files can be written; taken away again if it was made here and stays empty.

    Raises
    ------
    OutputError : the folder cannot be made or written to, or one of the files exists (unless `force`).
    """
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{folder}: is a file, expected a folder; name another one") from None
    except OSError as error:
        raise OutputError(f"{folder}: the folder cannot be made: {error.strerror or error}") from error
    try:
        for name in names:
            check_output(folder / name, force)
        yield
    finally:
        if made:
            with suppress(OSError):  # raised where there is something in it
                folder.rmdir()
