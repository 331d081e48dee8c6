"""How an import came out, from what its process left behind (client-actions §5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hypactors.actions._json import decode_json, whole_number
from hypactors.actions._text import one_line
from hypactors.messages import Outcome, OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Lines that only frame the one that says what went wrong.
_FRAME = re.compile(
    r"\s|Traceback \(most recent call last\)|During handling of the above|The above exception"
)
_ERROR = re.compile(
    r"\b(?:error|fatal|failed|failure|cannot|denied|refused)\b|\b\w+(?:Error|Exception)\b",
    re.IGNORECASE,
)
_DISK_FULL = re.compile(r"\bENOSPC\b|No space left on device|\[Errno 28\]", re.IGNORECASE)


def read_import_result(
    exit_code: int | None,
    stdout: bytes,
    stderr_tail: str,
    *,
    signal: str | None,
    launch_error: str | None,
) -> Outcome:
    """Map the end of an import to an outcome. The exit code is authoritative.

    A failure's reason carries the first line, of stderr or else of the JSON on stdout, that helps
    a person, cleaned of secrets.
    """
    if launch_error is not None:
        return _failed(f"hyp backfill spawn failed: {one_line(launch_error)}")
    if exit_code == 0 and signal is None:
        return Outcome(OutcomeStatus.DONE, rows=_rows(_providers(stdout)))
    if signal is not None:
        what = f"hyp backfill was killed by {signal}"
    elif exit_code is not None:
        what = f"hyp backfill exited with code {exit_code}"
    else:
        what = "hyp backfill ended without an exit code"
    line = _useful_line(stderr_tail) or _useful_line("\n".join(_reported_errors(stdout)))
    return _failed(f"{what}: {line}" if line else what)


def read_orphan_result(stdout: bytes) -> Outcome | None:
    """Read the import's own word when nobody took its exit code (contract §5.2).

    Only a whole document in which every provider is ``ok`` is done; None means interrupted.
    """
    providers = _providers(stdout)
    if not providers or any(each.get("status") != "ok" for each in providers):
        return None
    return Outcome(OutcomeStatus.DONE, rows=_rows(providers))


def _failed(reason: str) -> Outcome:
    if _DISK_FULL.search(reason):
        reason = f"disk full: {reason}"
        return Outcome(OutcomeStatus.FAILED, reason=reason, is_hopeless_soon=True)
    return Outcome(OutcomeStatus.FAILED, reason=reason)


def _providers(stdout: bytes) -> Sequence[dict[str, Any]] | None:
    """Return ``providers`` of the import's JSON; None when there is no such document."""
    try:
        document = decode_json(stdout)
    except ValueError:
        return None
    providers = document.get("providers") if isinstance(document, dict) else None
    if not isinstance(providers, list):
        return None
    return [each if isinstance(each, dict) else {} for each in providers]


def _rows(providers: Sequence[dict[str, Any]] | None) -> int | None:
    if providers is None:
        return None
    return sum(whole_number(each.get("rows_written")) or 0 for each in providers)


def _reported_errors(stdout: bytes) -> Iterator[str]:
    for provider in _providers(stdout) or ():
        error = provider.get("error")
        if isinstance(error, str):
            yield error


def _useful_line(text: str) -> str:
    """Return the first line that names an error, else the first that is no frame, else nothing."""
    lines = [line for line in text.splitlines() if line and not _FRAME.match(line)]
    named = next((line for line in lines if _ERROR.search(line)), None)
    return one_line(named or next(iter(lines), ""))
