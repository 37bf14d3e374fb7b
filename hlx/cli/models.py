"""``hlx models``: what can be loaded."""

from __future__ import annotations

import json
from importlib.util import find_spec

import click

LOADABLE = (
    (
        "CLIP",
        "openai/clip-vit-base-patch32",
        "model_type clip; weights that come only as pytorch_model.bin take the torch extra",
    ),
    (
        "SigLIP",
        "google/siglip-base-patch16-224",
        "model_type siglip; its tokenizer takes the siglip extra",
    ),
    (
        "SigLIP 2",
        "google/siglip2-base-patch16-224",
        "fixed resolution only (model_type siglip); no extra",
    ),
)
"""(architecture, an example on the hub, what it takes)."""

EXTRAS = {
    "siglip": ("sentencepiece", "google.protobuf"),
    "torch": ("torch",),
}
"""Extra -> modules it brings."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def models(as_json: bool) -> None:
    """List the embedded models, the architectures with a port, and the extras that are installed.

    \b
    Example:
      hlx models
    """
    from hlx.models.hub import DEFAULT, EMBEDDED

    installed = {extra: all(map(_present, modules)) for extra, modules in EXTRAS.items()}
    if as_json:
        loadable = [dict(zip(("architecture", "example", "needs"), row, strict=True)) for row in LOADABLE]
        listing = {"embedded": EMBEDDED, "default": DEFAULT, "loadable": loadable, "extras": installed}
        click.echo(json.dumps(listing))
        return
    click.echo("Embedded, offline:")
    for name, summary in EMBEDDED.items():
        click.echo(f"  {name:<16}{summary}")
    click.echo("\nFrom a checkpoint directory, or by hub id (downloaded once):")
    for architecture, example, needs in LOADABLE:
        click.echo(f"  {architecture:<10}e.g. {example}\n{'':<12}{needs}")
    click.echo("\nExtras:")
    for extra, there in installed.items():
        state = "installed" if there else f"missing; from a clone: pip install '.[{extra}]'"
        click.echo(f"  {extra:<16}{state}")


def _present(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package of a dotted name
        return False
