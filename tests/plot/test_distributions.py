"""Histograms with their nulls: what is drawn is what was given, also of odd samples."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from hlx.errors import InputError
from hlx.plot import (
    Distribution,
    DistributionPanel,
    distributions_figure,
    figure_bytes,
    model_colours,
    save_figure,
)


def panel(title: str = "RC", models: tuple[str, ...] = ("one", "two"), **changes: float) -> DistributionPanel:
    draw = np.random.default_rng(len(title))
    lines = {"centre": 0.25, "other people": 0.5, **changes}
    rows = [
        Distribution(model, draw.normal(0.3, 0.2, 60), draw.normal(0.1, 0.2, (59, 60)), lines)
        for model in models
    ]
    return DistributionPanel(title, rows, "higher")


def areas(axes: object) -> list[float]:
    """The area of each filled histogram of a panel, in data coordinates."""
    from matplotlib.patches import StepPatch

    filled = [patch for patch in axes.patches if isinstance(patch, StepPatch) and patch.get_fill()]  # type: ignore[attr-defined]
    data = [patch.get_data() for patch in filled]
    return [float(((d.values - d.baseline) * np.diff(d.edges)).sum()) for d in data]


def test_equal_shares_have_equal_areas() -> None:
    """Densities are on one scale within a panel, but for the thin tails of nulls that lie outside."""
    figure = distributions_figure([panel(), panel("EMD")])
    for axes in figure.axes:
        found = areas(axes)
        assert len(found) == 4
        np.testing.assert_allclose(found, found[1], rtol=0.03)


def test_every_name_and_number_is_written() -> None:
    figure = distributions_figure([panel(), panel("EMD")], title="a $title$", names=("real", "random"))
    assert figure.texts[0].get_text() == "a $title$"
    key = [text.get_text() for text in figure.legends[0].get_texts()]
    assert key == ["real", "random", "centre", "other people"]
    first, second = figure.axes
    assert [text.get_text() for text in first.get_yticklabels()] == ["one", "two"]
    assert not second.get_yticklabels()
    for axes, drawn in zip(figure.axes, (panel(), panel("EMD")), strict=True):
        assert (axes.get_title("left"), axes.get_title("right")) == (drawn.title, "higher is closer")
        written = [text.get_text() for text in axes.texts]
        for row in drawn.rows:
            assert f"{row.observed.mean():.3f}" in written and f"random {row.null.mean():.3f}" in written


def test_marks_stand_at_their_values() -> None:
    from matplotlib.collections import LineCollection

    drawn = panel(ceiling=0.9)
    (axes,) = distributions_figure([drawn]).axes
    found = {
        round(float(segment[0, 0]), 9)
        for lines in axes.collections
        if isinstance(lines, LineCollection)
        for segment in lines.get_segments()
    }
    means = [float(x.mean()) for row in drawn.rows for x in (row.observed, row.null)]
    assert found == {round(x, 9) for x in (0.25, 0.5, 0.9, *means)}
    low, high = axes.get_xlim()
    assert all(low < x < high for x in found)


def test_a_line_far_away_does_not_shrink_the_distributions() -> None:
    (near,) = distributions_figure([panel()]).axes
    (far,) = distributions_figure([panel(ceiling=50.0)]).axes
    assert far.get_xlim() == near.get_xlim()
    (close,) = distributions_figure([panel(ceiling=1.2)]).axes
    assert close.get_xlim()[1] > 1.2


def test_a_single_value_is_a_line_beside_its_null() -> None:
    null = np.random.default_rng(0).normal(0.1, 0.02, 10_000)
    (axes,) = distributions_figure(
        [DistributionPanel("mean RC", [Distribution("m", np.array([0.3]), null)])]
    ).axes
    assert len(areas(axes)) == 1
    assert [text.get_text() for text in axes.texts] == ["0.300", f"shuffled pairs {null.mean():.3f}"]
    assert axes.get_xlim()[0] < null.mean() < 0.3 < axes.get_xlim()[1]


@settings(max_examples=30)
@given(
    observed=arrays(np.float64, st.integers(0, 5), elements=st.floats(-1e6, 1e6) | st.just(np.nan)),
    null=arrays(np.float64, st.integers(0, 5), elements=st.floats(-1e6, 1e6) | st.just(np.nan)),
    mark=st.floats(-1e6, 1e6) | st.just(np.nan),
)
def test_any_sample_can_be_drawn(observed: np.ndarray, null: np.ndarray, mark: float) -> None:
    drawn = DistributionPanel("a $measure$", [Distribution("$m$", observed, null, {"mark": mark})])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = distributions_figure([drawn])
        assert figure_bytes(figure).startswith(b"\x89PNG")
    known = observed[np.isfinite(observed)]
    expected = f"{known.mean():z.3f}".replace("-", "\N{MINUS SIGN}") if known.size else "undefined"
    assert figure.axes[0].texts[0].get_text() == expected


def test_models_keep_their_colours() -> None:
    colours = model_colours(["one", "two"])
    assert len(set(colours.values())) == 2
    figure = distributions_figure([panel(models=("one", "two")), panel("EMD", models=("two",))], columns=1)
    shades = [[label.get_color() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert shades == [[colours["one"], colours["two"]], [colours["two"]]]


def test_files_are_written_whole(tmp_path: Path) -> None:
    save_figure(tmp_path / "a.png", distributions_figure([panel(str(k)) for k in range(5)]))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 1200
    save_figure(tmp_path / "a.pdf", distributions_figure([panel()]))
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    one, same = (figure_bytes(distributions_figure([panel()])) for _ in range(2))
    assert one == same


def test_nothing_to_draw_is_refused() -> None:
    for nothing in ([], [DistributionPanel("RC", [])]):
        with pytest.raises(InputError, match="no distribution to draw"):
            distributions_figure(nothing)
