"""Images are found by their names, and stimuli of several files are gathered with them."""

import json
import warnings
from pathlib import Path

import pytest

from hlx.errors import InputError
from hlx.games.stimuli import find_images, gather_stimuli
from tests.games.test_stimuli import picture, stored, valse_item

# --- finding images


def test_the_same_name_beats_case_beats_extension(tmp_path: Path) -> None:
    exact = picture(tmp_path / "z" / "deep" / "cat_1.jpg", 1)
    picture(tmp_path / "a" / "Cat_1.JPG", 2)
    picture(tmp_path / "a" / "cat_1.png", 3)
    upper = picture(tmp_path / "a" / "DOG_2.JPG", 4)
    picture(tmp_path / "a" / "dog_2.png", 5)
    other = picture(tmp_path / "b" / "v7w_3.jpeg", 6)
    found = find_images(["cat_1.jpg", "dog_2.jpg", "v7w_3.jpg", "v7w_30.jpg", "w_3.jpg"], [tmp_path])
    assert found.paths == {"cat_1.jpg": exact, "dog_2.jpg": upper, "v7w_3.jpg": other}
    assert found.missing == ["v7w_30.jpg", "w_3.jpg"]
    assert found.ambiguous == {}


def test_texts_of_the_same_name_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "cat_1.txt").write_text("a cat")
    (tmp_path / "cat_1.jpg").mkdir()
    assert find_images(["cat_1.jpg"], [tmp_path]).missing == ["cat_1.jpg"]


def test_different_images_of_one_name_are_ambiguous_and_copies_are_not(tmp_path: Path) -> None:
    first, second = picture(tmp_path / "a" / "1.png", 1), picture(tmp_path / "b" / "1.png", 2)
    copy, _ = picture(tmp_path / "b" / "2.png", 3), picture(tmp_path / "c" / "2.png", 3)
    found = find_images(["1.png", "2.png", "b/1.png", "B\\1.jpg"], [tmp_path / "b", tmp_path])
    assert found.ambiguous == {"1.png": [second, first]}
    assert found.paths == {"2.png": copy, "b/1.png": second, "B\\1.jpg": second}


def test_links_and_folders_given_twice_are_read_once(tmp_path: Path) -> None:
    image = picture(tmp_path / "real" / "1.png")
    (tmp_path / "real" / "back").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "real" / "broken.png").symlink_to(tmp_path / "nowhere.png")
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path / "real", target_is_directory=True)
    found = find_images(["1.png", "broken.png"], [tmp_path / "real", tmp_path / "real", linked])
    assert found.paths == {"1.png": image}
    assert found.missing == ["broken.png"]
    assert find_images(["1.png"], [linked]).paths == {"1.png": linked / "1.png"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_images(["a.jpg"], [tmp_path / "absent"])


@pytest.mark.parametrize("name", ["", "/", ".", "..", "a" * 5000 + ".jpg", "nul\0.jpg", "./x/../"])
def test_odd_names_are_missing_and_nothing_worse(name: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    assert find_images([name], [tmp_path]).missing == [name]


def test_gathering_prefers_the_image_beside_its_file(tmp_path: Path) -> None:
    near = picture(tmp_path / "lists" / "1.png", 1)
    far = picture(tmp_path / "images" / "2.png", 2)
    picture(tmp_path / "images" / "1.png", 3)
    path = stored(tmp_path / "lists", "image,caption\n1.png,x\n2.png,y\n3.png,z\n3.png,w\n")
    gathered = gather_stimuli([path], [tmp_path / "images"])
    assert gathered.sources == [near, far, None, None]
    assert gathered.missing == ["3.png"]
    assert [s.image for s in gathered.stimuli] == ["1.png", "2.png", "3.png", "3.png"]


def test_gathering_refuses_shared_ids_and_ambiguous_images(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png", 1), picture(tmp_path / "b" / "1.png", 2)
    one = stored(tmp_path, "image,caption,id\n1.png,x,7\n", "one.csv")
    two = stored(tmp_path, "image,caption,id\n1.png,y,7\n", "two.csv")
    with pytest.raises(InputError, match=r"two\.csv: the id '7' is also one of .*one\.csv"):
        gather_stimuli([one, two])
    with pytest.raises(InputError, match=r"image '1\.png': .* have this name and differ"):
        gather_stimuli([one], [tmp_path])


def test_valse_keys_may_repeat_across_its_files(tmp_path: Path) -> None:
    files = [
        stored(tmp_path, json.dumps({"actions_test_0": valse_item()}), f"{n}.json") for n in ("swap", "act")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [s.id for s in gather_stimuli(files).stimuli] == ["swap/actions_test_0", "act/actions_test_0"]
