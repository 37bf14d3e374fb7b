"""The command line: one file per command, thin; commands are imported when they are called."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from hlx import __version__
from hlx.errors import HlxError

COMMANDS = {
    "demo": "Exact maps and a whole study of embedded scenes, in a few minutes, offline.",
    "explain": "Shapley map of one image: which regions make the model prefer the caption.",
    "interactions": "Which regions act together: interaction indices of every order from a kept table.",
    "bench": "Estimators side by side on games whose exact values are known.",
    "estimators": "The estimators by name: what each does, and the least it takes.",
    "humans": "Human maps from recorded clicks, and images as participants saw them.",
    "compare": "Maps against human maps: similarities, baselines, noise ceilings.",
    "analyze": "The research questions of a study: tests, corrections, effect sizes.",
    "report": "A study as one page: tables, distributions and a gallery of maps.",
    "sweep": "Large sweeps: plan, run, resume, merge and report thousands of maps.",
    "score": "Caption and foil scores of whole stimulus files, and their accuracies.",
    "models": "What can be loaded, what is embedded, and what each needs.",
    "convert": "Write a checkpoint's weights as safetensors, which need no torch.",
}


ARGUMENTS = {
    "batch_size": "--batch-size",
    "detector": "--detector",
    "device": "--device",
    "dtype": "--dtype",
    "engine": "--engine",
    "estimator": "--estimator",
    "force": "--force",
    "grid": "--grid",
    "keep_vectors": "--keep-embeddings",
    "key": "--key",
}
"""Arguments of the library that its messages name, and the options of the commands that take them."""


class LazyCommands(click.Group):
    """Commands by name; a command's module is imported when it runs or shows its own help.

    Parameters
    ----------
    summaries
        The commands and what is said of each.
    modules
        Of `hlx.cli`, by command, where a module has another name than its command.
    """

    def __init__(
        self,
        *arguments: Any,
        summaries: Mapping[str, str],
        modules: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._summaries, self._modules = summaries, modules or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._summaries)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._summaries:
            return None
        return getattr(import_module(f"hlx.cli.{self._modules.get(name, name)}"), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    import jax

    devices = jax.local_devices()
    names = ", ".join(sorted({device.device_kind for device in devices}))
    click.echo(f"hlx {__version__}, jax {jax.__version__}, {len(devices)} x {names} ({devices[0].platform})")
    ctx.exit()


@click.group(
    cls=LazyCommands,
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and the devices, and exit.",
)
@click.pass_context
def group(ctx: click.Context) -> None:
    """Exact Shapley maps of image-text models.

    \b
    Example:
      hlx explain photo.jpg --caption "a dog on a sofa" --foil "a cat on a sofa" \\
          --model openai/clip-vit-base-patch32 --plot map.png
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def in_options(message: str) -> str:
    """A message of the library in the words of a command: `force=True` becomes --force.

    Of the arguments in `ARGUMENTS` alone: file names and texts may hold an = too.
    """

    def option(found: re.Match[str]) -> str:
        name, value = ARGUMENTS[found[1]], found[2].strip('"')
        return name if value == "True" else f"{name} {value}"

    return re.sub(rf'\b({"|".join(ARGUMENTS)})=(True|"[^"]*"|\d+)', option, message)


def _one_line(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if category is UserWarning or category.__module__.startswith("hlx"):
        click.echo(f"warning: {in_options(str(message))}", err=True)


def main() -> None:
    """Entry point: errors that hlx raises on purpose become one line and exit status 2."""
    # Other packages' notices are for their developers; ours are for the user.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.showwarning = _one_line
    try:
        status = group.main(standalone_mode=False)
    except HlxError as error:
        _fail(str(error))
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "hlx"
        _fail(f"{error.format_message()} ({command} --help says more)")
    except click.ClickException as error:
        _fail(error.format_message())
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except OSError as error:  # standard output on a full disk; files have errors of hlx's own
        _fail(str(error))
    except MemoryError as error:
        _fail(f"out of memory: {error or 'use a smaller model, fewer regions or a smaller budget'}")
    except RuntimeError as error:  # what JAX and PyTorch raise when a device cannot hold weights or tokens
        from hlx.models.batches import out_of_memory

        if not out_of_memory(error):
            raise
        _fail("the device ran out of memory: use a smaller model, fewer regions or --dtype bfloat16")
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str) -> None:
    click.echo("hlx: " + in_options(" ".join(message.split())), err=True)
    sys.exit(2)
