"""Peak memory of a process that loads a checkpoint and sweeps one image, and nothing else.

python benchmarks/_sweep_memory.py CHECKPOINT DTYPE GRID
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax
import numpy as np
from _environment import most_resident

import hlx


def main(folder: Path, dtype: str, grid: str) -> None:
    """Print one JSON object of bytes: most resident memory, most device memory (null on a CPU)."""
    model = hlx.load_model(folder, dtype=dtype)
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    stimulus = hlx.Stimulus(image=image, caption="a red circle", foil="a blue circle")
    model.game(stimulus, hlx.Grid.parse(grid)).table()
    device = jax.devices()[0].memory_stats() or {}
    print(json.dumps({"resident": most_resident(), "device": device.get("peak_bytes_in_use")}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
