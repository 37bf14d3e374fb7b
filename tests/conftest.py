"""What all tests share: two virtual devices, no network, checked shapes, checkpoints that are made once."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# jax reads its flag when the first device is asked for, transformers reads the others when it is imported;
# none of the imports above does either.
_DEVICES = "--xla_force_host_platform_device_count=2"
if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_DEVICES}".strip()
# Small tensors do not spread over threads, and pytest may run in several processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

# Every annotated shape and type of hlx is checked at each call; without effect on modules imported before.
install_import_hook("hlx", "beartype.beartype")

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

MakeCheckpoint = Callable[..., Path]


def pytest_configure(config: pytest.Config) -> None:
    """Quiet what beartype says of flax's own annotations."""
    config.addinivalue_line(
        "filterwarnings", "ignore::beartype.roar.BeartypeDecorHintPep585DeprecationWarning"
    )


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> MakeCheckpoint:
    """Make a random checkpoint, or hand out the one made before with the same options.

    Called as `make_checkpoint("clip", **options of tests.support.checkpoints.make_clip)`, likewise `"siglip"`
    and `"flava"`. The folders are shared: copy one before changing anything in it.
    """
    pytest.importorskip("torch", reason="random checkpoints are made with torch")
    from transformers.utils import logging

    from tests.support import checkpoints

    logging.disable_progress_bar()
    makers = {
        "clip": checkpoints.make_clip,
        "siglip": checkpoints.make_siglip,
        "flava": checkpoints.make_flava,
    }
    root, numbers, made = tmp_path_factory.mktemp("checkpoints"), itertools.count(), {}

    def make(kind: str, **options: object) -> Path:
        key = (kind, *sorted(options.items()))
        if key not in made:
            made[key] = makers[kind](root / f"{kind}-{next(numbers)}", **options)
        return made[key]

    return make


@pytest.fixture(scope="session")
def clip_checkpoint(make_checkpoint: MakeCheckpoint) -> Path:
    """A small random CLIP: 32-pixel input, four patches."""
    return make_checkpoint("clip")


@pytest.fixture(scope="session")
def siglip_checkpoint(make_checkpoint: MakeCheckpoint) -> Path:
    """A small random SigLIP: 32-pixel input, four patches."""
    pytest.importorskip("sentencepiece", reason="SigLIP's tokenizer needs the siglip extra")
    return make_checkpoint("siglip")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"no reference data: {folder} is missing")
    return folder


@pytest.fixture
def tiny_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB, or of the size that the test asks for by an indirect parameter."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk takes root")
    size = f"size={getattr(request, 'param', '1m')}"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", folder]).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)
