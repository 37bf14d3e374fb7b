"""Devices by name, and those of JAX."""

from __future__ import annotations

import re

import jax

from hlx.errors import InputError, ModelError

_NAME = re.compile(r"(?:cpu|cuda|tpu)(?::\d+)?")


def check_device(name: str) -> None:
    """Raise InputError unless this can be the name of a device, here or elsewhere."""
    if name != "auto" and not _NAME.fullmatch(name):
        raise InputError(f"device {name!r}: expected auto, cpu, cuda, cuda:N or tpu")


def jax_devices(name: str) -> list[jax.Device]:
    """The devices of a name: all of a kind, or "cuda:1" alone.

    Raises
    ------
    ModelError
        None such here.
    """
    kind, _, number = name.partition(":")
    try:
        found = jax.local_devices(backend=kind)
        return [found[int(number)]] if number else found
    except (RuntimeError, ValueError, IndexError) as error:
        there = ", ".join(f"{each.platform}:{i}" for i, each in enumerate(jax.local_devices()))
        raise ModelError(f"device {name!r} is not here for JAX; there are: {there}") from error
