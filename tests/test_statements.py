"""Each numbered statement that has been built is cited by a test: ``client-actions A3``."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent

CLIENT_ACTIONS = {
    "A": range(1, 13),
    "B": range(13, 18),
    "C": range(18, 27),
    # D36 needs a gateway, which this client has not (contract §1).
    "D": (*range(27, 36), 37),
    "E": range(38, 47),
}
"""The statements of client-actions, by group."""

CONFIG_CONTROL = (*range(1, 39), *range(41, 45))
"""The statements of config-control; 39 is of sources, which this client has not (contract §1)."""

CENTRAL = range(1, 33)
"""The statements of central."""

IMPORT = range(1, 48)
"""The statements of import."""

STATUS = (*range(1, 12), 13, *range(15, 24), *range(27, 32), 33, 35, 37)
"""The statements of status, but for parts that this client has not (contract §1): attach (12, 14,
26), a gateway and its capture (24, 25), sources (34, 36), opting clients out (32), detaching them
(38); and 39, launchd's retries, which only a Mac could show."""

# "import" is also a word: with one before it, as in "an import 20 MB long", it cites nothing.
CITATION = re.compile(
    r"\b(client-actions|config-control|central|(?<!exit )status|(?:(?<!\w )|(?<=and ))import) "
    r"((?:[A-G]?\d+(?:, | and | to )?)+)"
)
RANGE = re.compile(r"(\d+) to (\d+)")


def cited() -> set[str]:
    """Return the statements that the tests cite, but for this file."""
    texts = [path.read_text() for path in TESTS.rglob("*.py") if path != Path(__file__)]
    return {
        f"{spec} {statement}"
        for text in texts
        for spec, statements in CITATION.findall(text)
        for statement in re.findall(r"[A-G]?\d+", RANGE.sub(_spelt_out, statements))
    }


def _spelt_out(found: re.Match[str]) -> str:
    first, last = map(int, found.groups())
    return ", ".join(map(str, range(first, last + 1)))


def test_every_statement_that_is_built_is_cited_by_a_test() -> None:
    built = {
        f"client-actions {group}{number}"
        for group, numbers in CLIENT_ACTIONS.items()
        for number in numbers
    }
    built |= {f"config-control {number}" for number in CONFIG_CONTROL}
    built |= {f"central {number}" for number in CENTRAL}
    built |= {f"import {number}" for number in IMPORT}
    built |= {f"status {number}" for number in STATUS}
    assert sorted(built - cited()) == []


def test_a_citation_is_of_a_statement_that_there_is() -> None:
    """Else it is a number that happens to stand behind the name."""
    numbers = {
        "central": CENTRAL,
        "config-control": range(1, 45),
        "import": IMPORT,
        "status": range(1, 40),
    }
    for each in cited():
        spec, statement = each.split()
        assert spec == "client-actions" or int(statement) in numbers[spec], each


def test_what_is_a_citation() -> None:
    def found(text: str) -> list[str]:
        return [spec for spec, _ in CITATION.findall(text)]

    assert found("import 3: and so on (import 4), central 2 and import 5 to 7") == [
        "import", "import", "central", "import",
    ]  # fmt: skip
    assert found("an import 20 MB long, import §4, reimport 3, imports 3") == []
