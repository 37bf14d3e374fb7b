"""Bootstrap intervals of large samples are those of one batch."""

from __future__ import annotations

import numpy as np
import pytest

from hlx.alignment.inference import bca_interval, intervals, spearman


def test_intervals_do_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 40))
    whole = bca_interval(x, resamples=999), spearman(x, y, resamples=999).bca
    monkeypatch.setattr(intervals, "BATCH_NUMBERS", 40 * 70)
    assert (bca_interval(x, resamples=999), spearman(x, y, resamples=999).bca) == whole
