"""One call of a function of the user's own: what it may return, and what is told of what it raises."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped, UInt8

from hlx.errors import InputError, ModelError
from hlx.models.batches import out_of_memory
from hlx.wording import counted, first_line, told

ScoreFunction = Callable[[UInt8[np.ndarray, "m s s 3"], list[str]], Any]

_INSTALLED = tuple(
    f"{folder}{os.sep}"
    for folder in (Path(__file__).parents[1], *map(sysconfig.get_path, ("stdlib", "purelib", "platlib")))
)


def answered(
    function: ScoreFunction, name: str, images: UInt8[np.ndarray, "m s s 3"], texts: list[str]
) -> Float32[np.ndarray, "m t"]:
    """A function's scores of images with texts; errors are told under `name`.

    Raises
    ------
    InputError : it returned another shape than (m, t), or no real numbers.
    ModelError : it raised something.
    RuntimeError, MemoryError : as it raised them, where memory ran out.
    """
    m, t = len(images), len(texts)
    asked = f"{counted(m, 'image')} and {counted(t, 'text')}"
    expected = f"{name}: expected ({m}, {t}) real numbers for {asked}"
    try:
        answer = function(images, texts)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        if isinstance(error, RuntimeError | MemoryError) and out_of_memory(error):
            raise  # a smaller batch may do
        raise ModelError(f"{name}: {told(error)}{_place(error)}") from error
    values = _as_array(answer, expected)
    if values.shape != (m, t) or values.dtype.kind not in "fiub":
        raise InputError(f"{expected}, found {values.dtype} of shape {values.shape}")
    with np.errstate(over="ignore"):  # infinity is complained of, with its image and text
        return values.astype(np.float32)


def _place(error: BaseException) -> str:
    """Where the user's own code was when it raised, the innermost line of it; empty if it was not reached."""
    frames = [(each.f_code.co_filename, line) for each, line in traceback.walk_tb(error.__traceback__)][1:]
    own = [each for each in frames if not each[0].startswith(("<", *_INSTALLED))]
    if not frames:
        return ""
    file, line = (own or frames[:1])[-1]
    return f" ({os.path.basename(file)}, line {line})"


def _as_array(answer: Any, expected: str) -> Shaped[np.ndarray, ...]:
    try:
        if all(hasattr(answer, name) for name in ("detach", "cpu", "numpy")):  # PyTorch's, wherever it is
            answer = answer.detach().cpu()
            if str(answer.dtype) == "torch.bfloat16":  # which NumPy does not know
                answer = answer.float()
        values = np.asarray(answer)
        return values.astype(np.float32) if values.dtype.name == "bfloat16" else values  # JAX's
    except (TypeError, ValueError, RuntimeError) as error:
        if out_of_memory(error):  # a device tells it late, when the answer is read
            raise
        raise InputError(
            f"{expected}, found {type(answer).__name__} that is no array: {first_line(error)}"
        ) from None
