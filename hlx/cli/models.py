"""``hlx models``: what can be loaded."""

from __future__ import annotations

import json
from importlib.util import find_spec

import click

EXTRAS = {
    "siglip": ("sentencepiece", "google.protobuf"),
    "torch": ("torch",),
}
"""Extra -> modules it brings."""

OWN = (
    "f(images, texts) -> scores: uint8 (m, 224, 224, 3) and a list of t texts in, real numbers (m, t) out; "
    "hlx.CallableModel sets another size"
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def models(as_json: bool) -> None:
    """List the embedded models, the architectures that can be loaded, and the extras that are installed.

    \b
    Example:
      hlx models
    """
    from hlx.models.families import FAMILIES
    from hlx.models.loading.hub import DEFAULT, EMBEDDED

    installed = {extra: all(map(_present, modules)) for extra, modules in EXTRAS.items()}
    if as_json:
        loadable = [
            {
                "architecture": family.title,
                "model_type": family.model_type,
                "example": family.example,
                "engines": list(family.engines),
                "score": family.score,
                "extras": list(family.extras),
            }
            for family in FAMILIES.values()
        ]
        listing = {"embedded": EMBEDDED, "default": DEFAULT, "loadable": loadable, "extras": installed}
        click.echo(json.dumps(listing))
        return
    click.echo("Embedded, offline:")
    for name, summary in EMBEDDED.items():
        click.echo(f"  {name:<16}{summary}")
    click.echo("\nFrom a checkpoint directory, or by hub id (downloaded once):")
    for family in FAMILIES.values():
        default, *others = family.engines
        engines = " or ".join([f"--engine {default}" + (", the default," if others else ""), *others])
        extras = f"; takes the {' and '.join(family.extras)} extra" if family.extras else ""
        click.echo(f"  {family.title:<14}e.g. {family.example}")
        click.echo(f"{'':<16}model_type {family.model_type}, {engines}{extras}")
        click.echo(f"{'':<16}score: {family.score}")
    click.echo("\nA function of your own, as MODULE:FUNCTION or FILE.py:FUNCTION:")
    click.echo(f"  {OWN}")
    click.echo(
        "\nThe torch engine takes the torch extra for every architecture, and so do weights that come only "
        "as pytorch_model.bin."
    )
    click.echo("\nExtras:")
    for extra, there in installed.items():
        state = "installed" if there else f"missing; from a clone: pip install '.[{extra}]'"
        click.echo(f"  {extra:<16}{state}")


def _present(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package of a dotted name
        return False
