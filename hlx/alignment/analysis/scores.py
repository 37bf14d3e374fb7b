"""Scores of captions and foils: of a study's stimuli, and of the items of a benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from hlx.alignment.analysis.study import Benchmark
from hlx.attribution.score import NO_PHENOMENON
from hlx.errors import InputError
from hlx.io.csv_jsonl import Record, read_records
from hlx.io.messages import plural

SCORES = ("score_caption", "score_foil")


def stimulus_scores(path: Path) -> dict[str, float]:
    """f = score(caption) - score(foil) by stimulus id, of a file with the columns stimulus and both scores.

    Rows without scores are passed over.

    Raises
    ------
    InputError
        A column is missing, no number, or a stimulus that appears twice; names file and row.
    """
    found: dict[str, float] = {}
    for record in read_records(path, ["stimulus", *SCORES]):
        stimulus = record.text("stimulus")
        if stimulus in found:
            raise record.error("stimulus", f"{stimulus!r} appears twice; give one score for each stimulus")
        f = _f(record)
        if f is not None:
            found[stimulus] = f
    return found


def read_benchmarks(
    files: Sequence[tuple[str | None, Path]],
) -> tuple[dict[str, tuple[Benchmark, Path]], list[str]]:
    """Benchmarks by model, each with its file, and notes on items that were not scored.

    Parameters
    ----------
    files
        The model in each file's name, if any; a column `model`, as `hlx score` writes, goes before it.

    Raises
    ------
    InputError
        A column is missing, no number, no scored items, a file that does not say of which model it is, or two
        files of one model.
    """
    benchmarks: dict[str, tuple[Benchmark, Path]] = {}
    notes: list[str] = []
    for name, path in files:
        unscored = 0
        items: dict[str, list[tuple[float, str]]] = {}
        for model, f, phenomenon in _items(path, name):
            rows = items.setdefault(model, [])
            if f is None:
                unscored += 1
            else:
                rows.append((f, phenomenon))
        if not any(items.values()):
            raise InputError(f"{path}: holds no scored items")
        for model, rows in items.items():
            if model in benchmarks:
                raise InputError(f"{path}: {benchmarks[model][1]} also scores {model}; leave one of them out")
            scores = np.array([f for f, _ in rows], dtype=np.float64)
            benchmarks[model] = Benchmark(scores, tuple(phenomenon for _, phenomenon in rows)), path
        if unscored:
            notes.append(f"{path.name}: {plural(unscored, 'item')} without scores left out")
    return benchmarks, notes


def own_benchmark(f: Mapping[str, float], phenomena: Mapping[str, str | None]) -> Benchmark:
    """The study's own stimuli in a benchmark's place: f and phenomenon by stimulus id."""
    named = tuple(phenomena.get(stimulus) or NO_PHENOMENON for stimulus in f)
    return Benchmark(np.array(list(f.values()), dtype=np.float64), named, own_stimuli=True)


def _items(path: Path, name: str | None) -> Iterator[tuple[str, float | None, str]]:
    for record in read_records(path, SCORES):
        model = record.optional_text("model") or name
        if model is None:
            raise record.error(
                "model", "missing; say whose scores these are, in this column or as scores_NAME.csv"
            )
        if Path(model).is_absolute():  # a checkpoint's folder; maps of it go by its last part
            model = Path(model).name
        yield model, _f(record), record.optional_text("phenomenon") or NO_PHENOMENON


def _f(record: Record) -> float | None:
    """f of a row; None where it was not scored."""
    if all(record.fields.get(name, "") in (None, "") for name in SCORES):
        return None
    caption, foil = (record.number(name) for name in SCORES)
    return caption - foil
