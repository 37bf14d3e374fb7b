"""The page of a sweep: true to its numbers, whole by itself, the same each time, whatever the study lacks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hlx.errors import OutputError
from hlx.report.kit.numbers import coefficient
from hlx.report.kit.shell import Page
from hlx.report.pages.sweep_findings import mean_over
from hlx.report.pages.sweep_page import make_sweep_page, write_sweep_page
from hlx.sweep.across_settings.settings_comparison import SweepComparison, compare_settings
from hlx.sweep.results.merged_file import load_results
from hlx.sweep.results.rows import Row
from hlx.sweep.results.sweep_maps import grouped
from tests.report.test_study_page import LOADING, Parsed
from tests.support.merged_sweeps import How, write_sweep

HOWS = (How(), *(How("odd-gp", budget, seed, 4 / budget) for budget in (20, 40) for seed in (0, 1)))
MANY = tuple(f"{k}x{k}" for k in range(2, 10))
NASTY = 'a "b" </script><script>alert(1)</script> & <img src=x>'


def failing(row: Row) -> str | bool:
    """One stimulus cannot be computed by one model, another has not been tried."""
    if row.model == "CLIP" and row.stimulus == "s1":
        return NASTY
    return row.model == "CLIP" and row.stimulus == "s2"


def sweep_of(folder: Path, **options: object) -> SweepComparison:
    with load_results(write_sweep(folder / "merged.h5", **options)) as results:  # type: ignore[arg-type]
        return compare_settings(results)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> SweepComparison:
    folder = tmp_path_factory.mktemp("sweep")
    return sweep_of(
        folder, grids=("2x2", "3x3", "4x4"), backgrounds=("blur", "mean"), hows=HOWS, missing=failing
    )


@pytest.fixture(scope="module")
def page(sweep: SweepComparison) -> Page:
    return make_sweep_page(sweep)


def test_the_page_loads_and_runs_nothing(page: Page) -> None:
    parsed = Parsed(page.html)
    policy = next(on["content"] for on, _ in parsed.named("meta") if "http-equiv" in on)
    assert policy is not None and "default-src 'none'" in policy and "script-src" not in policy
    assert [on for on, _ in parsed.named("script")] == [{"type": "application/json", "id": "summary"}]
    for _, attributes in parsed.elements:
        for name in LOADING & attributes.keys():
            assert (attributes[name] or "").startswith("#")
    assert not parsed.named("img")


def test_the_summary_holds_every_number(page: Page, sweep: SweepComparison) -> None:
    summary = json.loads(Parsed(page.html).by_id("summary"))
    assert summary == json.loads(json.dumps(sweep.as_dict()))
    assert len(summary["across_grids"]) == len(sweep.across_grids) == 2 * 2 * 3 * 3
    pair = summary["across_grids"][0]["agreement"]["rank"]
    assert pair["low"] <= pair["mean"] <= pair["high"]


def test_heat_maps_show_the_agreement_of_every_pair(page: Page, sweep: SweepComparison) -> None:
    drawings = [svg for svg in re.findall(r"<svg.*?</svg>", page.html, flags=re.S) if 'class="heat' in svg]
    assert len(drawings) == 4  # models x backgrounds
    exact = [pair for pair in sweep.across_grids if pair.setting == "exact"]
    shown = [re.findall(r'class="middle on-(?:light|dark)">([^<]*)<', drawing) for drawing in drawings]
    assert sorted(text for texts in shown for text in texts) == sorted(
        coefficient(value.mean, 2)
        for pair in exact
        for value in (pair.agreement.rank, pair.agreement.rank_signed)
    )


def test_findings_are_those_of_the_numbers(page: Page, sweep: SweepComparison) -> None:
    extent, grids, errors, backgrounds, cost = page.findings
    # 2 of 6 stimuli by one of 2 models; 2 backgrounds x 3 grids x 5 ways each.
    assert "60 of the 360 that were asked are missing, of which 30 failed" in extent
    exact = grouped(
        [pair for pair in sweep.across_grids if pair.setting == "exact"],
        lambda pair: f"{pair.first} and {pair.second}",
    )
    means = {
        name: mean_over(them, lambda pair: pair.agreement.rank.mean) or 0.0 for name, them in exact.items()
    }
    best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    assert f"most alike on {best}, with a correlation of {coefficient(means[best], 2)}" in grids
    assert f"least alike on {worst}, with {coefficient(means[worst], 2)}." in grids
    closest = min(
        (error for error in sweep.errors if error.regions == "4x4"),
        key=lambda error: error.relative_squared_error.mean or 1.0,
    )
    assert f"{closest.estimator} at {closest.budget} evaluations comes closest" in errors
    assert "between blur and mean" in backgrounds and "on 2x2" in cost


def test_failures_are_told_with_their_reasons(page: Page) -> None:
    notes = [text for on, text in Parsed(page.html).named("li") if "alert(1)" in text]
    assert notes == [f"CLIP: 30 maps: {NASTY}"]
    assert "<img src=x>" not in page.html


def test_the_same_results_give_the_same_page(page: Page, tmp_path: Path) -> None:
    again = sweep_of(
        tmp_path, grids=("2x2", "3x3", "4x4"), backgrounds=("blur", "mean"), hows=HOWS, missing=failing
    )
    # Only the name of the folder tells the two studies apart.
    assert again.content_hash in page.html
    one, other = page.html, make_sweep_page(again).html
    names = r"sweep\d+|" + re.escape(tmp_path.name)
    assert re.sub(names, "", one) == re.sub(names, "", other)


@pytest.mark.parametrize(
    "options",
    [
        {"grids": ("2x2",), "stimuli": 1},
        {"grids": ("5x5",), "hows": (How("odd-gp", 40),), "foil": None},
        {
            "grids": tuple(f"{k}x{k}" for k in range(2, 10)),
            "hows": (How("odd-gp", "8n"),),
            "models": ("CLIP",),
        },
        {"grids": ("1x4", "4x1"), "models": (NASTY,), "stimuli": 2},
        {"grids": ("2x2", "3x3"), "hows": (How("odd-gp", 12, 0, 0.1), How())},
    ],
    ids=["one map of each", "nothing exact", "many grids", "odd names", "one budget"],
)
def test_a_study_of_any_extent_has_a_page(tmp_path: Path, options: dict[str, object]) -> None:
    page = make_sweep_page(sweep_of(tmp_path, **options))
    parsed = Parsed(page.html)
    linked = [(on["href"] or "")[1:] for on, _ in parsed.named("a")]
    assert set(linked) == {on["id"] for on, _ in parsed.named("section")}
    assert "everything that was asked" in page.findings[0]
    assert "nan" not in re.sub(r"[^\w]+", " ", parsed.by_id("findings")).lower().split()


def test_an_existing_page_is_kept(sweep: SweepComparison, tmp_path: Path) -> None:
    path = tmp_path / "sweep.html"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        write_sweep_page(path, sweep)
    assert path.read_text() == "mine"
    write_sweep_page(path, sweep, title="A title", force=True)
    assert "<h1>A title</h1>" in path.read_text()
