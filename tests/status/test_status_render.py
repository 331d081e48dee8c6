from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.status import render_text
from hypactors.status._text import clean

HOSTILE = "a\x1b[31m\x9b2J\nb\tc\r\u202ed\u2066e\x00\x7f\ud800f"
CLEAN = "a[31m2J b c def"


def hostile_report(text: str) -> dict[str, Any]:
    """Return a report that has ``text`` wherever a file, server or child can put a string."""
    return {
        "overall": text,
        "config": {"path": text, "exists": True, "valid": True},
        "daemon": {
            "running": True,
            "state": text,
            "pid": text,
            "mode": text,
            "warnings": [text],
            "error": text,
        },
        "source": text,
        "actors": [{"name": text, "state": text, "restarts": text}],
        "active_plugins": [{"name": text, "provenance": text}],
        "unsupported": [text],
        "sinks": [{"instance": text, "plugin": text, "kind": text}],
        "cache": {"dir": text, "retention_days": text, "size_bytes": text},
        "config_layers": {
            "local_not_applied": [{"section": text, "key": text, "reason": text, "detail": text}]
        },
        "remote_config": {
            "running_etag": text,
            "probation": {"etag": text, "until": text},
            "last_rollback": {"etag": text, "at": text, "reason": text},
            "bad_etag": {"etag": text, "reason": text},
        },
        "client_actions": [
            {"kind": text, "request_key": text, "state": state, "reason": text, "at": text}
            for state in ("refused", text)
        ],
        "diagnostics": [{"severity": text, "kind": text, "message": text, "repair": [text]}],
    }


def test_hostile_text_never_reaches_the_terminal() -> None:
    # status 27.
    lines = render_text(hostile_report(HOSTILE)).splitlines()
    assert all(line.isprintable() for line in lines)
    assert sum(line.count(CLEAN) for line in lines) >= 30
    assert lines == render_text(hostile_report(CLEAN)).splitlines()


def test_each_state_has_its_style() -> None:
    report = {
        "overall": "healthy",
        "daemon": {"running": True, "state": "degraded"},
        "convergence": {"state": "on_trial", "until": "soon"},
        "attention": [
            {"severity": "error", "message": "bad", "command": "hyp a"},
            {"severity": "warning", "message": "so so", "command": "hyp b"},
        ],
        "client_actions": [
            {"kind": "backfill", "request_key": "x", "state": "done", "rows": 7},
            {"kind": "backfill", "request_key": "y", "state": "failed", "reason": "why"},
        ],
    }
    lines = render_text(report, lambda text, style: f"<{style}>{text}</>").splitlines()
    assert lines == [
        "<bold>hypactors</>",
        "  overall:  <green>healthy</>",
        "  config:   None (<red>missing</>)",
        "  daemon:   <green>running</>, <red>state=degraded</>",
        "  standing: <yellow>on trial until soon</>",
        "<bold>  attention:</>",
        "    <red>! bad</>",
        "        hyp a",
        "    <yellow>- so so</>",
        "        hyp b",
        "<bold>  sinks:</>",
        "    (none: what is captured stays on this machine)",
        "<bold>  client actions:</>",
        "    - backfill x  <green>[done]  </>  <dim>(7 rows)</>",
        "    - backfill y  <red>[failed]</>  (why)",
    ]


def test_labels_and_texts_are_clamped() -> None:
    # status 27.
    assert clean("x" * 120, 120) == "x" * 120
    assert clean("x" * 121, 120) == "x" * 119 + "…"
    text = render_text(hostile_report("x" * 5000))
    assert "x" * 400 not in text
    assert "x" * 399 + "…" in text


@pytest.mark.parametrize(
    "report", [{}, {"sinks": None, "daemon": [], "actors": {}, "cache": 3, "diagnostics": [1]}]
)
def test_a_report_of_another_version_is_shown_as_far_as_it_goes(report: dict[str, Any]) -> None:
    # status 29: what should be a list and is none counts as empty.
    lines = render_text(report).splitlines()
    assert lines[0] == "hypactors"
    assert "    (none: what is captured stays on this machine)" in lines


def test_sections_without_content_are_silent() -> None:
    assert render_text({"overall": "healthy", "config": {"path": "/c", "valid": True}}) == (
        "hypactors\n"
        "  overall:  healthy\n"
        "  config:   /c (ok)\n"
        "  daemon:   not running\n"
        "  sinks:\n"
        "    (none: what is captured stays on this machine)"
    )


def test_an_installed_service_is_named() -> None:
    daemon = {"installed": True, "loaded": True, "running": True, "state": "healthy", "pid": 7}
    assert "daemon:   installed, loaded, running, state=healthy, pid=7" in render_text(
        {"daemon": daemon}
    )
    daemon = {"installed": True, "loaded": False, "running": False, "state": "unknown"}
    assert "daemon:   installed, not loaded, not running" in render_text({"daemon": daemon})


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_any_text_becomes_one_printable_line(text: str) -> None:
    assert clean(text, 20).isprintable()
    assert len(clean(text, 20)) <= 20
