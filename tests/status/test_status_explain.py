"""Actions found by what was typed, and explained."""

from __future__ import annotations

from typing import Any

import pytest

from hypactors.errors import HypError
from hypactors.status import explain, find_row


def row(key: str, state: str = "done", kind: str = "backfill", **fields: object) -> dict[str, Any]:
    return {"kind": kind, "request_key": key, "state": state, **fields}


ROWS = [row("@hypaware/claude"), row("@hypaware/codex"), row("claude", kind="attach")]


@pytest.mark.parametrize(
    ("word", "kind", "key"),
    [
        ("@hypaware/claude", "backfill", "@hypaware/claude"),
        ("codex", "backfill", "@hypaware/codex"),
        ("claude", "attach", "claude"),
    ],
)
def test_an_action_is_found_by_its_key_or_its_last_word(word: str, kind: str, key: str) -> None:
    found = find_row(ROWS, word)
    assert (found["kind"], found["request_key"]) == (kind, key)


@pytest.mark.parametrize(
    ("rows", "word", "complaint"),
    [
        (ROWS, "codx", "there is no action 'codx'; did you mean 'codex'?"),
        (ROWS[:1], "zzz", "there is no action 'zzz'; there are: @hypaware/claude"),
        ([], "claude", "there is no action 'claude'; there are: none at all"),
        ([row("@a/x"), row("@b/x")], "x", "'x' may be any of: backfill @a/x, backfill @b/x"),
    ],
)
def test_what_is_not_found_is_told_with_what_may_be_meant(
    rows: list[dict[str, Any]], word: str, complaint: str
) -> None:
    with pytest.raises(HypError) as raised:
        find_row(rows, word)
    assert str(raised.value) == complaint


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": "done", "at": "T", "rows": 12}, ["done at T, with 12 rows", "actions forget k"]),
        (
            {"state": "failed", "attempts": 1, "last_attempt": "T", "reason": "boom"},
            ["failed once, last at T: boom", "actions retry k"],
        ),
        (
            {"state": "failed", "attempts": 3, "next_attempt_at": "N"},
            ["failed 3 times", "tried again at N"],
        ),
        ({"state": "failed", "waits_for": "a slot"}, ["waits for a slot"]),
        ({"state": "failed", "attempts": 10**400}, ["failed 1000"]),
        ({"state": "done", "at": "T", "rows": 1234567}, ["with 1234567 rows"]),
        ({"state": "refused", "at": "T", "reason": "no"}, ["refused at T: no", "retry k"]),
        ({"state": "running", "started_at": "T", "pid": 7}, ["since T, as pid 7"]),
        ({"state": "pending", "waits_for": "a slot"}, ["It waits for a slot", "retry k"]),
        ({"state": "pending"}, ["needs a running daemon"]),
        ({"state": "blocked", "reason": "broken"}, ["Nobody can tell", "broken"]),
        ({"state": "n/a"}, ["does not ask for it"]),
        ({"state": "n/a", "reason": "not here"}, ["not here"]),
        ({"state": "done", "at": "T", "run_id": "r1"}, ["Its run is r1"]),
        ({"state": "of tomorrow"}, ["Nothing is to be done"]),
    ],
)
def test_every_state_is_explained(fields: dict[str, Any], said: list[str]) -> None:
    lines = explain(row("k", **fields))
    assert lines[0] == f"backfill k: {fields['state']}"
    text = "\n".join(lines)
    assert all(part in text for part in said), text


def test_what_came_from_elsewhere_does_nothing_to_a_terminal() -> None:
    lines = explain(row("k\x1b[2J", "failed", reason="bad\x1b]0;title\x07 end\nnext"))
    assert all(line.isprintable() for line in lines)
