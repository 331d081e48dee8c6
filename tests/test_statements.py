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

CITATION = re.compile(
    r"\b(client-actions|config-control|central) ((?:[A-G]?\d+(?:, | and | to )?)+)"
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
    assert sorted(built - cited()) == []
