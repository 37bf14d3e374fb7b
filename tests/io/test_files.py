"""Output files are refused before the work, and are whole or absent after it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hlx.errors import OutputError
from hlx.io.files import check_output, filling, replacing, write_bytes


def test_a_name_that_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    assert check_output(str(tmp_path / "a.h5")) == tmp_path / "a.h5"
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, force, message in (
        ("file", False, "exists; force=True replaces it"),
        ("link", False, "exists; force=True"),
        ("folder", True, "no regular file"),
        ("missing/a.h5", True, "there is no folder .*missing"),
        ("file/a.h5", True, "there is no folder"),
        ("a" * 300, True, "(?i)name too long"),
        ("b" * 250, True, "(?i)name too long"),  # its temporary name is
    ):
        with pytest.raises(OutputError, match=message) as caught:
            check_output(tmp_path / name, force)
        assert str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)
    assert check_output(tmp_path / "file", force=True).read_bytes() == b"kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "link"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_a_folder_that_takes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutputError, match=os.strerror(number)):
        check_output(tmp_path / "a.h5")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        check_output(tmp_path / "a.h5")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("before", [None, b"old"])
def test_an_interrupted_write_changes_nothing(
    tmp_path: Path, error: type[BaseException], before: bytes | None
) -> None:
    path = tmp_path / "a.h5"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        assert temporary.parent == path.parent and temporary != path
        raise error
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([] if before is None else [before])


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_up_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError, match=r"/a: cannot be written: No space left on device"):
        write_bytes(tmp_path / "a", b"new")
    with pytest.raises(OutputError, match="No space left"), filling(tmp_path / "made") as temporary:
        (temporary / "b").write_bytes(b"new")
    with pytest.raises(OutputError, match="No space left"), filling(tmp_path) as temporary:
        (temporary / "a").write_bytes(b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a", b"old")]


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (b"long content", b"short", b""):
        write_bytes(path, memoryview(content))
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_leaves_other_names_of_the_old_file_alone(tmp_path: Path) -> None:
    """Readers that opened the old file, or linked it, keep a whole one."""
    (tmp_path / "a").write_bytes(b"old")
    os.link(tmp_path / "a", tmp_path / "b")
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "b").read_bytes() == b"old"


def test_a_folder_is_filled_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    for content in (b"1", b"2"):
        with filling(folder) as temporary:
            for name in "ab":
                (temporary / name).write_bytes(content)
            assert not folder.exists() or (folder / "a").read_bytes() != content
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"a": content, "b": content}
    with pytest.raises(KeyboardInterrupt), filling(folder) as temporary:
        (temporary / "a").write_bytes(b"3")
        raise KeyboardInterrupt
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"a": b"2", "b": b"2"}
    assert list(tmp_path.iterdir()) == [folder]
