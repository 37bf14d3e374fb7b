"""Sweep files: what they ask for, and one line for all that is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlx.errors import InputError
from hlx.games.regions import Grid
from hlx.sweep.config.entries import Budget
from hlx.sweep.config.sweep_file import SweepFile, read_sweep_file

KEYS = tuple(SweepFile.model_fields)
SMALL = 'stimuli = ["s.csv"]\nmodels = ["clip-scenes"]\nregions = ["4x4"]\n'


def sweep_of(folder: Path, text: str, name: str = "sweep.toml") -> SweepFile:
    """The sweep file of this text."""
    (folder / name).write_text(text, encoding="utf-8")
    return read_sweep_file(folder / name)


def refusal_of(folder: Path, text: str) -> str:
    """The one line by which a text is refused."""
    with pytest.raises(InputError) as refused:
        sweep_of(folder, text)
    told = str(refused.value)
    assert told.startswith(str(folder / "sweep.toml")) and "\n" not in told
    return told.removeprefix(str(folder / "sweep.toml"))


def test_defaults_are_those_of_explain(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, SMALL)
    assert sweep.output == tmp_path / "sweep"
    assert sweep.stimuli == (tmp_path / "s.csv",)
    assert sweep.backgrounds == ("blur",)
    [model], [regions], [estimator] = sweep.models, sweep.regions, sweep.estimators
    assert (model.name, model.label, model.dtype, model.engine) == ("clip-scenes",) * 2 + ("float32", None)
    assert (regions.label, regions.grid) == ("4x4", Grid(4, 4))
    assert [(r.estimator.name, r.budget, r.seed) for r in estimator.estimator_specs(16)] == [
        ("exact", None, 0)
    ]
    assert not sweep.keep_tables and not sweep.validated and sweep.compilation_cache is None


def test_everything_that_can_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "checkpoints/mine").mkdir(parents=True)
    sweep = sweep_of(
        tmp_path,
        """
        output = "../results"
        stimuli = ["a.csv", "/b.json"]
        images = ["photos"]
        validated = true
        dtype = "bfloat16"
        keep_tables = true
        compilation_cache = true
        backgrounds = ["mean", "blur"]
        models = [
            "checkpoints/mine",
            {name = "openai/clip-vit-base-patch32", dtype = "float32", device = "cuda:1", batch_size = 64},
            {name = "lxmert-scenes", label = "LXMERT", engine = "torch", detector = "d/e", revision = "v1"},
            "mine.py:score",
        ]
        regions = ["2x3", "2x2..4x4", "3x3", {labels = "maps/{stem}.png"}, {labels = "one.npy", label = "1"}]
        estimators = [
            "exact",
            {name = "odd-gp", budgets = [64, "8n"], seeds = [2, 1], tolerance = 0.1, most_players = 16},
        ]
        """,
    )
    assert sweep.output == tmp_path / "../results" and sweep.images == (tmp_path / "photos",)
    assert sweep.stimuli == (tmp_path / "a.csv", Path("/b.json"))
    assert sweep.validated and sweep.keep_tables and sweep.backgrounds == ("mean", "blur")
    assert sweep.compilation_cache == tmp_path / "cache/hlx/compiled"
    assert [(m.name, m.label, m.dtype) for m in sweep.models] == [
        (str(tmp_path / "checkpoints/mine"), "mine", "bfloat16"),
        ("openai/clip-vit-base-patch32", "clip-vit-base-patch32", "float32"),
        ("lxmert-scenes", "LXMERT", "bfloat16"),
        (f"{tmp_path}/mine.py:score", "mine:score", "float32"),
    ]
    assert (sweep.models[1].device, sweep.models[1].batch_size) == ("cuda:1", 64)
    assert (sweep.models[2].engine, sweep.models[2].detector, sweep.models[2].revision) == (
        *("torch", "d/e", "v1"),
    )
    assert [r.label for r in sweep.regions] == ["2x3", "2x2", "3x3", "4x4", "maps", "1"]
    assert sweep.regions[4].labels_of(Path("/x/dog.jpg")) == tmp_path / "maps/dog.png"
    assert sweep.regions[5].labels_of(Path("/x/dog.jpg")) == tmp_path / "one.npy"
    odd = sweep.estimators[1]
    assert odd.budgets == (Budget(64), Budget(8, per_region=True))
    assert [(r.budget, r.seed, r.tolerance) for r in odd.estimator_specs(9)] == [
        *((64, 2, 0.1), (64, 1, 0.1), (72, 2, 0.1), (72, 1, 0.1)),
    ]
    assert odd.takes(16) and not odd.takes(17)


@given(
    start=st.tuples(st.integers(1, 9), st.integers(2, 9)), steps=st.integers(0, 20), aside=st.integers(-3, 3)
)
def test_ranges_hold_every_grid_between(
    tmp_path_factory: pytest.TempPathFactory, start: tuple[int, int], steps: int, aside: int
) -> None:
    folder = tmp_path_factory.mktemp("grids")
    rows, cols = start
    end = Grid(rows + steps, max(2, cols + steps + aside))
    text = SMALL.replace("4x4", f"{Grid(*start)}..{end}")
    if end.cols - cols != steps:
        assert "rows and columns grow together" in refusal_of(folder, text)
    else:
        assert [r.grid for r in sweep_of(folder, text).regions] == [
            Grid(rows + i, cols + i) for i in range(steps + 1)
        ]


@given(key=st.sampled_from(KEYS), place=st.integers(0, 20), letter=st.sampled_from("abxz_"))
def test_unknown_keys_name_the_nearest(
    tmp_path_factory: pytest.TempPathFactory, key: str, place: int, letter: str
) -> None:
    typo = key[: place % len(key)] + letter + key[place % len(key) :]
    told = refusal_of(tmp_path_factory.mktemp("keys"), SMALL + f"{typo} = 1\n")
    assert told.startswith(f": {typo}: unknown key; did you mean {key!r}?")


WRONG = {
    "": ": 3 problems: stimuli: missing; expected a list of files",
    'models = [{name = "clip-scenes", dtype = "float16"}]': ": models[0].dtype 'float16': "
    "expected float32 or bfloat16",
    'models = ["clip-scenes", {nam = "x"}]': ": 2 problems: models[1].nam: unknown key; did you mean "
    "'name'?; models[1].name: missing; expected a model's name",
    "models = [3]": ": models[0]: expected a model's name or a table, found 3",
    "models = []": 'models: expected a list of names or tables, such as ["clip-scenes"], not an empty one',
    "models = 'clip-scenes'": ": models 'clip-scenes': expected a list of names or tables",
    'models = ["clip-scenes", {name = "clip-scenes", dtype = "bfloat16"}]': ": models[1]: the label "
    "'clip-scenes' is also that of models[0]; set label to another",
    'models = [{name = "clip-scenes", label = "a/b"}]': ": models[0].label 'a/b': expected a name that files "
    "can have",
    'models = [{name = "clip-scenes", batch_size = 0}]': "models[0].batch_size: expected a whole number "
    "of at least 1, found 0",
    'models = [{name = "f.py:score", device = "cpu"}]': "models[0].device: is for the function f.py:score to "
    "settle; leave it out",
    'dtype = "float64"': ": dtype 'float64': expected float32 or bfloat16",
    'regions = ["4by4"]': ": regions[0]: grid '4by4': expected ROWSxCOLS, such as 4x4",
    'regions = ["1x1"]': ": regions[0]: grid 1x1: a single region has nothing to share",
    'regions = ["5x5..4x4"]': "rows and columns grow together",
    'regions = ["2x2..999x999"]': "998 grids are more than 100",
    "regions = [4]": ': regions[0]: expected a grid such as "4x4" or a table with labels, found 4',
    'regions = [{labels = "m.jpg"}]': ": regions[0].labels 'm.jpg': expected the name of .png or .npy files",
    'regions = [{labels = "{id}.png", label = "m"}]': ": regions[0].labels '{id}.png': expected no other "
    "name in braces than {stem}",
    'regions = [{labels = "{stem}.png"}]': ": regions[0].label '': expected a name",
    'regions = [{labels = "a/m.png"}, {labels = "b/m.png"}]': ": regions[1]: the label 'm' is also that of "
    "regions[0]",
    'backgrounds = ["blurr"]': ": backgrounds[0] 'blurr': unknown background; did you mean 'blur'?",
    'estimators = ["od-gp"]': ": estimators[0].name 'od-gp': unknown estimator; did you mean 'odd-gp'?",
    'estimators = ["odd-gp"]': ": estimators[0]: odd-gp samples coalitions; say how many, such as budgets",
    'estimators = [{name = "exact", budgets = [9]}]': "exact evaluates all coalitions; leave them out",
    'estimators = [{name = "exact", seeds = [1]}]': "exact draws nothing at random; leave them out",
    'estimators = [{name = "rise", budgets = [99], tolerance = 0.1}]': "rise gives no standard errors",
    'estimators = [{name = "odd-gp", budgets = ["8m"]}]': "estimators[0].budgets[0]: expected a number of "
    "evaluations, such as 172, or of evaluations for each region, such as \"8n\", found '8m'",
    'estimators = [{name = "odd-gp", budgets = [true]}]': "found a truth value",
    'estimators = [{name = "odd-gp", budgets = [64], seeds = [-1]}]': "estimators[0].seeds[0]: expected a "
    "whole number from 0 to 1,000,000,000, found -1",
    f'estimators = [{{name = "odd-gp", tolerance = 1{"0" * 400}}}]': "tolerance: expected a positive share",
    f'estimators = [{{name = "odd-gp", budgets = [1{"0" * 400}]}}]': "budgets[0]: expected a number of eval",
    f"regions = [1{'0' * 5000}]": ": not usable TOML: Exceeds the limit",
    f'models = [{{name = "clip-scenes", label = "{"猫" * 40}"}}]': "at most 100 bytes",
    'models = [{name = "clip-scenes", device = "gpuu"}]': ": models[0].device 'gpuu': expected auto, ",
    'output = "sweep.toml/deep/er"': "sweep.toml is a file, expected a folder's path",
    'estimators = [{name = "odd-gp", tolerance = nan}]': "tolerance: expected a positive share",
    'estimators = [{name = "exact", fewest_players = 9, most_players = 4}]': "fewest_players 9 is more than "
    "most_players 4",
    "keep_tables = 1": ": keep_tables: expected true or false, found 1",
    "compilation_cache = 3": ": compilation_cache: expected true, false or a folder's path, found 3",
    "images = [[]]": ": images[0]: expected text, found a list",
    'output = "sweep.toml"': "is a file, expected a folder's path",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_values_say_where_and_what_was_expected(tmp_path: Path, line: str) -> None:
    key = line.split(" ", maxsplit=1)[0]
    kept = [each for each in SMALL.splitlines() if line and not each.startswith(key)]
    assert WRONG[line] in refusal_of(tmp_path, "\n".join([*kept, line or "validated = false"]))


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    wrong = "".join(f"key{i} = {i}\n" for i in range(30))
    told = refusal_of(tmp_path, SMALL + wrong)
    assert told.startswith(": 30 problems: key0: unknown key; ") and told.endswith("; and 10 more")
    assert "key19" in told and "key20" not in told


def test_what_is_no_toml_names_the_line(tmp_path: Path) -> None:
    assert refusal_of(tmp_path, SMALL + "validated = yes\n").startswith(
        ", line 4, character 13: not valid TOML"
    )
    assert "line 4" in refusal_of(tmp_path, SMALL + SMALL)
    assert "nests too deeply" in refusal_of(tmp_path, "a = " + "[" * 100_000)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(InputError, match="line 1: not UTF-8"):
        read_sweep_file(tmp_path / "sweep.toml")
    with pytest.raises(InputError, match="no such file"):
        read_sweep_file(tmp_path / "none.toml")
    with pytest.raises(InputError, match="is a folder"):
        read_sweep_file(tmp_path)
    with pytest.raises(InputError, match="is empty"):
        sweep_of(tmp_path, "", "empty.toml")


def test_a_file_without_ending_names_its_output(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a file, expected a folder's path"):
        sweep_of(tmp_path, SMALL, "sweep")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-9, 99)
        | st.sampled_from(["4x4", "exact", "n", "", "clip-scenes"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "labels", "budgets", "seeds", "label"]), inner, max_size=3
            )
        ),
        max_leaves=6,
    ),
    st.sampled_from(KEYS),
)
def test_no_value_does_anything_but_be_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: object, key: str
) -> None:
    def toml(value: object) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
        return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value or 0)

    folder = tmp_path_factory.mktemp("any")
    kept = [each for each in SMALL.splitlines() if not each.startswith(key)]
    try:
        sweep = sweep_of(folder, "\n".join([*kept, f"{key} = {toml(value)}"]))
    except InputError as error:
        assert key in str(error) and "\n" not in str(error)
    else:
        assert sweep.models and sweep.regions and sweep.estimators and sweep.backgrounds
