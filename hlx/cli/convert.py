"""``hlx convert``: pickled checkpoints to safetensors."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("source", metavar="DIR|HUB-ID")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--revision", metavar="NAME", help="Branch, tag or commit of a hub id.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
def convert(source: str, folder: Path, revision: str | None, force: bool) -> None:
    """Write the weights of a checkpoint as safetensors into FOLDER, with its configuration files.

    Checkpoints that ship only pytorch_model.bin take the torch extra to read, once; FOLDER never does.

    \b
    Example:
      hlx convert openai/clip-vit-base-patch32 clip-vit-base-patch32
    """
    from hlx.models.loading.safetensors_copy import convert as rewrite

    count = rewrite(source, folder, revision, force)
    click.echo(f"{count} tensors in {folder / 'model.safetensors'}")
