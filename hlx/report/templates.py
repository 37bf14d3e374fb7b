"""How pages are rendered: the templates of this package, and those of packages that extend them."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(*packages: str) -> Environment:
    """Templates of the named packages, and the reports' own, which they may extend; strict, escaping."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=ChoiceLoader([PackageLoader(package, "") for package in (*packages, "hlx.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return made


def packaged(name: str) -> str:
    """The text of a file beside the reports' templates."""
    return resources.files("hlx.report").joinpath(name).read_text(encoding="utf-8")
