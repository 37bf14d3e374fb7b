"""`hlx report` as it is typed: a page, a few sentences or JSON, and one line for every bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hlx.alignment.analysis import analyze, read_study
from hlx.report import make_page
from tests.alignment.test_reading import NAMES, write_own, write_published
from tests.support.command_line import files, hlx, refusal


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study in the reference study's layout."""
    folder = tmp_path / "study"
    folder.mkdir()
    write_published(folder)
    return folder


def test_page_is_the_library_s(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    options = ("--shuffles", 60, "--seed", 4, "--alpha", 0.01, "--magnitude", "positive", "--title", "Mine")
    before = files(tmp_path)
    ended = hlx("report", study, "--out", out, *options)
    analysis = analyze(read_study(study), shuffles=60, seed=4, alpha=0.01, magnitude="positive")
    notes = "".join(f"note: {note}\n" for note in analysis.notes)
    assert "60 shuffles cannot" in notes
    assert (ended.status, ended.err) == (0, f"{notes}written: {out}\n")
    page = make_page(analysis, title="Mine")
    assert out.read_bytes() == page.html.encode()
    assert " ".join(ended.out.split()) == " ".join(" ".join(page.findings).split())
    assert max(map(len, ended.out.splitlines())) <= 100
    assert {name for name in files(tmp_path) if name not in before} == {"report.html"}


def test_json_says_what_was_written(study: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for name in NAMES:
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(photos / f"{name}.png")
    text = (study / "stimuli.csv").read_text().splitlines()
    rows = [text[0] + ",image", *(f"{line},{name}.png" for line, name in zip(text[1:], NAMES, strict=True))]
    (study / "stimuli.csv").write_text("\n".join(rows))
    out = tmp_path / "report.html"
    ended = hlx("report", study, "--out", out, "--shuffles", 20, "--images", photos, "--json")
    assert (ended.status, ended.out.count("\n")) == (0, 1)
    found = json.loads(ended.out)
    assert found["report"] == str(out) and found["bytes"] == out.stat().st_size
    assert (found["n_stimuli"], found["images"], found["simulated"]) == (len(NAMES), len(NAMES), False)
    assert out.read_text().count("data:image/") == len(NAMES)


def test_simulated_participants_are_said_first(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    write_own(folder)
    ended = hlx("report", folder, "--out", tmp_path / "r.html", "--shuffles", 20)
    assert ended.status == 0 and ended.out.startswith("SIMULATED.")


def test_bad_input_is_refused_in_one_line(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert "nowhere" in refusal(tmp_path, "report", tmp_path / "nowhere", "--out", out)
    assert ".html" in refusal(tmp_path, "report", study, "--out", tmp_path / "report.pdf")
    assert "no folder" in refusal(tmp_path, "report", study, "--out", tmp_path / "missing" / "report.html")
    assert "--out" in refusal(tmp_path, "report", study)
    assert "--alpha" in refusal(tmp_path, "report", study, "--out", out, "--alpha", 0.6)
    assert "--shuffles" in refusal(tmp_path, "report", study, "--out", out, "--shuffles", 0)
    assert "photos" in refusal(tmp_path, "report", study, "--out", out, "--images", tmp_path / "photos")
    out.write_text("mine")
    assert "--force" in refusal(tmp_path, "report", study, "--out", out)
    assert hlx("report", study, "--out", out, "--shuffles", 20, "--force").status == 0
    assert out.read_text().startswith("<!DOCTYPE html>")


def test_inputs_are_not_replaced(study: Path) -> None:
    (study / "old.html").write_text("mine")
    assert "input" in refusal(study, "report", study, "--out", study / "old.html", "--force")


def test_help_imports_little() -> None:
    code = (
        "import sys\nfrom hlx.cli import group\n"
        "try:\n    group.main(['report', '--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', [n for n in ('jinja2', 'markupsafe', 'numpy', 'jax', 'scipy') if n in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "hlx report study/" in ended.stdout and "--images" in ended.stdout
    loaded = ended.stdout.rpartition("LOADED")[2]
    assert not any(name in loaded for name in ("jinja2", "markupsafe", "jax", "scipy"))
