"""Where PyTorch models run, and that float32 is float32 there, whatever else the program has asked for."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from hlx.errors import ModelError
from hlx.models.torch.torch_devices import TrueFloat32, torch_device, true_float32
from tests.support.waiting import PATIENCE

CHECK = """
import sys
import torch
from hlx.models.torch.torch_devices import true_float32

exec(sys.argv[1])
names = ("backends.cuda.matmul", "backends.cudnn.conv", "backends.mkldnn.matmul", "backends.mkldnn.conv")

def precisions():
    return [__import__("operator").attrgetter(name)(torch).fp32_precision for name in names]

before = precisions(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
torch.manual_seed(0)
a, b = torch.randn(2, 300, 300).unbind()
with true_float32():
    assert precisions() == ["ieee"] * 4 and torch.backends.cudnn.deterministic
    assert (a @ b - (a.double() @ b.double())).abs().max() < 1e-3
assert before == (precisions(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic)
"""


@pytest.mark.parametrize(
    "asked",
    [
        "torch.set_float32_matmul_precision('medium')",
        "torch.backends.fp32_precision = 'tf32'",
        "torch.backends.mkldnn.fp32_precision = 'bf16'",
        "torch.backends.cuda.matmul.allow_tf32 = True; torch.backends.cudnn.benchmark = True",
    ],
)
def test_float32_is_float32_whatever_the_program_has_asked_for(asked: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CHECK, asked], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_it_lasts_until_the_last_thread_has_left() -> None:
    inside, leave = threading.Event(), threading.Event()
    precision = torch.backends.cudnn.conv.fp32_precision
    assert precision != "ieee" and true_float32() is true_float32()

    def other() -> None:
        with true_float32():
            inside.set()
            leave.wait(PATIENCE)

    thread = threading.Thread(target=other)
    with true_float32():
        thread.start()
        assert inside.wait(PATIENCE)
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    with true_float32():  # and again, while the other has not left
        pass
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    leave.set()
    thread.join()
    assert torch.backends.cudnn.conv.fp32_precision == precision
    with pytest.raises(ValueError), TrueFloat32():
        raise ValueError
    assert torch.backends.cudnn.conv.fp32_precision == precision


@pytest.mark.parametrize("name", ["cpu:0", "cpu:1", "tpu", "gpu", "cuda:x", ""])
def test_devices_that_there_are_not(name: str) -> None:
    with pytest.raises(ModelError, match="PyTorch models run on cpu, cuda or cuda:N"):
        torch_device(name)
