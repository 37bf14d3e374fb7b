"""A model keeps to the devices that it was asked for: while it loads, while it explains, and afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import hlx
from hlx.errors import InputError
from hlx.models.jax.token_tables import AffineTokens, TokenTable
from hlx.models.loading.checkpoint import Arrays
from tests.conftest import MakeCheckpoint
from tests.support.slow_way import CAPTION, FOIL, photograph

ROOT = Path(__file__).parents[2]
LARGE = 1024  # bytes; every matrix of the small checkpoints has more, no index or key has


@pytest.mark.parametrize("kind", ["clip", "siglip", "flava"])
def test_no_large_array_is_on_another_device(make_checkpoint: MakeCheckpoint, kind: str) -> None:
    """One device of three in float32, two of three in bfloat16; a table of tokens, and affine ones."""
    folder = make_checkpoint(kind, **({"tokenizer": "fast"} if kind == "siglip" else {}))
    ended = subprocess.run(
        [sys.executable, "-m", "tests.models.test_model_devices", folder],
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=3"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["looks"] > 100, "the program has looked at the arrays hardly ever"
    assert found["elsewhere"] == []
    assert found["same_bits"]


@pytest.mark.parametrize("engine", [None, "jax", "torch"])
def test_no_device_is_refused(clip_checkpoint: Path, engine: str | None) -> None:
    for name in (clip_checkpoint, "scorer.py:score"):
        with pytest.raises(InputError, match=r"devices: an empty list"):
            hlx.load_model(name, devices=[], engine=engine)


class Watch:
    """Looks where the large arrays are, again and again, and notes those that are on other devices."""

    def __init__(self) -> None:
        self.asked: list[jax.Device] = []
        self.looks, self.elsewhere = 0, set[str]()
        for name in ("__getitem__", "layer", "_typed"):
            setattr(Arrays, name, self._after(getattr(Arrays, name), name))
        jax.device_put = self._after(jax.device_put, "device_put")

    def __call__(self, when: str) -> None:
        self.looks += 1
        for array in jax.live_arrays():
            if array.nbytes > LARGE and (others := array.devices() - set(self.asked)):
                self.elsewhere.add(f"{when}: {array.dtype} {array.shape} on {others}")

    def _after(self, function, name: str):
        def watched(*arguments, **options):
            made = function(*arguments, **options)
            self(name)
            return made

        return watched


def explain_everywhere(folder: str) -> dict[str, object]:
    """What a watch has seen of a checkpoint on the last of three devices, then on the last two.

    An earlier model may linger, so that each round is asked for devices that include those of the one before;
    the last round, on the first device, is for the numbers alone.
    """
    watch = Watch()
    stimulus = hlx.Stimulus(photograph(), CAPTION, FOIL)
    cut = hlx.LabelMap(np.random.default_rng(0).integers(0, 14, (50, 71)))
    exact = []
    first, second, third = jax.devices()
    for dtype, devices in (("float32", [third]), ("bfloat16", [second, third]), ("float32", [first])):
        watch.asked += devices
        model = hlx.load_model(folder, dtype=dtype, devices=devices)
        watch(f"{dtype} loaded")
        for regions, tokens, estimator, budget in (
            (hlx.Grid(2, 3), TokenTable, "exact", None),
            (cut, AffineTokens, "permutation", 40),
        ):
            made = hlx.explain(
                model, stimulus, regions, estimator, budget=budget, progress=lambda *_: watch("evaluating")
            )
            masked = model.mask(stimulus.image, regions)
            assert isinstance(masked._tokens, tokens), "the test means to see both kinds of tokens"
            watch(f"{dtype} explained, {tokens.__name__}")
            if estimator == "exact":
                exact.append(made.values.tobytes())
            if devices == [first]:  # every program is compiled anew for every device
                break
    same_bits = exact[0] == exact[-1]
    return {"looks": watch.looks, "elsewhere": sorted(watch.elsewhere), "same_bits": same_bits}


if __name__ == "__main__":
    print(json.dumps(explain_everywhere(sys.argv[1])))
