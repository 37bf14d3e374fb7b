"""What comes of units: values with all that made them, or the reason why there are none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from hlx.batch.units import Unit
from hlx.errors import HlxError


@dataclass(frozen=True, eq=False)
class UnitResult:
    """The Shapley values of one unit.

    Attributes
    ----------
    unit : the unit's id.
    values, standard_error, table : as in `hlx.Attribution`; None where there is none.
    record : all else that is the result or made it, as JSON's types: "identity" (what the unit's id hashes),
        "image_hash" (of the pixels), "estimator" (what it came to be: "exact" where the budget reached all
        coalitions), "kind", "v_all", "v_none", "n_evaluations", "degrees_of_freedom", "score_caption", "unit"
        (of f), "batch_size", "versions" (with "device").
    spent : what differs from run to run: "seconds" (of the unit's share of its item), "host", "finished"
        (seconds since 1970).
    """

    unit: str
    values: Float64[np.ndarray, " n"]
    standard_error: Float64[np.ndarray, " n"] | None
    table: Float32[np.ndarray, " coalitions"] | None
    record: dict[str, Any]
    spent: dict[str, Any]

    def content(self) -> bytes:
        """SHA-256 of the result and what made it; seconds and hosts play no part."""
        digest = hashlib.sha256(json.dumps([self.unit, self.record], sort_keys=True).encode())
        for array in (self.values, self.standard_error, self.table):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.digest()


@dataclass(frozen=True)
class Failure:
    """Units that gave no result, and why, in one line."""

    units: tuple[str, ...]
    reason: str


def failure_of(units: Iterable[Unit], reason: str) -> Failure:
    """All of these units, without results."""
    return Failure(tuple(dict.fromkeys(unit.id for unit in units)), reason)


def reason_of(error: BaseException) -> str:
    """An error in one line; hlx's own speak for themselves, others by their kind too."""
    text = " ".join(str(error).split())
    return text if isinstance(error, HlxError) else f"{type(error).__name__}: {text}".removesuffix(": ")


def content_hash_of(contents: Iterable[bytes]) -> str:
    """SHA-256, in hexadecimal, over the `content` of results in the order of their units' ids."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()
