"""What the benchmarks of table transforms share: shapiq on the same table, first calls in new processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
from _environment import ROOT


def shapiq_computer(table: np.ndarray) -> Any:
    """A fresh ExactComputer of shapiq, which has asked for all values of the table (2^n,)."""
    import shapiq

    n = len(table).bit_length() - 1
    powers = 1 << np.arange(n)
    return shapiq.ExactComputer(lambda rows: table[rows.astype(np.int64) @ powers], n, evaluate_game=True)


def first_call(program: str) -> dict[str, float]:
    """Seconds of a first call in a new process: compiled, and with the machine code of the process before.

    The program prints the seconds of its imports and of the call.
    """
    with tempfile.TemporaryDirectory() as folder:
        variables = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", program]
        times = [
            subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, check=True)
            for _ in range(2)
        ]
    (imported, compiled), (_, loaded) = (map(float, done.stdout.split()) for done in times)
    return {"import": imported, "compiled": compiled, "from_disk": loaded}
