"""Plans of sweeps: what is expanded, how jobs are known, what is refused all at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hlx.errors import InputError, ModelError
from hlx.models.loading.load import Identity
from hlx.sweep.plan import expand as planning
from hlx.sweep.plan.expand import Plan, plan_sweep
from hlx.sweep.plan.jobs import job_identity
from hlx.sweep.run.preparing import load_planned
from tests.support.sweep_files import ROWS, plan_of, write_sweep


def ids_of(plan: Plan) -> list[str]:
    """Job ids in order."""
    return [job.id for _, _, job in plan.rows()]


def refusal_of(folder: Path, **keys: object) -> str:
    """The line by which a plan is refused."""
    with pytest.raises(InputError) as refused:
        plan_of(folder, **keys)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.fixture
def known_models(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Identities of models by name, of the side given, without any files."""
    sides = {"clip-scenes": 64, "siglip-scenes": 64}

    def identify(name: str, *_: object) -> Identity:
        if name not in sides:
            raise ModelError(f"unknown model {name!r}")
        fingerprint = hashlib.sha256(name.encode()).hexdigest()
        return Identity(fingerprint, "jax", sides[name])

    monkeypatch.setattr(planning, "identify", identify)
    return sides


def test_order_is_that_of_the_file(tmp_path: Path, known_models: dict[str, int]) -> None:
    plan = plan_of(
        tmp_path,
        models=["siglip-scenes", "clip-scenes"],
        regions=["3x3", "2x2"],
        backgrounds=["mean", "blur"],
        estimators=[{"name": "permutation", "budgets": ["4n", 30], "seeds": [1, 0]}, "exact"],
    )
    found = [
        (
            model.label,
            group.image.path.name,
            group.regions.label,
            group.background,
            job.stimulus.id,
            job.spec.estimator.name,
            job.spec.budget,
            job.spec.seed,
        )
        for model, group, job in plan.rows()
    ]
    expected = [
        (model, image, regions, background, stimulus, *spec)
        for model in ("siglip-scenes", "clip-scenes")
        for image, stimuli in (("a.png", "13"), ("b.png", "2"))
        for regions, n in (("3x3", 9), ("2x2", 4))
        for background in ("mean", "blur")
        for stimulus in stimuli
        for spec in [
            *(("permutation", budget, seed) for budget in (4 * n, 30) for seed in (1, 0)),
            ("exact", None, 0),
        ]
    ]
    assert found == expected
    assert plan.n_jobs == len(expected)
    assert [s.foil for s in plan.stimuli] == ["a cat", None, "y"]


@given(
    models=st.integers(1, 2),
    regions=st.lists(st.sampled_from(["2x2", "1x2", "3x3", "2x3"]), min_size=1, unique=True),
    backgrounds=st.lists(st.sampled_from(["blur", "mean", "black"]), min_size=1, unique=True),
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    budgets=st.lists(st.integers(14, 40), min_size=1, max_size=3, unique=True),
    most=st.integers(2, 9),
)
def test_every_combination_is_planned_or_left_out(
    tmp_path_factory: pytest.TempPathFactory,
    models: int,
    regions: list[str],
    backgrounds: list[str],
    seeds: list[int],
    budgets: list[int],
    most: int,
) -> None:
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "identify", lambda name, *_: Identity(name, "jax"))
        plan = plan_of(
            folder,
            models=["clip-scenes", "siglip-scenes"][:models],
            regions=regions,
            backgrounds=backgrounds,
            estimators=[
                {"name": "exact", "most_players": most},
                {"name": "rise", "budgets": budgets, "seeds": seeds},
            ],
        )
    each = len(ROWS) * models * len(backgrounds)
    exact = sum(int(name[0]) * int(name[2]) <= most for name in regions)
    assert plan.n_jobs == each * (len(regions) * len(budgets) * len(seeds) + exact)
    assert sum(left.jobs for left in plan.left_out) == each * (len(regions) - exact)
    assert {left.estimator for left in plan.left_out} <= {"exact"}
    assert len({(group.model, group.image, group.regions, group.background) for group in plan.groups}) == len(
        plan.groups
    )


def test_names_labels_paths_and_order_determine_no_job(tmp_path: Path, known_models: dict[str, int]) -> None:
    how = {"regions": ["2x2", "3x3"], "backgrounds": ["blur", "mean"]}
    ids = ids_of(plan_of(tmp_path / "one", **how))
    for name in ("a.png", "b.png"):
        (tmp_path / "two/deep").mkdir(parents=True, exist_ok=True)
        (tmp_path / "two/deep" / f"n{name}").write_bytes((tmp_path / "one" / name).read_bytes())
    rows = [
        ("deep/nb.png", "two", "", "z"),
        ("deep/na.png", "x", "y", "q"),
        ("deep/na.png", "a dog", "a cat", "w"),
    ]
    (tmp_path / "two/stimuli.csv").write_text(
        "image,caption,foil,id,phenomenon\n" + "".join(",".join([*row, "p"]) + "\n" for row in rows)
    )
    (tmp_path / "two/other.toml").write_text(
        'stimuli = ["stimuli.csv"]\nmodels = [{name = "clip-scenes", label = "L", batch_size = 8}]\n'
        'regions = ["3x3", "2x2"]\nbackgrounds = ["mean", "blur"]\n'
    )
    other = ids_of(plan_sweep(tmp_path / "two/other.toml"))
    assert other != ids and sorted(other) == sorted(ids)


CHANGES: dict[str, Callable[[Plan], tuple[object, ...]]] = {
    "fingerprint": lambda p: (replace(p.models[0], fingerprint="0"), *_rest(p)),
    "dtype": lambda p: (replace(p.models[0], dtype="bfloat16"), *_rest(p)),
    "engine": lambda p: (replace(p.models[0], engine="torch"), *_rest(p)),
    "image": lambda p: _with(p, 1, replace(p.groups[0].image, sha256="0")),
    "regions": lambda p: _with(p, 2, p.groups[1].regions),
    "background": lambda p: _with(p, 3, "black"),
    "caption": lambda p: _with(p, 4, replace(p.stimuli[0], caption="other")),
    "foil": lambda p: _with(p, 4, replace(p.stimuli[0], foil=None)),
    "estimator": lambda p: _with(p, 5, replace(p.groups[0].jobs[1].spec, budget=40, seed=0)),
    "budget": lambda p: _with(p, 5, replace(p.groups[0].jobs[0].spec, budget=13)),
    "seed": lambda p: _with(p, 5, replace(p.groups[0].jobs[0].spec, seed=1)),
    "tolerance": lambda p: _with(p, 5, replace(p.groups[0].jobs[0].spec, tolerance=0.5)),
}


def _rest(plan: Plan) -> tuple[object, ...]:
    group = plan.groups[0]
    return group.image, group.regions, group.background, group.jobs[0].stimulus, group.jobs[0].spec, True


def _with(plan: Plan, place: int, value: object) -> tuple[object, ...]:
    parts = [plan.models[0], *_rest(plan)]
    parts[place] = value
    return tuple(parts)


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_determines_a_result_changes_its_job(
    tmp_path: Path, known_models: dict[str, int], what: str
) -> None:
    estimators = [{"name": "permutation", "budgets": [40]}, {"name": "leverage", "budgets": [14]}]
    plan = plan_of(tmp_path, regions=["3x3", "3x4"], estimators=estimators)
    assert job_identity(plan.models[0], *_rest(plan)) != job_identity(*CHANGES[what](plan))  # type: ignore[arg-type]


def test_tables_kept_are_other_jobs_where_there_are_tables(
    tmp_path: Path, known_models: dict[str, int]
) -> None:
    estimators = ["exact", {"name": "permutation", "budgets": [12]}]
    without, kept = (
        plan_of(tmp_path, rows=ROWS[:1], estimators=estimators, keep_tables=keep) for keep in (False, True)
    )
    (exact, sampled), (exact_kept, sampled_kept) = ids_of(without), ids_of(kept)
    assert exact != exact_kept and sampled == sampled_kept


def test_stimuli_of_the_same_content_share_a_job(tmp_path: Path, known_models: dict[str, int]) -> None:
    rows = [ROWS[0], (*ROWS[0][:3], "again"), ("copy.png", *ROWS[0][1:3], "elsewhere")]
    write_sweep(tmp_path, rows)
    (tmp_path / "copy.png").write_bytes((tmp_path / "a.png").read_bytes())
    plan = plan_sweep(tmp_path / "sweep.toml")
    assert plan.n_jobs == 3 and len(set(ids_of(plan))) == 1
    assert [(group.image.path.name, job.stimulus.id) for _, group, job in plan.rows()] == [
        *(("a.png", "1"), ("a.png", "again"), ("copy.png", "elsewhere")),
    ]


def test_the_same_request_is_made_once(tmp_path: Path, known_models: dict[str, int]) -> None:
    estimators = ["exact", {"name": "permutation", "budgets": [12, "3n"]}, "exact"]
    plan = plan_of(tmp_path, rows=ROWS[:1], estimators=estimators)
    assert [(u.spec.estimator.name, u.spec.budget) for _, _, u in plan.rows()] == [
        *(("exact", None), ("permutation", 12)),
    ]


def test_all_that_is_missing_or_impossible_is_told_at_once(
    tmp_path: Path, known_models: dict[str, int]
) -> None:
    path = write_sweep(
        tmp_path,
        images=["photos"],
        models=["clip-scenes", "clap", {"name": "clip-scenes", "label": "twin"}],
        regions=["2x2..6x6", "65x65", {"labels": "maps/{stem}.png", "label": "maps"}],
        estimators=["exact", {"name": "odd-gp", "budgets": [20], "most_players": 9}],
    )
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError) as refused:
        plan_sweep(path)
    told = str(refused.value)
    assert "\n" not in told and told.startswith(f"{path}: 7 problems: ")
    for part in (
        "model clap: unknown model 'clap'",
        "model twin: is the same as clip-scenes",
        f"images: there is no folder {tmp_path}/photos",
        "an image is not beside their stimulus files: a.png",
        "regions 65x65: more rows or columns than the 64 x 64 pixels of model clip-scenes",
        f"regions maps: {tmp_path}/maps/b.png: no such file",
        "estimators[0]: regions 5x5 (and 2 other numbers of regions): exact values of 25 regions take",
    ):
        assert part in told, part


def test_many_missing_images_are_counted(tmp_path: Path, known_models: dict[str, int]) -> None:
    path = write_sweep(tmp_path, rows=[(f"{i}.png", "a", "b", str(i)) for i in range(30)])
    for image in tmp_path.glob("*.png"):
        image.unlink()
    with pytest.raises(InputError, match=r"30 images are not beside .*: 0.png, .*, 19.png and 10 more$"):
        plan_sweep(path)


def test_what_is_wrong_with_stimuli_does_not_hide_the_rest(
    tmp_path: Path, known_models: dict[str, int]
) -> None:
    told = refusal_of(
        tmp_path,
        stimuli=["none.csv", "stimuli.csv", "n" * 300 + ".csv"],
        images=["i" * 300],
        models=["clap", {"name": "m" * 300, "label": "long"}],
        regions=["7x7"],
    )
    assert "none.csv: no such file" in told and "unknown model 'clap'" in told and "49 regions" in told
    assert "nnn.csv: cannot be read: File name too long" in told
    assert "there is no folder" in told and "model long: unknown model" in told
    assert "6 problems" in told


def test_what_another_entry_asks_for_is_not_left_out(tmp_path: Path, known_models: dict[str, int]) -> None:
    plan = plan_of(
        tmp_path,
        rows=ROWS[:1],
        regions=["3x3", "4x4"],
        estimators=[
            {"name": "leverage", "budgets": [128, "8n"], "most_players": 9},
            {"name": "leverage", "budgets": [128], "fewest_players": 9},
        ],
    )
    assert {(group.regions.label, len(group.jobs)) for group in plan.groups} == {("3x3", 2), ("4x4", 1)}
    assert plan.left_out == ()


def test_images_of_one_stem_cannot_share_a_label_map_unless_they_are_alike(
    tmp_path: Path, known_models: dict[str, int]
) -> None:
    path = write_sweep(tmp_path, rows=ROWS[:1], regions=[{"labels": "maps/{stem}.npy", "label": "maps"}])
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "a.npy", np.arange(64).reshape(8, 8).repeat(8, 0).repeat(8, 1) // 16)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes((tmp_path / "a.png").read_bytes())
    stimuli = tmp_path / "stimuli.csv"
    stimuli.write_text(stimuli.read_text() + "other/a.png,a dog,a cat,4\n")
    plan_sweep(path)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "other" / "a.png")
    with pytest.raises(InputError, match=r"maps/a.npy would be the label map of .*a.png and of .*a.png"):
        plan_sweep(path)


def test_limits_that_leave_nothing(tmp_path: Path, known_models: dict[str, int]) -> None:
    told = refusal_of(tmp_path, estimators=[{"name": "exact", "fewest_players": 5}])
    assert told.endswith("fewest_players and most_players leave nothing to compute")


def test_label_maps_are_found_by_stem_and_known_by_content(
    tmp_path: Path, known_models: dict[str, int]
) -> None:
    (tmp_path / "maps").mkdir()
    labels = np.arange(32 * 40).reshape(32, 40) * 3 // (32 * 40)
    for stem, pixels in (("a", labels), ("b", labels.T.repeat(2, axis=1)[:64, :64])):
        square = np.zeros((64, 64), np.uint8)
        square[: pixels.shape[0], : pixels.shape[1]] = pixels
        Image.fromarray(labels.astype(np.uint8) if stem == "a" else square).save(
            tmp_path / f"maps/{stem}.png"
        )
    plan = plan_of(tmp_path, regions=[{"labels": "maps/{stem}.png"}])
    assert [(i.regions.label, i.regions.n_players, i.regions.labels) for i in plan.groups] == [
        ("maps", 3, tmp_path / "maps/a.png"),
        ("maps", 3, tmp_path / "maps/b.png"),
    ]
    assert plan.groups[0].regions.sha256 == plan.groups[0].regions.read().sha256
    (tmp_path / "maps/a.png").rename(tmp_path / "renamed.png")
    again = plan_of(tmp_path, rows=[ROWS[0]], regions=[{"labels": "renamed.png"}])
    assert ids_of(again) == ids_of(plan)[:1]


@pytest.mark.parametrize(
    ("shape", "wrong"),
    [((32, 40), False), ((64, 64), False), ((40, 32), True), ((40, 40), True), ((65, 64), True)],
)
def test_label_maps_of_another_size_are_refused(
    tmp_path: Path, known_models: dict[str, int], shape: tuple[int, int], wrong: bool
) -> None:
    labels = np.zeros(shape, np.uint8)
    labels[:, shape[1] // 2 :] = 1
    Image.fromarray(labels).save(tmp_path / "map.png")
    regions = [{"labels": "map.png"}]
    if wrong:
        told = refusal_of(tmp_path, rows=ROWS[:1], regions=regions)
        assert (
            f"map.png: has {shape[0]} x {shape[1]} pixels (height x width), expected the 32 x 40 of" in told
        )
        assert told.endswith("or the 64 x 64 of clip-scenes")
    else:
        assert plan_of(tmp_path, rows=ROWS[:1], regions=regions).n_jobs == 1


def test_images_on_their_side_are_as_they_are_shown(tmp_path: Path, known_models: dict[str, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    write_sweep(tmp_path, rows=[("a.jpg", "a", "b", "1")])
    Image.new("RGB", (40, 32)).save(tmp_path / "a.jpg", exif=exif)
    labels = np.zeros((40, 32), np.uint8)
    labels[20:] = 1
    Image.fromarray(labels).save(tmp_path / "map.png")
    text = (tmp_path / "sweep.toml").read_text().replace('["2x2"]', '[{labels = "map.png"}]')
    (tmp_path / "sweep.toml").write_text(text)
    assert plan_sweep(tmp_path / "sweep.toml").n_jobs == 1


def test_broken_images_are_planned_and_fail_on_their_own(
    tmp_path: Path, known_models: dict[str, int]
) -> None:
    path = write_sweep(tmp_path, regions=["2x2", {"labels": "map.npy"}])
    np.save(tmp_path / "map.npy", np.arange(32 * 40).reshape(32, 40) % 2)
    (tmp_path / "a.png").write_bytes(b"no image")
    assert plan_sweep(path).n_jobs == 6


def test_real_models_are_identified(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    loaded = load_planned(plan.models[0])
    assert loaded.fingerprint == plan.models[0].fingerprint and plan.models[0].engine == "jax"
