"""What benchmarks share: interleaved timing, ratios with their spread, results that say what made them."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def environment(packages: Sequence[str] = ()) -> dict[str, Any]:
    """Device, usable cores, versions (None where not installed), commit, and whether files differ from it.

    `dirty` leaves out bench_results/, which benchmarks write; it and `commit` are None outside a checkout.
    """
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    changes = _git("status", "--porcelain", "--", ".", ":!bench_results")
    return {
        "device": device_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def device_name() -> str:
    """The kind of jax's first device where jax is imported and has an accelerator, else the processor."""
    if "jax" in sys.modules:
        device = sys.modules["jax"].devices()[0]
        if device.platform != "cpu":
            return str(device.device_kind)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def interleave(
    functions: Mapping[str, Callable[..., Any]],
    repeats: int,
    setups: Mapping[str, Callable[[], Any]] | None = None,
    warm_up: int = 1,
) -> dict[str, list[float]]:
    """Time functions side by side, in rounds, so that a slow moment of the machine falls on all of them.

    Parameters
    ----------
    functions
        Called without arguments, or with what their entry in `setups` returned. One that works on an
        accelerator must wait for its result.
    repeats
        Timed rounds; each runs every function once, and starts one function further than the last.
    setups
        Called, untimed, before each call of the function of the same name.
    warm_up
        Untimed rounds before these.

    Returns
    -------
    dict[str, list[float]]
        Seconds of each round by name, so that ratios can be taken within rounds.
    """
    names = list(functions)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for round_number in range(-warm_up, repeats):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            arguments = (setups[name](),) if setups and name in setups else ()
            start = time.perf_counter()
            functions[name](*arguments)
            elapsed = time.perf_counter() - start
            if round_number >= 0:
                seconds[name].append(elapsed)
    return seconds


def summary(samples: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest of the samples."""
    return {"median": float(np.median(samples)), "min": float(min(samples)), "max": float(max(samples))}


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest of the ratios within rounds."""
    return summary([above / below for above, below in zip(numerators, denominators, strict=True)])


def write_results(name: str, results: Mapping[str, Any], packages: Sequence[str] = ()) -> Path:
    """Write bench_results/NAME.json: the environment, then the results. Returns the path."""
    path = ROOT / "bench_results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({"environment": environment(packages), **results}, indent=2)
    path.write_text(text + "\n")
    return path


def most_resident() -> int:
    """High-water mark of resident memory, bytes.

    Linux keeps `ru_maxrss` over an exec, so that a child of a large process reports its parent's memory;
    VmHWM belongs to the new program alone.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
