"""The user's own objects by name: "file.py:name" or "module:name", imported and run here."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from hlx.errors import HlxError
from hlx.io.messages import first_line, message_of

SPEC = re.compile(r"(?P<source>.+):(?P<name>[A-Za-z_]\w*)")


def is_own_name(name: str) -> bool:
    """Whether a name is that of an object of the user's own, "module:name" or "file.py:name"."""
    found = SPEC.fullmatch(name)
    # one letter before the colon is a Windows drive
    return found is not None and len(found["source"]) > 1 and not Path(name).exists()


def own_object(spec: str, what: str, error: type[HlxError]) -> Any:
    """What "module:name" or "path/to/file.py:name" names.

    Modules are looked for in the current directory too; what a file imports, in its own.

    Parameters
    ----------
    spec
        The name.
    what
        What it should be, "model" say, for messages.
    error
        What is raised.

    Raises
    ------
    HlxError
        The type `error`: no such file, module or name, or the import fails.
    """
    found = SPEC.fullmatch(spec)
    if found is None:
        raise error(f"{what} {spec!r}: expected MODULE:NAME or FILE.py:NAME")
    source, name = found["source"], found["name"]
    try:
        module = _imported(source)
    except FileNotFoundError:
        raise error(f"{what} {spec!r}: there is no file {source}") from None
    except ModuleNotFoundError as missing:
        if missing.name is not None and (source == missing.name or source.startswith(f"{missing.name}.")):
            raise error(f"{what} {spec!r}: there is no module {source}") from missing
        raise error(f"{what} {spec!r}: {source} cannot be imported: {first_line(missing)}") from missing
    except SystemExit as ended:
        raise error(f"{what} {spec!r}: {source} cannot be imported: it ends the program") from ended
    except Exception as raised:  # whatever the user's code raises
        raise error(f"{what} {spec!r}: {source} cannot be imported: {message_of(raised)}") from raised
    if not hasattr(module, name):
        raise error(f"{what} {spec!r}: {source} has nothing called {name}")
    return getattr(module, name)


def source_hash(spec: str) -> str | None:
    """SHA-256 of the file that an own object's name names; None for a module, or where there is no file."""
    source = Path(spec.rpartition(":")[0]).expanduser()
    is_file = source.suffix == ".py" and source.is_file()
    return hashlib.sha256(source.read_bytes()).hexdigest() if is_file else None


def _imported(source: str) -> Any:
    if source.endswith(".py"):
        path = Path(source).expanduser()
        if not path.is_file():
            raise FileNotFoundError(source)
        return _run(path.resolve())
    _look_in(Path.cwd())
    return importlib.import_module(source)


def _run(path: Path) -> Any:
    """The module of a file, under a name that no other file and no package has."""
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    described = importlib.util.spec_from_file_location(name, path)
    assert described is not None and described.loader is not None
    module = importlib.util.module_from_spec(described)
    _look_in(path.parent)
    sys.modules[name] = module  # its classes look for themselves there
    try:
        described.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # what is half there is not to be found
        raise
    return module


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
