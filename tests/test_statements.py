"""Each numbered statement that has been built is cited by a test, as ``client-actions A3``."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent

BUILT = {
    "A": range(1, 13),
    "B": range(13, 18),
    "C": range(18, 27),
    # D36 needs a gateway, which this client has not (contract §1).
    "D": (*range(27, 36), 37),
    "E": range(38, 47),
}
"""The statements of client-actions, by group."""

CITATION = re.compile(r"client-actions ([A-G]\d+(?:(?:, | and )[A-G]\d+)*)")


def cited() -> set[str]:
    """Return the statements that the tests cite, but for this file."""
    texts = [path.read_text() for path in TESTS.rglob("*.py") if path != Path(__file__)]
    return {
        statement
        for text in texts
        for citation in CITATION.findall(text)
        for statement in re.findall(r"[A-G]\d+", citation)
    }


def test_every_statement_that_is_built_is_cited_by_a_test() -> None:
    built = {f"{group}{number}" for group, numbers in BUILT.items() for number in numbers}
    assert sorted(built - cited()) == []
