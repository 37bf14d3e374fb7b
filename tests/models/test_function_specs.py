"""Where functions of the user's own are found: files, modules, and what is wrong with them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hlx.errors import InputError, ModelError
from hlx.io.own_code import is_own_name
from hlx.models import load_model
from hlx.models.function import load_callable
from tests.support.slow_way import photograph

IMAGE = photograph(30, 41)

SOURCE = """
import numpy as np
from dataclasses import dataclass
from hlx import CallableModel

@dataclass
class Answer:
    value: float

def score(images, texts):
    return np.full((len(images), len(texts)), Answer(3.0).value)

model = CallableModel(score, "named", side=10)
number = 3
class Kind: pass
"""


def test_whatever_changes_in_its_file_changes_a_function_s_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    before = {name: load_callable(f"{file}:{name}").fingerprint for name in ("score", "model")}
    assert before == {name: load_callable(f"{file}:{name}").fingerprint for name in before}
    file.write_text(SOURCE.replace("value: float", "value: float = 0.5"))
    after = {name: load_callable(f"{file}:{name}").fingerprint for name in before}
    assert len({*before.values(), *after.values()}) == 4


def test_a_file_s_functions_and_models_are_found(tmp_path: Path) -> None:
    file = tmp_path / "mine_in_a_file.py"
    file.write_text(SOURCE)
    model = load_callable(f"{file}:score")
    assert (model.name, model.side) == (f"{file}:score", 224)
    assert load_model(f"{file}:score").scores([IMAGE], ["a"]).tolist() == [[3.0]]
    assert (load_callable(f"{file}:model").name, load_callable(f"{file}:model").side) == ("named", 10)


def test_a_module_beside_the_user_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_as_a_module.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert load_model("mine_as_a_module:score").scores([IMAGE], ["a"]).tolist() == [[3.0]]


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (SOURCE, "nothing", "has nothing called nothing"),
        (SOURCE, "number", "number is an object of type int"),
        (SOURCE, "Kind", "Kind is a class"),
        ("import not_installed_anywhere", "f", "cannot be imported: .*not_installed_anywhere"),
        ("1 / 0", "f", "cannot be imported: ZeroDivisionError: division by zero"),
        ("def f(:", "f", "cannot be imported: SyntaxError"),
    ],
)
def test_what_cannot_be_found_is_named(tmp_path: Path, source: str, name: str, message: str) -> None:
    file = tmp_path / f"mine_{abs(hash((source, name)))}.py"
    file.write_text(source)
    with pytest.raises(ModelError, match=message) as caught:
        load_callable(f"{file}:{name}")
    assert "\n" not in str(caught.value)


def test_files_and_modules_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no file"):
        load_callable(f"{tmp_path / 'none.py'}:f")
    with pytest.raises(ModelError, match="there is no module no_such_module"):
        load_callable("no_such_module:f")
    with pytest.raises(ModelError, match=r"there is no module hlx\.no_such_module"):
        load_callable("hlx.no_such_module:f")
    with pytest.raises(ModelError, match="expected MODULE:NAME"):
        load_callable("no colon")


def test_a_file_that_failed_can_be_mended(tmp_path: Path) -> None:
    file = tmp_path / "mine_mended.py"
    file.write_text("1 / 0")
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        load_callable(f"{file}:score")
    assert not any(name.startswith("mine_mended") for name in sys.modules)
    file.write_text(SOURCE)
    assert load_callable(f"{file}:score").scores([IMAGE], ["a"]).tolist() == [[3.0]]


def test_files_of_one_name_are_two(tmp_path: Path) -> None:
    for value in (1, 2):
        (tmp_path / str(value)).mkdir()
        (tmp_path / str(value) / "mine_twice.py").write_text(SOURCE.replace("3.0", f"{value}.0"))
    models = [load_callable(f"{tmp_path / str(value)}/mine_twice.py:score") for value in (1, 2)]
    assert [model.scores([IMAGE], ["a"]).item() for model in models] == [1.0, 2.0]
    assert models[0].fingerprint != models[1].fingerprint


def test_a_file_that_ends_the_program_does_not_end_hlx(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit('usage: leaving')\n")
    with pytest.raises(ModelError, match="it ends the program"):
        load_callable(f"{tmp_path / 'leaving.py'}:f")


def test_files_of_one_name_and_of_a_package_s_name_are_told_apart(tmp_path: Path) -> None:
    """Each finds its own neighbours, and a dataclass of theirs its own module."""
    text = (
        "from dataclasses import dataclass\nimport numpy as np\nfrom {n}_neighbour import NUMBER\n"
        "@dataclass\nclass Kept:\n    number: 'float' = NUMBER\n"
        "def score(images, texts):\n    return np.full((len(images), len(texts)), Kept().number)\n"
    )
    for n, folder in enumerate((tmp_path / "one", tmp_path / "two")):
        folder.mkdir()
        (folder / f"a{n}_neighbour.py").write_text(f"NUMBER = {n}.5\n")
        (folder / "json.py").write_text(text.format(n=f"a{n}"))
        found = load_callable(f"{folder / 'json.py'}:score").scores([IMAGE], ["a"])
        assert found.tolist() == [[n + 0.5]]
    assert sys.modules["json"].__name__ == "json"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("module:f", True),
        ("a.b:f", True),
        ("file.py:f", True),
        ("/a/b.py:f", True),
        ("C:f", False),
        ("C:\\models\\clip", False),
        ("openai/clip", False),
        ("clip-scenes", False),
        ("module:", False),
        ("module:2", False),
    ],
)
def test_names_of_functions(name: str, is_one: bool) -> None:
    assert is_own_name(name) is is_one


def test_a_folder_of_that_name_is_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "module:f").mkdir()
    assert not is_own_name(str(tmp_path / "module:f"))


def test_options_of_checkpoints_are_refused() -> None:
    for options in ({"dtype": "bfloat16"}, {"engine": "torch"}, {"devices": "cpu"}, {"detector": "x"}):
        with pytest.raises(
            InputError, match=r"module:f: (dtype bfloat16|engine|device|detector) is for the f"
        ):
            load_model("module:f", **options)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("my_models.py", "my_models.py"),
        ("my_models.py:", "my_models.py"),
        ("my_models.py:2nd", "my_models.py"),
        ("my.models:", "my.models"),
    ],
)
def test_a_file_or_module_alone_is_asked_for_its_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_models.py").write_text(SOURCE)
    with pytest.raises(ModelError, match=re.escape(f"model '{name}': name its function: {source}:FUNCTION")):
        load_model(name)
