"""A sweep in one process or in shards, each a process of its own, gives the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hlx.sweep.plan.expand import plan_sweep
from hlx.sweep.results.merge import merge
from tests.support.sweep_files import write_sweep

RUN = "import sys, hlx; hlx.run_sweep(sys.argv[1], shard=eval(sys.argv[2]))"


def test_a_sweep_whole_and_in_shards_has_one_content_hash(tmp_path: Path) -> None:
    """Costly estimators too, which are the first in their process to load a library of linear algebra."""
    sampled = [{"name": name, "budgets": [140]} for name in ("odd-gp", "regression-adjusted", "leverage")]
    asked = {"models": ["fast.py:model"], "regions": ["7x9"], "backgrounds": ["mean"], "estimators": sampled}
    whole, parts = (write_sweep(tmp_path / name, **asked) for name in ("whole", "parts"))
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    runs = [
        subprocess.Popen([sys.executable, "-c", RUN, str(path), shard], env=free)
        for path, shard in ((whole, "None"), (parts, "(1, 2)"), (parts, "(2, 2)"))
    ]
    assert [run.wait() for run in runs] == [0, 0, 0]
    merged = [merge(plan_sweep(path)) for path in (whole, parts)]
    assert merged[0].content_hash == merged[1].content_hash
    assert [one.jobs for one in merged] == [3 * len(sampled)] * 2
