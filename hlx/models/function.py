"""Functions of the user's own as models: where they are found, and what they may return."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, Shaped, UInt8

from hlx.errors import InputError, ModelError
from hlx.io.checks import whole_number
from hlx.io.images import square
from hlx.io.messages import first_line, message_of, plural
from hlx.io.own_code import own_object
from hlx.models.batches import out_of_memory
from hlx.models.composited import Canvas, CompositingModel

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
    InputError
        It returned another shape than (m, t), or no real numbers.
    ModelError
        It raised something.
    RuntimeError, MemoryError
        As it raised them, where memory ran out.
    """
    m, t = len(images), len(texts)
    asked = f"{plural(m, 'image')} and {plural(t, 'text')}"
    expected = f"{name}: expected ({m}, {t}) real numbers for {asked}"
    try:
        answer = function(images, texts)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        if isinstance(error, RuntimeError | MemoryError) and out_of_memory(error):
            raise  # a smaller batch may do
        raise ModelError(f"{name}: {message_of(error)}{_place(error)}") from error
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


SIDE = 224

_UNNAMED = re.compile(r"(?P<file>.+\.py)(?::.*)?|(?P<module>[\w.]{2,}):")


class CallableModel(CompositingModel):
    """Any function of images and texts as a model: explained, scored and compared like every other.

    Parameters
    ----------
    function
        f(images, texts) -> scores: uint8 (m, side, side, 3) and a list of t texts in, real numbers (m, t)
        out, as NumPy's, JAX's, PyTorch's (of any device) or nested lists; the higher, the better they fit.
    name
        What results call it; by default the function's own name.
    side
        Images are shown to it as squares of so many pixels.
    batch_size
        The most images that it is given at once, where nobody asks for another.
    fingerprint
        Identifies what the scores depend on, in results. By default the SHA-256 of the function's name, of
        `side` and of the source of its whole file. That knows nothing of weights, of other files, and of what
        the function closes over or is bound to (a partial's arguments, an object's attributes): give your own
        to tell those apart.

    Raises
    ------
    InputError
        `side` or `batch_size` is no whole number, or below 1. When called: the function returned another
        shape than (m, t), or no real numbers.
    ModelError
        When called: the function raised something; names its own innermost line.
    """

    engine = "function"
    hint = "use a smaller model, or show it smaller images: hlx.CallableModel(..., side=112)"

    def __init__(
        self,
        function: ScoreFunction,
        name: str | None = None,
        side: int = SIDE,
        batch_size: int = 16,
        fingerprint: str | None = None,
    ) -> None:
        if not callable(function):
            raise InputError(f"expected a function of images and texts, found {type(function).__name__}")
        self.function = function
        own = name or str(getattr(function, "__qualname__", type(function).__name__))
        scorer = CallableScorer(
            function,
            own,
            whole_number(side, "side", least=1),
            whole_number(batch_size, "batch_size", least=1),
        )
        super().__init__(own, "function", scorer, lambda: fingerprint or _source_hash(function, scorer.side))


class CallableScorer:
    """A function between hlx's steps: nothing is known of it, so texts and images go through as they are."""

    dtype, device = "float32", "the function's own"
    packages: tuple[str, ...] = ()

    def __init__(self, function: ScoreFunction, name: str, side: int, batch_size: int) -> None:
        self._function, self._name = function, name
        self.side, self.default_batch = side, batch_size

    def texts(self, texts: Sequence[str]) -> list[str]:
        """The texts."""
        for text in texts:
            if not text.strip():
                raise InputError("an empty caption cannot be scored")
        return list(texts)

    def canvas(
        self,
        shown: UInt8[np.ndarray, "s s 3"],
        hidden: UInt8[np.ndarray, "s s 3"],
        labels: Int32[np.ndarray, "s s"],
    ) -> Canvas:
        """Composited images: shown where a pixel's player is, else hidden."""

        def composite(rows: Bool[np.ndarray, "m n"]) -> UInt8[np.ndarray, "m s s 3"]:
            return np.where(rows[:, labels][..., None], shown, hidden)

        return composite

    def squares(self, images: UInt8[np.ndarray, "m s s 3"]) -> UInt8[np.ndarray, "m s s 3"]:
        """The images."""
        return images

    def see(self, images: UInt8[np.ndarray, "m s s 3"]) -> UInt8[np.ndarray, "m s s 3"]:
        """The images."""
        return images

    def whole(self, images: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> UInt8[np.ndarray, "m s s 3"]:
        """The images as squares."""
        return np.stack([square(image, self.side) for image in images])

    def pairs(
        self,
        seen: UInt8[np.ndarray, "m s s 3"],
        texts: list[str],
        image_rows: Int64[np.ndarray, " p"],
        text_rows: Int64[np.ndarray, " p"],
    ) -> Float32[np.ndarray, " p"]:
        """Scores of pairs, by one call for all images that are asked about the same texts."""
        asked: dict[int, list[int]] = {}
        for place, image in enumerate(image_rows.tolist()):
            asked.setdefault(image, []).append(place)
        alike: dict[tuple[int, ...], list[int]] = {}
        for image, places in asked.items():
            alike.setdefault(tuple(text_rows[places].tolist()), []).append(image)
        scores = np.empty(len(image_rows), np.float32)
        for rows, images in alike.items():
            found = answered(self._function, self._name, seen[images], [texts[row] for row in rows])
            for image, of_one in zip(images, found, strict=True):
                scores[asked[image]] = of_one
        return scores


def _source_hash(function: Callable, side: int) -> str:
    inner = function
    while isinstance(inner, partial):
        inner = inner.func
    thing = inner if inspect.isroutine(inner) else type(inner)
    name = getattr(inner, "__qualname__", type(inner).__name__)
    return hashlib.sha256(f"{name}\n{side}\n{_source(thing)}".encode()).hexdigest()


def _source(thing: Any) -> str:
    """Of all of the file that something is defined in: what it uses of it matters too."""
    for part in (inspect.getmodule(thing), thing):
        try:
            return inspect.getsource(part)  # type: ignore[arg-type]
        except (OSError, TypeError):  # typed in, or compiled
            continue
    return ""


def check_named(name: str) -> None:
    """Raise ModelError where a model's name is a file or module of Python without a function in it."""
    found = _UNNAMED.fullmatch(name)
    if found is not None and not Path(name).is_dir():
        source = found["file"] or found["module"]
        raise ModelError(f"model {name!r}: name its function: {source}:FUNCTION")


def load_callable(spec: str) -> CallableModel:
    """The model that "module:attribute" or "path/to/file.py:attribute" names: the user's own code, run here.

    The attribute is a `CallableModel`, or a function, which becomes one with its defaults. Modules are looked
    for in the current directory too; what a file imports, in its own.

    Raises
    ------
    ModelError
        No such file, module or attribute; the import fails; the attribute is neither.
    """
    thing = own_object(spec, "model", ModelError)
    if isinstance(thing, CallableModel):
        return thing
    if not callable(thing) or inspect.isclass(thing):
        kind = "a class" if inspect.isclass(thing) else f"an object of type {type(thing).__name__}"
        raise ModelError(
            f"model {spec!r}: expected a function or a CallableModel, {spec.rpartition(':')[2]} is {kind}"
        )
    return CallableModel(thing, name=spec)
