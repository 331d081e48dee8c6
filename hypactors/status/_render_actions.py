"""The client actions for a terminal: one a line, in columns, with what is worth saying of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypactors.status._text import TEXT_LIMIT, aside, clean, in_state, label, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hypactors.status._text import Styled


def render_actions(rows: Sequence[Mapping[str, Any]], styled: Styled = plain) -> Iterable[str]:
    """Yield a line an action, in columns."""
    names = [f"{label(row.get('kind'))} {label(row.get('request_key'))}" for row in rows]
    states = [f"[{label(row.get('state'))}]" for row in rows]
    name_width = max(map(len, names), default=0)
    state_width = max(map(len, states), default=0)
    for row, name, state in zip(rows, names, states, strict=True):
        # Why it went wrong is not read second.
        is_trouble = row.get("state") in ("failed", "refused", "blocked")
        facts = aside(_facts(row), plain if is_trouble else styled)
        hint = _hint(row) if row.get("state") == "refused" else ""
        more = [text for text in (facts, hint) if text]
        padded = f"{state:<{state_width}}" if more else state
        shown = in_state(padded, row.get("state"), styled)
        yield "  ".join([f"- {name:<{name_width}}", shown, *more])


def _facts(row: Mapping[str, Any]) -> Iterable[str]:
    """Yield what is worth saying about a unit, in the order in which it is said."""
    yield from _reach(row)
    if row.get("rows") is not None:
        yield f"{label(row['rows'])} rows"
    if row.get("reason"):
        yield clean(row["reason"], TEXT_LIMIT)
    if row.get("at") is not None and row.get("state") != "refused":
        yield f"at {label(row['at'])}"
    if row.get("last_attempt") is not None:
        yield f"last attempt {label(row['last_attempt'])}"
    if row.get("attempts") is not None:
        yield f"{label(row['attempts'])} attempt{'' if row['attempts'] == 1 else 's'}"
    if row.get("waits_for") is not None:
        yield f"waits for {label(row['waits_for'])}"
    elif row.get("next_attempt_at") is not None:
        yield f"next attempt {label(row['next_attempt_at'])}"
    if row.get("state") == "running":
        yield from _run(row)


def _reach(row: Mapping[str, Any]) -> Iterable[str]:
    if row.get("covered_days") is not None:
        policy = f"{label(row.get('policy_days'))} d" if row.get("policy_days") else "all there is"
        yield f"{label(row['covered_days'])} d; policy now {policy}"


def _run(row: Mapping[str, Any]) -> Iterable[str]:
    if row.get("started_at") is not None:
        yield f"since {label(row['started_at'])}"
    if row.get("pid") is not None:
        yield f"pid {label(row['pid'])}"
    if isinstance(row.get("progress"), dict):
        yield from _progress(row["progress"])


def _progress(progress: Mapping[str, Any]) -> Iterable[str]:
    done, total = progress.get("bytes_done"), progress.get("bytes_total")
    if isinstance(done, int) and isinstance(total, int) and total > 0:
        yield f"{min(100, 100 * done // total)} %"
    yield f"{label(progress.get('files_done'))} of {label(progress.get('files_total'))} files"
    yield f"{label(progress.get('rows_written'))} rows"
    if progress.get("eta_s") is not None:
        yield f"{label(progress['eta_s'])} s left"


def _hint(row: Mapping[str, Any]) -> str:
    if row.get("kind") == "attach":
        return f"run 'hyp client attach {label(row.get('request_key'))}' after fixing the cause"
    return "not tried again until the cause is fixed"
