"""Maps come back from results and tables as they went in, one set for each model and estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlx.alignment.model_maps import read_model_maps
from hlx.attribution.attribution import Attribution
from hlx.attribution.map_tables import map_table_text
from hlx.attribution.result_file import save
from hlx.errors import InputError
from hlx.games.regions import Grid
from tests.attribution.test_result_file import attribution, context

SMALL = Grid(2, 2)


def result(stimulus: str | None, seed: int = 0, grid: Grid = SMALL, **changes: object) -> Attribution:
    """A small attribution; `changes` are of the context, but for "estimator"."""
    estimator = str(changes.pop("estimator", "exact"))
    about = context(np.random.default_rng(seed), stimulus_id=stimulus, foil="a foil", **changes)
    made = attribution(grid.n_players, seed, context=about)
    return replace(made, regions=grid, estimator=estimator, coalition_values=None)


def saved(path: Path, *attributions: Attribution) -> Path:
    save(path, attributions)
    return path


@settings(max_examples=20)
@given(
    made_by=st.lists(
        st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["exact", "owen"]), st.integers(0, 2)),
        min_size=1,
        max_size=20,
    )
)
def test_maps_of_many_files_come_together_by_model_and_estimator(
    made_by: list[tuple[str, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("maps")
    attributions = [
        result(f"s{number}", number, model=model, estimator=estimator)
        for number, (model, estimator, _) in enumerate(made_by)
    ]
    paths = []
    for place in sorted({place for _, _, place in made_by}):
        own = [a for a, (_, _, where) in zip(attributions, made_by, strict=True) if where == place]
        paths.append(saved(folder / f"{place}.h5", *own))
    read = read_model_maps(paths)
    assert len({maps.name for maps in read}) == len(read) == len({made[:2] for made in made_by})
    assert sum(len(maps.values) for maps in read) == len(attributions)
    for maps in read:
        for stimulus, values in maps.values.items():
            number = int(stimulus[1:])
            made, (model, estimator, place) = attributions[number], made_by[number]
            several = len({other[1] for other in made_by if other[0] == model}) > 1
            assert maps.name == (f"{model} ({estimator})" if several else model)
            assert (maps.estimator, maps.kind, maps.grid) == (estimator, "Shapley values", Grid(2, 2))
            np.testing.assert_array_equal(values, made.values)
            assert made.context is not None and maps.f[stimulus] == made.grand_coalition_value
            np.testing.assert_array_equal(maps.images[stimulus], made.context.shown)
            about = maps.stimuli[stimulus]
            assert (about.id, about.caption, about.foil) == (stimulus, made.context.caption, "a foil")
            assert f"{place}.h5" in maps.source


def test_without_a_foil_f_is_not_known(tmp_path: Path) -> None:
    one, other = result("with"), result("without")
    assert other.context is not None
    other = replace(other, context=replace(other.context, foil=None))
    (maps,) = read_model_maps(saved(tmp_path / "a.h5", one, other))
    assert list(maps.values) == ["with", "without"] and maps.f == {"with": one.grand_coalition_value}


def test_a_stimulus_without_an_id_goes_by_its_image_file(tmp_path: Path) -> None:
    (maps,) = read_model_maps(str(saved(tmp_path / "a.h5", result(None, image="photos/b.png"))))
    assert list(maps.values) == ["b.png"] and maps.stimuli["b.png"].image == "photos/b.png"


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ([{"model": "/data/own clip"}, {"model": "openai/clip"}], ["own clip", "openai/clip"]),
        ([{"model": "/here/clip"}, {"model": "/there/clip"}], ["clip"]),
        ([{"fingerprint": "a" * 64}, {"fingerprint": "b" * 64}], ["m (aaaaaaaa)", "m (bbbbbbbb)"]),
        ([{"background": "blur"}, {"background": "mean"}], ["m (blur)", "m (mean)"]),
        (
            [{"estimator": "owen"}, {"background": "mean"}, {"model": "other"}],
            ["m (owen, blur)", "m (exact, mean)", "other"],
        ),
    ],
)
def test_names_tell_sets_of_one_model_apart(
    tmp_path: Path, changes: list[dict[str, str]], names: list[str]
) -> None:
    made = [result(f"s{i}", i, **{"model": "m", **change}) for i, change in enumerate(changes)]
    assert [maps.name for maps in read_model_maps(saved(tmp_path / "a.h5", *made))] == names


def test_tables_are_named_after_their_files(tmp_path: Path) -> None:
    maps = {"s": np.arange(6.0), "t": -np.arange(6.0)}
    paths = [tmp_path / name for name in ("shapley_CLIP.csv", "mine.csv", "CLIP.csv")]
    for number, path in enumerate(paths):
        map_table_text(Grid(2, 3), {f"{name}{number}": values for name, values in maps.items()}, path)
    clip, mine = read_model_maps(paths)
    assert (clip.name, mine.name, clip.grid, clip.estimator) == ("CLIP", "mine", Grid(2, 3), None)
    assert list(clip.values) == ["s0", "t0", "s2", "t2"]
    np.testing.assert_array_equal(mine.values["t1"], maps["t"])
    assert not clip.f and not clip.stimuli and not clip.images
    h5 = saved(tmp_path / "a.h5", result("s", model="CLIP"))
    assert [one.name for one in read_model_maps([paths[0], h5])] == ["CLIP (map table)", "CLIP"]


def test_the_reference_study_is_read(shared: Path) -> None:
    clip, flava = read_model_maps([shared / "thesis" / f"shapley_{name}.csv" for name in ("CLIP", "FLAVA")])
    assert (clip.name, flava.name, len(clip.values), clip.grid) == ("CLIP", "FLAVA", 99, Grid(4, 4))
    assert clip.values["000000001584.jpg"][0] == 0.32175183296203613


def refused(paths: Path | Sequence[Path]) -> str:
    with pytest.raises(InputError) as caught:
        read_model_maps(paths)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_one_stimulus_twice_names_the_files(tmp_path: Path) -> None:
    one = saved(tmp_path / "one.h5", result("s"))
    other = saved(tmp_path / "other.h5", result("t"), result("s", 1))
    message = refused([one, other])
    assert str(one) in message and str(other) in message and "'s'" in message
    assert "holds two maps" in refused(saved(tmp_path / "both.h5", result("s"), result("s", 1)))


def test_grids_of_a_set_must_agree(tmp_path: Path) -> None:
    one = saved(tmp_path / "one.h5", result("s"))
    other = saved(tmp_path / "other.h5", result("t", grid=Grid(2, 3)))
    message = refused([one, other])
    assert all(part in message for part in (str(one), str(other), "2x2", "2x3", "'t'"))
    # Sets of their own may differ.
    both = saved(tmp_path / "both.h5", result("s"), result("s", 1, Grid(2, 3), estimator="owen"))
    assert [maps.grid for maps in read_model_maps(both)] == [Grid(2, 2), Grid(2, 3)]


def test_maps_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    bare = replace(result("s"), context=None)
    nan = replace(result("s"), values=np.array([0.0, np.nan, 1.0, 2.0]))
    for made, expected in (
        (attribution(labels=True, context=context(np.random.default_rng(0))), "human maps are on grids"),
        (replace(result("s"), regions=None), "without regions"),
        (bare, "attribution 0: comes from a bare game"),
        (nan, "no numbers"),
    ):
        save(path, [made], force=True)
        message = refused(path)
        assert message.startswith(str(path)) and expected in message
    save(path, [], force=True)
    assert "holds no attributions" in refused(path)
    assert "no files of maps" in refused([])


def test_files_that_hold_no_maps_are_refused(tmp_path: Path) -> None:
    picture, table = tmp_path / "a.png", tmp_path / "a.csv"
    picture.write_bytes(b"x")
    assert "expected maps" in refused(picture)
    assert "no such file" in refused(tmp_path / "b.png")
    assert "folder" in refused(tmp_path)
    table.write_text("stimulus,r0c0,r0c1\ns,1,2\nt,1,nan\n")
    message = refused(table)
    assert "row 3, column r0c1" in message


def test_a_file_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "one.h5", result("s"))
    with pytest.raises(InputError, match=r"one\.h5: is given twice"):
        read_model_maps([path, path])
