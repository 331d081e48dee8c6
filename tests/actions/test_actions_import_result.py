"""What the end of an import means, and what of it a person gets to read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hypactors.actions import read_import_result, read_orphan_result
from hypactors.actions._text import MAX_REASON_CHARS, one_line
from hypactors.messages import Outcome, OutcomeStatus


def document(*rows_written: object, status: str = "ok", **more: object) -> bytes:
    providers = [{"status": status, "rows_written": rows, **more} for rows in rows_written]
    return json.dumps({"run_id": "r", "dry_run": False, "providers": providers}).encode()


def result(
    exit_code: int | None,
    stdout: bytes = b"",
    stderr: str = "",
    *,
    signal: str | None = None,
    launch_error: str | None = None,
) -> Outcome:
    return read_import_result(exit_code, stdout, stderr, signal=signal, launch_error=launch_error)


def reason(stderr: str, stdout: bytes = b"") -> str:
    return result(1, stdout, stderr).reason or ""


@pytest.mark.parametrize(
    ("stdout", "rows"),
    [
        (document(10, 7), 17),
        (document(0), 0),
        (document(), 0),
        (document(10, True, "7", None, 3.0, 10**400), 13),
        (b'{"providers": [5, {"rows_written": 2}]}', 2),
        (b"not json", None),
        (b"", None),
        (b"\xff", None),
        (b"[]", None),
        (b'{"providers": {}}', None),
        (b'{"providers": [{"rows_written": NaN}]}', None),
        (b"[" * 100_000, None),
    ],
)
def test_exit_0_is_done_whatever_was_printed(stdout: bytes, rows: int | None) -> None:
    """client-actions E43, import 47."""
    assert result(0, stdout) == Outcome(OutcomeStatus.DONE, rows=rows)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (result(1), "hyp backfill exited with code 1"),
        (result(2, document(5)), "hyp backfill exited with code 2"),
        (result(None, signal="SIGKILL"), "hyp backfill was killed by SIGKILL"),
        (result(0, document(5), signal="SIGTERM"), "hyp backfill was killed by SIGTERM"),
        (result(None), "hyp backfill ended without an exit code"),
        (
            result(None, launch_error="[Errno 2] ENOENT: 'hyp'"),
            "hyp backfill spawn failed: [Errno 2] ENOENT: 'hyp'",
        ),
    ],
)
def test_any_other_end_is_a_failure(outcome: Outcome, said: str) -> None:
    """client-actions E44, import 47."""
    assert outcome == Outcome(OutcomeStatus.FAILED, reason=said)


TRACEBACK = """Traceback (most recent call last):
  File "x.py", line 1, in <module>
    raise OSError("disk full")
OSError: disk full
"""


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        ("\n\ncannot open the cache\n", "cannot open the cache"),
        ("reading 300 files\nerror: disk full\nbye\n", "error: disk full"),
        ("reading 300 files\nstopping\n", "reading 300 files"),
        (TRACEBACK, "OSError: disk full"),
        ("\x1b[31mfatal:\x1b[0m no\ttable\r\n", "fatal: no table"),
        ("safe \u202eevil\u2066\x9b31m", "safe evil 31m"),
    ],
)
def test_a_failure_quotes_the_line_that_helps(stderr: str, line: str) -> None:
    assert reason(stderr) == f"hyp backfill exited with code 1: {line}"


def test_a_silent_stderr_lets_the_json_speak() -> None:
    stdout = document(0, status="failed", error="no such folder\nsecond line")
    assert reason("", stdout) == "hyp backfill exited with code 1: no such folder"
    assert reason("fatal: other\n", stdout).endswith(": fatal: other")


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sent Authorization: Bearer CANARY", "sent Authorization: Bearer [redacted]"),
        ("Authorization: Basic CANARY=", "Authorization: Basic [redacted]"),
        ("rejected 'bearer CANARY'", "rejected 'bearer [redacted]'"),
        (f"bad jwt {JWT} here", "bad jwt [redacted] here"),
        ("GET /x?token=CANARY&y=1", "GET /x?token=[redacted]&y=1"),
        ('{"refresh_token": "CANARY", "n": 1}', '{"refresh_token": "[redacted]", "n": 1}'),
        ("password = CANARY", "password = [redacted]"),
        ("HYP_API_KEY=CANARY hyp", "HYP_API_KEY=[redacted] hyp"),
        ("hyp join --token CANARY", "hyp join --token [redacted]"),
        ("key sk-ant-CANARY123 is off", "key [redacted] is off"),
        ("https://user:CANARY@host/path", "https://host/path"),
        ("postgresql+psycopg://u:CAN@ARY@host", "postgresql+psycopg://host"),
        ("nobody@host wrote to https://host/a@b", "nobody@host wrote to https://host/a@b"),
        ("the next token was }", "the next token was }"),
    ],
)
def test_no_secret_gets_into_a_reason(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert reason(f"{text}\n") == f"hyp backfill exited with code 1: {shown}"


def test_a_secret_that_is_cut_off_is_still_gone() -> None:
    shown = one_line("x" * (MAX_REASON_CHARS - 12) + " token=CANARY" * 3)
    assert len(shown) == MAX_REASON_CHARS
    assert "CAN" not in shown


@given(st.text(), st.binary(max_size=60))
@example("https://" * 8000, b"")
@example("a" * 65536, b"")
@example("token " * 10000, b"")
@settings(max_examples=100, deadline=1000)
def test_any_output_makes_one_bounded_line(stderr: str, stdout: bytes) -> None:
    assert result(0, stdout, stderr).reason is None
    said = reason(stderr, stdout).removeprefix("hyp backfill exited with code 1")
    assert len(said) <= MAX_REASON_CHARS + len(": ")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", said)


@pytest.mark.parametrize(
    ("stdout", "expected"),
    [
        (document(10, 7), Outcome(OutcomeStatus.DONE, rows=17)),
        (document(10, status="failed"), None),
        (document(), None),
        (document(10)[:-1], None),
        (b"", None),
    ],
)
def test_an_import_nobody_waited_for_is_done_only_by_its_own_word(
    stdout: bytes, expected: Outcome | None
) -> None:
    """client-actions §5 with contract §5.2: one provider that is not ok means interrupted."""
    assert read_orphan_result(stdout) == expected


def test_a_document_with_one_bad_provider_is_not_done() -> None:
    providers: list[Any] = [{"status": "ok", "rows_written": 1}, {"status": "failed"}]
    assert read_orphan_result(json.dumps({"providers": providers}).encode()) is None


@pytest.mark.parametrize(
    "outcome",
    [
        result(1, stderr="OSError: [Errno 28] No space left on device: 'x.parquet'"),
        result(1, document(0, status="failed", error="no space left on device")),
        result(None, launch_error="ENOSPC: No space left on device: run.json"),
    ],
    ids=["stderr", "json", "launch"],
)
def test_a_full_disk_has_a_reason_of_its_own_and_is_not_tried_again_soon(outcome: Outcome) -> None:
    """Contract §5.6."""
    assert outcome.status is OutcomeStatus.FAILED
    assert (outcome.reason or "").startswith("disk full: hyp backfill ")
    assert outcome.is_hopeless_soon
    assert not result(1, stderr="OSError: no such file").is_hopeless_soon
