"""The page of a study: whole by itself, true to its numbers, the same each time, and alive in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hlx.alignment.analysis import Analysis, Study, analyze, formats, read_study
from hlx.alignment.analysis.analysis import StimulusValues
from hlx.errors import OutputError
from hlx.games.regions import Grid
from hlx.games.stimuli import Stimulus
from hlx.report import Page, make_page, write_report
from hlx.report.kit.numbers import MINUS
from tests.alignment.test_questions import GRID, MODELS, PHENOMENA, changed, study_of
from tests.support.waiting import PATIENCE

NASTY = 'a "dog" </script><script>alert(1)</script> & <img src=x onerror=alert(2)>'
VOID = {"meta", "input", "br", "img", "link", "hr"}
LOADING = {"src", "href", "xlink:href", "srcset", "poster", "data", "action"}


class Parsed(HTMLParser):
    """What the tests ask of a page: its elements with attributes and text, all closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[int, str] = {}
        self.inside: list[int] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.inside.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.inside.pop()

    def handle_data(self, data: str) -> None:
        for place in self.inside:
            self.texts[place] = self.texts.get(place, "") + data

    def named(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        """Attributes and text of all elements of a name."""
        return [(on, self.texts.get(i, "")) for i, (name, on) in enumerate(self.elements) if name == tag]

    def by_id(self, name: str) -> str:
        """The text of the element with this id."""
        (found,) = (self.texts.get(i, "") for i, (_, on) in enumerate(self.elements) if on.get("id") == name)
        return found


def message_of(study: Study, images: bool = True) -> Study:
    """The study with texts, phenomena and, if wanted, images; two stimuli share one."""
    rng = np.random.default_rng(3)
    about = {
        name: Stimulus(f"{name}.png", f"caption {k}", f"foil {k}", name, PHENOMENA[k % 3])
        for k, name in enumerate(study.stimuli)
    }
    about[study.stimuli[1]] = Stimulus("x.png", NASTY, f"not {NASTY}", study.stimuli[1], PHENOMENA[1])
    pixels = {name: rng.integers(0, 255, (30, 40, 3), dtype=np.uint8) for name in study.stimuli}
    pixels[study.stimuli[2]] = pixels[study.stimuli[0]]
    return replace(study, about=about, images=pixels if images else {})


def analysed(study: Study, **options: Any) -> Analysis:
    return analyze(study, **{"shuffles": 50, **options})


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analysed(message_of(study_of(2)))


@pytest.fixture(scope="module")
def page(analysis: Analysis) -> Page:
    return make_page(analysis)


@pytest.fixture(scope="module")
def parsed(page: Page) -> Parsed:
    return Parsed(page.html)


def without_f(study: Study) -> Study:
    models = tuple(replace(one, maps=replace(one.maps, f={}), benchmark=None) for one in study.models)
    return replace(study, models=models)


def simulated(study: Study) -> Study:
    return replace(study, humans=replace(study.humans, simulated=True))


def constant(study: Study) -> Study:
    return changed(study, 0, "s05", np.ones(GRID.n_players))


STUDIES: Mapping[str, Callable[[], Analysis]] = {
    "one model": lambda: analysed(message_of(study_of(1))),
    "four models": lambda: analysed(message_of(study_of(4))),
    "nine models' worth of colours": lambda: analysed(message_of(_many())),
    "nothing but maps": lambda: analysed(study_of(2)),
    "no scores": lambda: analysed(without_f(message_of(study_of(2)))),
    "no images": lambda: analysed(message_of(study_of(2), images=False)),
    "constant map": lambda: analysed(constant(message_of(study_of(2)))),
    "signed": lambda: analysed(message_of(study_of(2)), magnitude="signed"),
    "ties": lambda: analysed(message_of(study_of(2, ties=True))),
    "a large grid": lambda: analysed(message_of(study_of(2, grid=Grid(7, 14)))),
    "three stimuli": lambda: analysed(message_of(study_of(2, n=3))),
    "simulated": lambda: analysed(simulated(message_of(study_of(2)))),
}


def _many() -> Study:
    study = study_of(4)
    models = [
        replace(one, maps=replace(one.maps, name=f"{one.name} {k}"))
        for k in (1, 2, 3)
        for one in study.models
    ]
    return replace(study, models=tuple(models[:9]))


@pytest.mark.parametrize("kind", STUDIES)
def test_every_kind_of_study_makes_a_whole_page(kind: str) -> None:
    made = STUDIES[kind]()
    html = make_page(made).html
    found = Parsed(html)
    ids = [on["id"] for _, on in found.elements if "id" in on]
    assert len(ids) == len(set(ids))
    for tag, on in found.elements:
        for name in LOADING & on.keys():
            target = on[name] or ""
            assert target.startswith("#") or (tag == "image" and target.startswith("data:image/")), (tag, on)
            assert not target.startswith("#") or target[1:] in ids, target
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert not any(name.startswith("on") for name in on)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", html)
    rows = [on for tag, on in found.elements if tag == "tr" and str(on.get("id", "")).startswith("stimulus-")]
    assert len(rows) == len(made.study.stimuli) and not any("hidden" in on for on in rows)
    # Notes may speak of NaN.
    drawn = re.sub(r'<script.*?</script>|<section id="notes">.*?</section>', "", html, flags=re.S)
    assert not re.search(r"\b(nan|NaN|None|inf)\b", drawn)


def test_all_rows_are_there_without_a_script(analysis: Analysis, parsed: Parsed) -> None:
    rows = [text for on, text in parsed.named("tr") if str(on.get("id", "")).startswith("stimulus-")]
    for name, text in zip(analysis.study.stimuli, rows, strict=True):
        assert name in text and text.count("RC ") == 2 and "f " in text
    (controls,) = [on for on, _ in parsed.named("div") if on.get("id") == "gallery-controls"]
    assert "hidden" in controls  # of no use until the script shows them


def test_texts_are_shown_as_they_are(analysis: Analysis, page: Page, parsed: Parsed) -> None:
    captions = [text for on, text in parsed.named("span") if on.get("class") == "caption"]
    assert captions[1] == f"caption{NASTY}"
    assert "alert(1)</script>" not in page.html and "<img" not in page.html
    assert len(parsed.named("script")) == 2
    titled = Parsed(make_page(analysis, {}, "<b>Maps</b> & men").html)
    assert titled.named("title")[0] == ({}, "<b>Maps</b> & men")


def test_the_whole_summary_is_kept(analysis: Analysis, parsed: Parsed) -> None:
    assert json.loads(parsed.by_id("summary")) == json.loads(json.dumps(analysis.to_json()))


def numbers(value: Any) -> Iterator[float]:
    """All numbers that nested JSON holds."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers(one)
    elif isinstance(value, int | float):
        yield value


@pytest.mark.parametrize("models", [1, 2, 4])
def test_shown_numbers_are_those_of_the_summary(models: int) -> None:
    made = analysed(message_of(study_of(models)))
    # Without comparisons, whose baselines and ceilings the summary does not hold.
    shown = Parsed(make_page(made, {}).html).named("data")
    known = {0, *numbers(made.to_json())}
    assert len(shown) > 40 * models
    for on, text in shown:
        value = float(str(on["value"]))
        assert value in known, text
        said = re.search(rf"(<?) ?({MINUS}?[\d,]*\.?\d+)\s?(%?)", text)
        assert said is not None, text
        printed = float(said[2].replace(MINUS, "-").replace(",", ""))
        if said[1]:
            assert value < printed
        else:
            digits = len(said[2].partition(".")[2])
            assert abs(value * (100 if said[3] else 1) - printed) <= 0.5001 * 10**-digits, (text, value)


def test_the_reference_study_reads_as_printed(shared: Path) -> None:
    html = make_page(analyze(read_study(shared / "thesis"), shuffles=2000), {}).html
    tables = re.sub(r"<[^>]+>", " ", html)
    for number in (".2268", ".2663", "7.601", "9.354", ".0298", ".0285", ".7584", ".7363", ".1686", ".1415",
                   "1.7092", "2.9008", "71.6", "67.2", "69.8", "65.1", "< .0005 (0 of 2,000)"):  # fmt: skip
        assert number in tables.replace("&lt;", "<"), number


def test_gallery_holds_each_image_once(page: Page, parsed: Parsed) -> None:
    images = [on for tag, on in parsed.elements if tag == "image"]
    assert len(images) == page.images == 19
    shown = [on["href"] for tag, on in parsed.elements if tag == "use" and on.get("class") != "shade"]
    assert len(shown) == page.stimuli == 20 and shown[0] == shown[2] != shown[1]


def test_the_same_study_makes_the_same_bytes(analysis: Analysis, page: Page, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    write_report(out, analysis)
    assert out.read_bytes() == page.html.encode()
    with pytest.raises(OutputError, match="force=True"):
        write_report(out, analysis, {})
    assert out.read_bytes() == page.html.encode()
    write_report(out, analysis, {}, title="Other", force=True)
    assert Parsed(out.read_text()).named("h1") == [({}, "Other")]


def test_undefined_rc_is_said_and_counted() -> None:
    made = STUDIES["constant map"]()
    found = Parsed(make_page(made).html)
    text = " ".join(text for on, text in found.named("tr") if on.get("id") == "stimulus-6")
    assert "RC undefined" in text
    assert "(s05)" in found.by_id("notes")
    assert made.models["first"].rc.n == 19


def test_simulated_people_are_called_so() -> None:
    made = make_page(STUDIES["simulated"]())
    found = Parsed(made.html)
    (banner,) = [text for on, text in found.named("p") if on.get("class") == "simulated"]
    assert banner.startswith("SIMULATED.") and made.findings[0] == banner
    assert "Simulated people" in found.by_id("gallery")


def test_nothing_is_called_simulated_that_is_not(page: Page) -> None:
    assert "simulated people" not in page.html.lower() and "SIMULATED" not in page.html


@pytest.mark.parametrize(("models", "seed"), [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0)])
def test_findings_claim_what_stays_significant(models: int, seed: int) -> None:
    """Maps that have nothing to do with people, in some of the models."""
    study = study_of(models, n=12, seed=seed)
    rng = np.random.default_rng(seed)
    for name in study.stimuli:
        study = changed(study, 0, name, rng.normal(size=GRID.n_players))
    made = analysed(study, shuffles=300)
    said = " ".join(make_page(made, {}).findings)
    significant = {name: made.corrected("t-test", name).bonferroni.significant for name in MODELS[:models]}
    yes, no = ([name for name, so in significant.items() if so is kind] for kind in (True, False))
    clause = re.search(r"(not )?significantly different from zero(.*?) after", said)
    assert clause is not None
    if models == 1:
        assert bool(clause[1]) == bool(no)
    elif yes and no:
        assert clause[2] == f" for {_listed(yes)}, not for {_listed(no)}"
    elif yes:
        assert clause[2] in (" for both models", f" for all {models} models")
    else:
        assert clause[2] in (" for neither model", f" for none of the {models} models")
    for name in MODELS[:models]:
        assert formats.bounded(made.models[name].rc.mean, 3).replace("-", MINUS) in said
    rhos = [made.corrected("correlation with f", name) for name in MODELS[:models]]
    assert ("no evidence of no relation" in said) == any(not one.bonferroni.significant for one in rhos)


def _listed(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def test_findings_compare_with_what_knows_no_model(analysis: Analysis, page: Page) -> None:
    said = " ".join(page.findings)
    for word in ("random pairings", "Gaussian in the centre", "all other stimuli", "partial RC"):
        assert word in said
    assert "Gaussian" not in " ".join(make_page(analysis, {}).findings)


def test_scores_that_are_not_known_are_said() -> None:
    assert "these are not known" in " ".join(make_page(STUDIES["no scores"](), {}).findings)


def test_print_and_both_schemes_have_rules(page: Page) -> None:
    (style,) = (text for _, text in Parsed(page.html).named("style"))
    assert "@media print" in style and "prefers-color-scheme: dark" in style
    for place in range(2):
        assert f".m{place} {{ --c:" in style


def test_thousands_of_stimuli_stay_readable() -> None:
    n, grid = 2000, Grid(2, 2)
    rng = np.random.default_rng(0)
    few, study = (study_of(1, n=size, grid=grid) for size in (20, n))
    pixels = {name: rng.integers(0, 255, (64, 64, 3), dtype=np.uint8) for name in study.stimuli[:50]}
    # The tests of so many stimuli take longer than the page; their numbers do not matter here.
    values = StimulusValues(*(rng.uniform(-1, 1, n) for _ in range(4)))
    found = analysed(few)
    models = {name: replace(one, by_stimulus=values) for name, one in found.models.items()}
    many = replace(found, study=replace(study, images=pixels), models=models)
    start = time.perf_counter()
    page = make_page(many, {})
    assert time.perf_counter() - start < 20
    assert len(page.html) < 6_000_000
    assert page.html.count('id="stimulus-') == n


@pytest.fixture(scope="module")
def browser(analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The page as a real browser holds it after its script ran, by the address's fragment."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    folder = tmp_path_factory.mktemp("page")
    write_report(folder / "page.html", analysis)

    def dump(fragment: str) -> str:
        ended = subprocess.run(
            [
                program,
                *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"),
                *(f"--user-data-dir={folder / 'profile'}", "--dump-dom"),
                f"{(folder / 'page.html').as_uri()}{fragment}",
            ],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ended.returncode == 0, ended.stderr
        assert "CONSOLE" not in ended.stderr, ended.stderr
        return ended.stdout

    return dump


def shown_rows(dom: str) -> list[int]:
    """Places of the rows in sight, in their order."""
    rows = re.findall(r'<tr role="row" id="stimulus-(\d+)"([^>]*)>', dom)
    assert len(rows) == 20
    return [int(place) - 1 for place, rest in rows if "hidden" not in rest]


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_rows_are_sorted_by_rc(browser: Callable[[str], str], analysis: Analysis, direction: str) -> None:
    rows = shown_rows(dom := browser(f"#sort=rc:first:{direction}"))
    rc = analysis.models["first"].by_stimulus.rc[rows]
    assert len(rows) == 20
    assert (np.diff(rc) * (1 if direction == "asc" else -1) >= 0).all()
    assert f'aria-sort="{direction}ending"' in dom


def test_rows_are_found_by_words_and_phenomenon(browser: Callable[[str], str]) -> None:
    dom = browser("#sort=id:desc&phenomenon=relations&text=caption")
    rows = shown_rows(dom)
    expected = [k for k in range(19, -1, -1) if PHENOMENA[k % 3] == "relations"]
    assert rows == expected
    assert f"{len(expected)} of 20 stimuli" in dom


def test_an_address_that_says_nothing_leaves_the_order(browser: Callable[[str], str]) -> None:
    dom = browser("#sort=rc:nobody:desc&phenomenon=nothing")
    assert shown_rows(dom) == list(range(20)) and "all 20 stimuli" in dom and 'aria-sort="' not in dom
