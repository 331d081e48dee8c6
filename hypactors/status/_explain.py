"""One action, found by what a person typed and explained in sentences."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from hypactors.errors import HypError
from hypactors.status._text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def find_row(rows: Sequence[Mapping[str, Any]], word: str) -> Mapping[str, Any]:
    """Return the row of an action by its key, or by the last word of it.

    Raises ``HypError`` when no action or several fit, with those that may be meant.
    """
    exact = [row for row in rows if row.get("request_key") == word]
    fitting = exact or [row for row in rows if _last_word(row) == word]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        several = ", ".join(f"{row.get('kind')} {row.get('request_key')}" for row in fitting)
        raise HypError(f"{word!r} may be any of: {several}")
    known = [str(row.get("request_key")) for row in rows]
    near = difflib.get_close_matches(word, [*known, *map(_last_word, rows)], n=1)
    if near:
        raise HypError(f"there is no action {word!r}; did you mean {near[0]!r}?")
    listed = ", ".join(known) or "none at all"
    raise HypError(f"there is no action {word!r}; there are: {listed}")


def explain(row: Mapping[str, Any]) -> list[str]:
    """Say in sentences why an action is in its state, and what a person can type."""
    key = clean(row.get("request_key"))
    lines = [f"{clean(row.get('kind'))} {key}: {clean(row.get('state'))}"]
    lines += _state(row, key)
    if row.get("run_id") is not None:
        lines.append(f"Its run is {clean(row['run_id'])}.")
    return lines


def _state(row: Mapping[str, Any], key: str) -> list[str]:
    match row.get("state"):
        case "done":
            said = [f"It was done at {clean(row.get('at'))}{_rows(row)}, and is not done again."]
            if row.get("covered_days") is not None:
                said.append(
                    f"It covers {clean(row['covered_days'])} days; the policy now asks for more. "
                    f"To add what is missing: hyp actions retry {key}"
                )
            return [*said, f"To do it again: hyp actions forget {key}"]
        case "failed":
            return [*_failed(row), f"To try it now: hyp actions retry {key}"]
        case "refused":
            return [
                f"It was refused at {clean(row.get('at'))}: {clean(row.get('reason'), 400)}",
                f"It is not tried again by itself. Once that is mended: hyp actions retry {key}",
            ]
        case "running":
            return [
                f"It runs since {clean(row.get('started_at'))}, as pid {clean(row.get('pid'))}."
            ]
        case "pending" if row.get("waits_for") is not None:
            waits = f"The config asks for it. It waits for {clean(row['waits_for'], 400)}."
            return [waits, f"To let it go first: hyp actions retry {key}"]
        case "pending":
            return ["The config asks for it, and it has not begun. It needs a running daemon."]
        case "blocked":
            return [
                f"Nobody can tell whether it is wanted: {clean(row.get('reason'), 400)}",
                "Nothing is begun or undone until that is mended and the daemon started anew.",
            ]
        case _:
            reason = row.get("reason")
            why = "the config does not ask for it" if reason is None else clean(reason, 400)
            return [f"Nothing is to be done: {why}."]


def _failed(row: Mapping[str, Any]) -> list[str]:
    attempts = row.get("attempts")
    times = f"{clean(attempts)} times" if isinstance(attempts, int | float) else "before"
    times = "once" if attempts == 1 else times
    lines = [
        (
            f"It failed {times}, last at {clean(row.get('last_attempt'))}: "
            f"{clean(row.get('reason'), 400)}"
        )
    ]
    if row.get("waits_for") is not None:
        lines.append(f"It waits for {clean(row['waits_for'], 400)}.")
    elif row.get("next_attempt_at") is not None:
        lines.append(
            f"It is tried again at {clean(row['next_attempt_at'])}, or when the config is."
        )
    return lines


def _rows(row: Mapping[str, Any]) -> str:
    rows = row.get("rows")
    return f", with {clean(rows)} rows" if isinstance(rows, int | float) else ""


def _last_word(row: Mapping[str, Any]) -> str:
    return str(row.get("request_key")).rpartition("/")[2]
