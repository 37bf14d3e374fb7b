"""Small sweep files of random images, and their plans."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hlx.sweep.plan.expand import Plan, plan_sweep

Row = tuple[str, str, str, str]
ROWS: tuple[Row, ...] = (
    ("a.png", "a dog", "a cat", "1"),
    ("b.png", "two", "", "2"),
    ("a.png", "x", "y", "3"),
)


FAST = """
import numpy as np
import hlx

def score(images, texts):
    return images.reshape(len(images), -1).mean(axis=1)[:, None] * [len(text) for text in texts]

model = hlx.CallableModel(score, side=12)
"""
"""A model that takes no time to load."""


def write_sweep(folder: Path, rows: Sequence[Row] = ROWS, **keys: object) -> Path:
    """A sweep of random images, all keys of which are as given or small."""
    folder.mkdir(exist_ok=True)
    for name in {row[0] for row in rows}:
        seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
        pixels = np.random.default_rng(seed).integers(0, 256, (32, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    with open(folder / "stimuli.csv", "w", newline="") as file:
        csv.writer(file).writerows([("image", "caption", "foil", "id"), *rows])
    (folder / "fast.py").write_text(FAST)
    known = {"stimuli": ["stimuli.csv"], "models": ["clip-scenes"], "regions": ["2x2"], "output": "out"}
    text = "".join(f"{key} = {toml(value)}\n" for key, value in {**known, **keys}.items())
    (folder / "sweep.toml").write_text(text)
    return folder / "sweep.toml"


def toml(value: object) -> str:
    """A value as TOML has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


def plan_of(folder: Path, rows: Sequence[Row] = ROWS, **keys: object) -> Plan:
    """The plan of such a sweep."""
    return plan_sweep(write_sweep(folder, rows, **keys))
