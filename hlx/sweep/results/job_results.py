"""The results of jobs, with all that made them, and how they lie in HDF5: few arrays, however many the jobs.

Layout, of a sweep's shards and of its merged file alike::

    /jobs             uint8 (j, 32), the jobs' ids
    /contents         uint8 (j, 32), the hash of each result's content
    /places           int64 (j, 4, 2), where in the arrays below a job's part starts, and its length
    /records          uint8, JSON: what made the result, and what it took
    /values           float64
    /standard_error   float64; of length 0 where errors are not known or there are none
    /tables           float32; of length 0 where none was kept

An array per job would take HDF5 as long to write as a small job takes to compute.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64

from hlx.sweep.plan.jobs import job_id

if TYPE_CHECKING:
    import h5py

FLAT: dict[str, np.dtype[Any]] = {
    "records": np.dtype(np.uint8),
    "values": np.dtype(np.float64),
    "standard_error": np.dtype(np.float64),
    "tables": np.dtype(np.float32),
}


@dataclass(frozen=True, eq=False)
class JobResult:
    """The Shapley values of one job.

    Attributes
    ----------
    job
        The job's id.
    values, standard_error, table
        As in `hlx.Attribution`; None where there is none.
    record
        All else that is the result or made it, as JSON's types: "identity" (what the job's id hashes),
        "image_hash" (of the pixels), "estimator" (what it came to be: "exact" where the budget reached all
        coalitions), "kind", "grand_coalition_value", "baseline_value", "n_evaluations", "degrees_of_freedom",
        "score_caption", "unit" (of f), "batch_size", "versions" (with "device").
    spent
        What differs from run to run: "seconds" (of the job's share of its group), "host", "finished" (seconds
        since 1970).
    """

    job: str
    values: Float64[np.ndarray, " n"]
    standard_error: Float64[np.ndarray, " n"] | None
    coalition_values: Float32[np.ndarray, " coalitions"] | None
    record: dict[str, Any]
    spent: dict[str, Any]

    def content(self) -> bytes:
        """SHA-256 of the result and what made it; seconds and hosts play no part."""
        digest = hashlib.sha256(json.dumps([self.job, self.record], sort_keys=True).encode())
        for array in (self.values, self.standard_error, self.coalition_values):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.digest()


def columns_of(results: Sequence[JobResult]) -> dict[str, np.ndarray]:
    """The arrays of the layout for at least one result, by name."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in FLAT}
    for result in results:
        record = json.dumps({"record": result.record, "spent": result.spent}).encode()
        parts["records"].append(np.frombuffer(record, np.uint8))
        parts["values"].append(result.values)
        for name, part in (("standard_error", result.standard_error), ("tables", result.coalition_values)):
            parts[name].append(np.zeros(0, FLAT[name]) if part is None else part)
    lengths = np.array([[len(part) for part in parts[name]] for name in FLAT], np.int64).T
    starts = np.cumsum(lengths, axis=0) - lengths
    flat = {name: np.concatenate(parts[name]) for name in FLAT}
    return {
        "jobs": _hashes([bytes.fromhex(result.job) for result in results]),
        "contents": _hashes([result.content() for result in results]),
        "places": np.stack([starts, lengths], axis=2),
        **flat,
    }


class Columns:
    """Results by number, from an open file of this layout.

    Parameters
    ----------
    whole
        Read the arrays at once; else each result's part when it is asked for.

    Attributes
    ----------
    jobs, contents
        Ids, and hashes of contents, 32 bytes each.

    Raises
    ------
    ValueError, KeyError
        Another layout, or parts that reach out of the arrays.
    """

    def __init__(self, file: h5py.File, whole: bool) -> None:
        self._flat = {name: file[name][...] if whole else file[name] for name in FLAT}
        places = file["places"][...]
        jobs, contents = file["jobs"][...], file["contents"][...]
        expected = {"jobs": (len(jobs), 32), "contents": (len(jobs), 32), "places": (len(jobs), 4, 2)}
        for name, array in (("jobs", jobs), ("contents", contents), ("places", places)):
            dtype = np.dtype(np.int64 if name == "places" else np.uint8)
            if array.shape != expected[name] or array.dtype != dtype:
                raise ValueError(f"{name}: {array.dtype} {array.shape}")
        for name, array in self._flat.items():
            if array.ndim != 1 or array.dtype != FLAT[name]:
                raise ValueError(f"{name}: {array.dtype} {array.shape}")
        sizes = np.array([len(array) for array in self._flat.values()])
        starts, lengths = places[..., 0], places[..., 1]
        # In this order: a sum of two large numbers could wrap around.
        if (lengths < 0).any() or (starts < 0).any() or (starts > sizes - lengths).any():
            raise ValueError("places: out of the arrays")
        self.jobs = [job.tobytes() for job in jobs]
        self.contents = [content.tobytes() for content in contents]
        self._places = places

    def __len__(self) -> int:
        return len(self.jobs)

    def result(self, i: int, table: bool = True) -> JobResult:
        """The i-th result; without its table where that is not wanted."""
        record, values, error, kept = (
            array[start : start + (length if table or name != "tables" else 0)]
            for (name, array), (start, length) in zip(
                self._flat.items(), self._places[i].tolist(), strict=True
            )
        )
        made = json.loads(record.tobytes())
        return JobResult(
            job=self.jobs[i].hex(),
            values=values,
            standard_error=error if len(error) else None,
            coalition_values=kept if len(kept) else None,
            record=made["record"],
            spent=made["spent"],
        )

    def verified(self) -> list[JobResult]:
        """All results.

        Raises
        ------
        ValueError
            The content of one is not what its hash says, or what made it not what its id says.
        """
        results = [self.result(i) for i in range(len(self))]
        for result, content in zip(results, self.contents, strict=True):
            if result.content() != content or job_id(result.record["identity"]) != result.job:
                raise ValueError(f"job {result.job[:12]} does not match its hash")
        return results


def content_hash_of(contents: Iterable[bytes]) -> str:
    """SHA-256, in hexadecimal, over the `content` of results in the order of their jobs' ids."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()


def _hashes(hashes: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)
