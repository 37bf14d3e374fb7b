"""The slots for workers that the devices of a Ray cluster make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hlx.errors import InputError


@dataclass(frozen=True)
class Slot:
    """Room for one worker: one device.

    Attributes
    ----------
    cpus, gpus, tpus
        What Ray sets aside for it.
    node
        Id of the only node that it may be on; None for any that has the device.
    host
        That node's name; what it is called in words where there is none.
    """

    cpus: int
    gpus: int = 0
    tpus: int = 0
    node: str | None = None
    host: str = "any node"


def slots(nodes: Sequence[Mapping[str, Any]], actors: int | None = None, cpu: bool = False) -> list[Slot]:
    """A slot for each GPU; without GPUs for each TPU chip; without both for each node, with all of its CPUs.

    Parameters
    ----------
    nodes
        Of `ray.nodes()`.
    actors
        At most so many; of nodes without devices exactly so many, which share them.
    cpu
        Count no GPUs and TPUs.

    Raises
    ------
    InputError
        `actors` is below 1, or above the number of CPUs; the cluster has nothing to compute on.
    """
    if actors is not None and actors < 1:
        raise InputError(f"ray_actors {actors}: expected at least 1")
    alive = [node for node in nodes if node.get("Alive")]
    for name, slot in (
        ("GPU", Slot(1, gpus=1, host="a GPU's node")),
        ("TPU", Slot(1, tpus=1, host="a TPU's node")),
    ):
        count = sum(int(node["Resources"].get(name, 0)) for node in alive)
        if count and not cpu:
            return [slot] * min(count, actors or count)
    cpus = {node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in alive}
    most = sorted((node for node in alive if cpus[node["NodeID"]]), key=lambda node: -cpus[node["NodeID"]])
    if not most:
        raise InputError("ray: the cluster has no GPUs, TPUs or CPUs for workers")
    total = sum(cpus.values())
    wanted = len(most) if actors is None else actors
    if wanted > total:
        raise InputError(
            f"ray_actors {wanted}: the cluster has {total} CPUs, expected at most one worker each"
        )
    own = [cpus[node["NodeID"]] for node in most]
    placed = [1] * len(most) if actors is None else _spread(own, actors)
    return [
        Slot(
            cpus[node["NodeID"]] // count, node=node["NodeID"], host=str(node.get("NodeManagerHostname", ""))
        )
        for node, count in zip(most, placed, strict=True)
        for _ in range(count)
    ]


def _spread(cpus: Sequence[int], wanted: int) -> list[int]:
    """Workers on each node, one after the other where each has the most CPUs."""
    placed = [0] * len(cpus)
    for _ in range(wanted):
        i = max(range(len(cpus)), key=lambda i: (cpus[i] / (placed[i] + 1), -placed[i]))
        placed[i] += 1
    return placed
