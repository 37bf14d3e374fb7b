"""Calls as users make them: in an interpreter of their own, where no import hook checks the annotations."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

_RUN = """
import json, sys
import numpy as np
import hlx
from hlx.bench import benchmark_estimators
said = []
for call in json.load(sys.stdin):
    try:
        said.append(f"no error: {eval(call)!r}")
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""


def said_of(calls: Sequence[str]) -> list[str]:
    """The type and message of the error that each expression ends in; `hlx` and `np` are known to them."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RUN],
        input=json.dumps(list(calls)),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found
