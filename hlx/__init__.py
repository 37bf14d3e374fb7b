"""hlx: exact Shapley maps of image-text models.

    model = hlx.load_model("clip-scenes")
    attribution = hlx.explain(model, hlx.Stimulus("photo.jpg", "a red circle", foil="a blue square"))

The names that `__init__.pyi` beside this file imports are imported when first used, so that the command line
answers at once; it is what type checkers read, too.
"""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    alias.asname or alias.name: (statement.module, alias.name)
    for statement in ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body
    if isinstance(statement, ast.ImportFrom)
    for alias in statement.names
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hlx' has no attribute {name!r}")
    home, own = _HOMES[name]
    held = vars(import_module(home))
    value = held[own] if own in held else import_module(f"{home}.{own}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
