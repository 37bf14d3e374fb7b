"""The shell around a page's sections: head, contents, style, summary and how it was made."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.metadata import version
from typing import Any

from markupsafe import Markup

from hlx.report.kit.colours import colour_rules
from hlx.report.kit.sections import Section

SEPARATOR = " · "
"""Between the facts above a page's title."""


@dataclass(frozen=True)
class Page:
    """A page, and what it says first."""

    html: str = field(repr=False)
    title: str
    findings: tuple[str, ...]


def render(
    template: str,
    *,
    title: str,
    facts: Sequence[str],
    findings: Sequence[str],
    sections: Sequence[Section],
    method: Sequence[tuple[str, str]],
    summary: Mapping[str, Any],
    style: str = "",
    script: str = "",
    **more: Any,
) -> str:
    """The HTML of a page by a template of `hlx.report.pages`; sections without parts are left out.

    Parameters
    ----------
    facts
        What stands above the title.
    method
        How the page was made: names and values; those without a value are left out.
    summary
        All numbers, as JSON's types.
    style, script
        Of this page, beside the style of all. Nothing but the script may run, and nothing is loaded.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(f"hlx.report.{room}", "") for room in ("pages", "kit")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"img-src data:; script-src 'sha256-{digest}'; " if script else ""
    return environment.get_template(template).render(
        title=title,
        eyebrow=SEPARATOR.join(facts),
        findings=findings,
        sections=[section for section in sections if section.parts],
        method=[(name, value) for name, value in method if value],
        style=Markup(f"{packaged('kit', 'page.css')}\n{colour_rules()}\n{style}"),
        script=Markup(script),
        policy=f"default-src 'none'; {allowed}style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        summary=summary,
        version=version("hlx"),
        **more,
    )


def packaged(room: str, name: str) -> str:
    """The text of a file of `hlx.report.kit` or `hlx.report.pages`."""
    return resources.files(f"hlx.report.{room}").joinpath(name).read_text(encoding="utf-8")
