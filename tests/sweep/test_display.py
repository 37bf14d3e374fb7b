"""How far a run is: lines by the clock, bars on a terminal, and where compiled functions may lie."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hlx.errors import InputError
from hlx.sweep.config.compilation_cache import own_folder, private_folder
from hlx.sweep.run.display import BarDisplay, LineDisplay, QuietDisplay, Tally, display_for, duration


class Clock:
    """Seconds as the test says."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_line_at_the_start_every_minute_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = LineDisplay(60.0, clock)
    tallies = {"clip": Tally(1000, 100), "siglip": Tally(3000)}

    def said() -> list[str]:
        out, err = capsys.readouterr()
        assert out == ""
        return err.splitlines()

    with lines.shown(tallies):
        assert said() == ["100 of 4,000 jobs done, clip 10%; siglip 0%"]
        clock.now += 59
        lines.tick()
        assert said() == []
        clock.now += 1
        lines.advance("clip", 590, 10)
        lines.tick()
        lines.tick()
        assert said() == [
            "690 of 4,000 jobs done, 10 jobs/s, 5 min 30 s left, 10 failed, clip 69%; siglip 0%"
        ]
        # After a long silence one line, and the next again on the minute.
        clock.now += 150
        lines.tick()
        assert len(said()) == 1
        clock.now += 29
        lines.tick()
        assert said() == []
        clock.now += 1
        lines.tick()
        assert len(said()) == 1
        lines.advance("clip", 300, 0)
        lines.advance("siglip", 3000, 0)
    assert said() == ["3,990 of 4,000 jobs done, 16.2 jobs/s, 10 failed, clip 99%; siglip 100%"]
    assert tallies == {"clip": Tally(1000, 100), "siglip": Tally(3000)}


def test_a_run_without_progress_says_only_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = QuietDisplay()
    with quiet.shown({"clip": Tally(3)}):
        quiet.advance("clip", 3, 0)
        quiet.tick()
        quiet.say("a bad shard")
    assert capsys.readouterr() == ("", "a bad shard\n")


def test_off_a_terminal_there_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(display_for(), LineDisplay)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert isinstance(display_for(), BarDisplay)


@pytest.mark.parametrize("models", [["clip"], ["[red]clip", "siglip"]])
def test_bars_show_all_models_rates_and_failures(models: list[str]) -> None:
    screen = io.StringIO()
    bars = BarDisplay(Console(file=screen, force_terminal=True, width=110, color_system=None))
    with bars.shown({name: Tally(100, 10) for name in models}):
        for name in models:
            for _ in range(4):
                bars.advance(name, 20, 0)
                time.sleep(0.02)
                bars.tick()
            bars.advance(name, 0, 5)
        bars.say("[bold]a line[/bold]")
    last = screen.getvalue().split("a line")[-1]
    assert "[bold]a line[/bold]" in screen.getvalue() and " jobs/s" in last
    total = 100 * len(models)
    assert f"{total - 5 * len(models)}/{total}" in last and f"{5 * len(models)} failed" in last
    for name in models if len(models) > 1 else []:
        assert name in last and "95/100" in last and "5 failed" in last
    assert screen.getvalue().endswith("\x1b[?25h"), "the cursor is back"


def test_bars_without_jobs() -> None:
    screen = io.StringIO()
    bars = BarDisplay(Console(file=screen, force_terminal=True, width=80))
    bars.tick()
    with bars.shown({"clip": Tally()}):
        bars.tick()
    assert "0/0" in screen.getvalue()


@given(st.floats(0, 10**7))
def test_durations_say_about_how_long(seconds: float) -> None:
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    words = duration(seconds).split()
    told = sum(float(number) * units[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    assert told == pytest.approx(seconds, rel=0.02, abs=0.5)


# --- compiled functions


def test_the_cache_is_made_for_the_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert own_folder() == tmp_path / "cache" / "hlx" / "compiled"
    old = os.umask(0)
    try:
        folder = private_folder(own_folder())
    finally:
        os.umask(old)
    for made in (folder, folder.parent, folder.parent.parent):
        assert made.stat().st_mode & 0o777 == 0o700
    assert private_folder(own_folder()) == folder
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert own_folder() == tmp_path / ".cache" / "hlx" / "compiled"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o722])
def test_a_cache_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "compiled"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(InputError, match=r"compiled can be written by other users.*chmod go-w"):
        private_folder(folder)
    folder.chmod(0o1777)
    with pytest.raises(InputError, match="can be written"):
        private_folder(folder)
    inner = folder / "inner"
    assert private_folder(inner) == inner.resolve(), "as in /tmp"
    folder.chmod(mode)
    with pytest.raises(InputError, match="compiled can be written by other users"):
        private_folder(inner)


def test_a_cache_of_another_user_or_no_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "compiled"
    folder.mkdir(mode=0o700)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is no folder"):
        private_folder(tmp_path / "file")
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert private_folder(link) == folder.resolve()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(InputError, match="compiled belongs to another user"):
        private_folder(folder)
