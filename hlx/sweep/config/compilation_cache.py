"""Compiled functions kept on the disk for the next run, in a folder that nobody else can write to.

What lies there is run as code, so that whoever can put a file there can do all that the user can.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hlx.errors import InputError, OutputError


def own_folder() -> Path:
    """Where the user's compiled functions are: $XDG_CACHE_HOME/hlx/compiled, or under ~/.cache."""
    # The specification of XDG: what is no absolute path is to be ignored.
    named = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(named) if os.path.isabs(named) else Path.home() / ".cache"
    return root / "hlx" / "compiled"


def private_folder(folder: Path) -> Path:
    """The folder by its real path; it is made, with those above it, for the user alone if missing.

    Raises
    ------
    InputError
        It, or a folder above it, is somebody else's or can be written by others.
    OutputError
        It cannot be made.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        for place in reversed(missing):
            place.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OutputError(f"compilation_cache {folder}: cannot be made: {error.strerror or error}") from error
    folder = folder.resolve()
    for place in (folder, *folder.parents):
        refused = _refused(place.stat(), own=place == folder)
        if refused is not None:
            raise InputError(
                f"compilation_cache {folder}: {place} {refused}, and what is kept there is run as code: "
                "choose a folder of your own (chmod go-w), or leave compilation_cache out"
            )
    return folder


def keep_compiled(folder: Path) -> Path:
    """Have JAX keep what it compiles in a `private_folder`, from now on in this process; errors as there."""
    import jax

    folder = private_folder(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return folder


def _refused(found: os.stat_result, own: bool) -> str | None:
    """What speaks against a folder that holds compiled functions (`own`), or against one above it."""
    if not stat.S_ISDIR(found.st_mode):
        return "is no folder"
    if found.st_uid != os.geteuid() and (own or found.st_uid != 0):
        return "belongs to another user"
    # In folders like /tmp (sticky) others cannot replace what is not theirs.
    if found.st_mode & 0o022 and (own or not found.st_mode & stat.S_ISVTX):
        return "can be written by other users"
    return None
