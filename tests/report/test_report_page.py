"""The page holds what was asked, and no word of it becomes markup."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.lake import Lake
from hypactors.report import ImportHistory, render_page
from hypactors.report._elements import MAX_TEXT, document, element, safe
from hypactors.sql import overview
from tests.report.sample import HOSTILE, SCRIPT, hostile_page
from tests.sql.cached import made_up, put, response

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

EMPTY = ImportHistory([], [])


class Seen(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, wanted: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == wanted]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return Seen(hostile_page(tmp_path_factory.mktemp("lake")))


def page_of(
    folder: Path, history: ImportHistory = EMPTY, status: Mapping[str, Any] | None = None
) -> str:
    page = render_page(
        overview(Lake(folder), None), history, status or {}, made_at="2026-11-18T10:00:00.000Z",
        version="0",
    )  # fmt: skip
    return page.decode()


def test_hostile_names_are_text_and_nothing_else(hostile: Seen) -> None:
    allowed = {
        "html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer",
        "h1", "h2", "h3", "p", "div", "dl", "dt", "dd", "ul", "li", "span", "code", "time",
        "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary",
        "svg", "g", "rect", "line", "text",
    }  # fmt: skip
    assert set(hostile.tags) <= allowed
    names = {name for _, name, _ in hostile.attributes}
    assert not [name for name in names if name.startswith("on") or name in {"src", "href", "style"}]
    # And they are there: a page without them would prove nothing.
    for name in HOSTILE:
        assert any(safe(name) in text for text in hostile.texts), name


def test_the_policy_lets_nothing_run_and_nothing_be_fetched(hostile: Seen) -> None:
    [policy] = [value for value in hostile.values("content") if "default-src" in value]

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert hostile.tags["style"] == 1
    style = next(text for text in hostile.texts if "color-scheme" in text)
    assert "url(" not in style
    assert "@import" not in style
    assert not [value for _, _, value in hostile.attributes if value.startswith(("http", "//"))]


def test_every_plot_has_a_title_a_role_and_its_figures_as_a_table(hostile: Seen) -> None:
    plots = [value for tag, name, value in hostile.attributes if (tag, name) == ("svg", "role")]
    labels = [
        value
        for tag, name, value in hostile.attributes
        if (tag, name) == ("svg", "aria-labelledby")
    ]

    assert plots == ["img"] * 6, "three, for wide and for narrow screens"
    ids = hostile.values("id")
    assert len(set(ids)) == len(ids)
    assert set(labels) <= set(ids)
    assert hostile.tags["details"] == 3
    assert ("html", "lang", "en") in hostile.attributes
    assert hostile.tags["caption"] == hostile.tags["table"]


def test_the_figures_behind_a_plot_are_those_of_the_overview(tmp_path: Path) -> None:
    put(
        Lake(tmp_path),
        [
            response("large", "2026-11-01", input_tokens=1234),
            response("small", "2026-11-03", output_tokens=5),
            made_up(part_type="tool_call", tool_name="Bash", cwd="/src"),
        ],
    )
    page = page_of(tmp_path)

    row = re.compile(r'<tr><th scope="row">([^<]*)</th>((?:<td class="number">[^<]*</td>)*)</tr>')
    rows = {name: re.findall(r">([^<]+)</td>", cells) for name, cells in row.findall(page)}
    assert rows["2026-11-01"] == ["1"], "the last plot is that of the tools"
    assert '<th scope="row">2026-11-01</th><td class="number">1,234</td>' in page
    assert '<th scope="row">2026-11-02</th><td class="number">0</td>' in page
    assert rows["large"] == ["1", "1.23 k", "1.23 k", "0", "0", "0"]
    assert "2026-11-01: 1.23 k, large 1.23 k" in page


def test_an_empty_cache_is_a_page_that_says_so(tmp_path: Path) -> None:
    page = page_of(tmp_path / "lake")

    assert "Nothing was imported yet" in page
    assert "The daemon has imported nothing" in page
    assert "files: no daemon runs" in page
    assert "unknown" in page, "an older daemon tells nothing of convergence"
    assert "<svg" not in page


@pytest.mark.parametrize(
    ("state", "words"),
    [("never_joined", "never joined"), ("converged", "converged"), ("on_trial", "on trial"),
     ("rolled_back", "rolled back"), ("stale_poll", "stale poll")],
)  # fmt: skip
def test_convergence_is_in_words(tmp_path: Path, state: str, words: str) -> None:
    status = {
        "source": "daemon",
        "convergence": {"state": state, "running_etag": '"e"', "until": "2026-11-18T10:30:00.000Z"},
    }
    page = page_of(tmp_path / "lake", status=status)

    assert f">{words}</span>" in page
    assert '"e"' in page
    assert "2026-11-18 10:30 UTC" in page


@pytest.mark.parametrize(
    "status",
    [
        {"convergence": None, "attention": None},
        {"convergence": [], "attention": {}},
        {"convergence": {"state": None, "running_etag": 5}, "attention": [None, "x", {}]},
        {"overall": 5, "source": None},
    ],
)
def test_a_status_of_another_shape_is_no_error(tmp_path: Path, status: dict[str, Any]) -> None:
    assert "Convergence with the server" in page_of(tmp_path / "lake", status=status)


@given(st.text())
def test_any_text_comes_out_as_what_can_be_seen_of_it(text: str) -> None:
    seen = Seen(document(element("p", {"title": text}, text, element("b", None, text), text)))

    assert seen.tags == Counter(p=1, b=1)
    assert "".join(seen.texts).removeprefix("\n") == safe(text) * 3
    assert seen.values("title") == [safe(text)]
    assert len(safe(text)) <= MAX_TEXT
    assert safe(text).isprintable()


def test_a_very_long_name_is_cut() -> None:
    assert safe(SCRIPT * 1000) == f"{(SCRIPT * 1000)[: MAX_TEXT - 1]}…"
