"""A sweep as one self-contained page."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from hlx.io.files import check_output, write_bytes
from hlx.io.messages import plural, plural_stimuli
from hlx.report.kit.numbers import listed
from hlx.report.kit.shell import Page, render
from hlx.report.pages.sweep_findings import findings
from hlx.report.pages.sweep_sections import (
    COMMON,
    backgrounds_section,
    cost_section,
    errors_section,
    grids_section,
    missing_section,
)
from hlx.sweep.across_settings.settings_comparison import SweepComparison

STYLE = """
.heat { stroke: var(--hair); }
.facts dd { overflow-wrap: anywhere; }
.plot text.on-light { fill: #fff; font-weight: 600; }
.plot text.on-dark { fill: #1c1d20; font-weight: 600; }
"""
"""Beside the style of all pages: numbers on a heat map's colours, which both schemes share; long hashes."""


def make_sweep_page(sweep: SweepComparison, title: str | None = None) -> Page:
    """The page of a sweep, the same for the same results."""
    title = title or f"What {listed(sweep.labels)} see, and how that depends on how one asks"
    found = findings(sweep)
    html = render(
        "sweep.html",
        title=title,
        facts=[
            sweep.name,
            plural_stimuli(sweep.stimuli),
            plural(len(sweep.models), "model"),
            plural(len(sweep.regions), "partition into regions", "partitions into regions"),
        ],
        findings=found,
        sections=[
            grids_section(sweep),
            errors_section(sweep),
            backgrounds_section(sweep),
            cost_section(sweep),
            missing_section(sweep),
        ],
        method=_method(sweep),
        summary=sweep.as_dict(),
        style=STYLE,
    )
    return Page(html, title, tuple(found))


def write_sweep_page(
    path: Path, sweep: SweepComparison, *, title: str | None = None, force: bool = False
) -> Page:
    """Write the page of a sweep to a file, whole or not at all.

    Raises
    ------
    OutputError
        The file exists (unless `force`), or cannot be written.
    """
    path = check_output(path, force)
    page = make_sweep_page(sweep, title)
    write_bytes(path, page.html.encode())
    return page


def _method(sweep: SweepComparison) -> list[tuple[str, str]]:
    said = [("Results", f"content hash {sweep.content_hash}")]
    for model in sweep.models:
        revision = f", revision {model['revision']}" if model.get("revision") else ""
        weights = f"weights {model['fingerprint'][:12]}"
        said.append(
            (
                f"Model {model['label']}",
                f"{model['name']}{revision}, {model['dtype']}, {model['engine']}, {weights}",
            )
        )
    for versions in sweep.versions:
        packages = ", ".join(f"{name} {value}" for name, value in versions.items() if name != "device")
        said.append(("Computed with", f"{packages} on {versions.get('device', 'an unknown device')}"))
    said += [
        ("Backgrounds", ", ".join(sweep.backgrounds)),
        ("Estimators", ", ".join(sweep.estimators)),
        ("Common grid", COMMON.get(sweep.common, sweep.common)),
        ("Compared with", ", ".join(f"{name} {version(name)}" for name in ("hlx", "numpy", "scipy"))),
    ]
    return said
