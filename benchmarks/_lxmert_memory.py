"""Peak memory of a process that evaluates one batch of LXMERT's coalitions, and nothing else.

python benchmarks/_lxmert_memory.py CHECKPOINT DTYPE BATCH
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from _environment import most_resident
from _lxmert_contenders import Lxmert


def main(folder: Path, dtype: str, batch: int) -> None:
    """Print one JSON object of bytes: most resident memory, most device memory (null on a CPU)."""
    Lxmert(folder, dtype, batch).prepare(batch)
    device = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    print(json.dumps({"resident": most_resident(), "device": device}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
