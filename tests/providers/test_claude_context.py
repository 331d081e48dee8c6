"""Where a session ran: the hook's channel, git, and what nobody should see (import §4.2)."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.providers._remote import redact_remote
from hypactors.providers.claude._context import read_context
from hypactors.providers.claude._git import GitLookup
from tests.providers.histories import ClaudeHistory, attributes_of, said

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def history(tmp_path: Path) -> ClaudeHistory:
    return ClaudeHistory(tmp_path)


def repository(path: Path, remote: str) -> Path:
    path.mkdir(parents=True)
    for arguments in (["init", "-q"], ["remote", "add", "origin", remote]):
        subprocess.run(["git", "-C", str(path), *arguments], check=True, capture_output=True)  # noqa: S607
    return path


def test_a_record_of_the_session_says_where_it_ran(history: ClaudeHistory) -> None:
    """import 24: with a remote in the record, git is not asked."""
    repo = repository(history.root / "repo", "https://example.org/other.git")
    path = history.write("p/s.jsonl", said(1, cwd=str(repo)))
    known = {"git_remote": "https://me:secret@example.org/r.git", "cwd": str(repo), "head_sha": "a"}
    history.note(
        {"session_id": "s", "git_branch": "by-session"},
        {"session_id": "x", "transcript_path": str(path), "git_branch": "older", **known},
        {"session_id": "x", "transcript_path": str(path), "git_branch": "newest", **known},
        {"session_id": "s", "git_branch": "by-session"},
        "not json",
        {"no": "session"},
    )

    [exchange] = history.exchanges()

    assert exchange.git_branch == "newest"
    assert exchange.git_remote == "https://example.org/r.git"
    assert (exchange.repo_root, exchange.head_sha) == (None, "a")


def test_without_a_remote_git_is_asked_in_the_folder(history: ClaudeHistory) -> None:
    """import 24."""
    repo = repository(history.root / "repo", "https://u:t@example.org/r.git")
    history.write("p/s.jsonl", said(1, cwd=str(repo)))
    history.write("p/t.jsonl", said(1, sessionId="t", cwd=str(history.root / "gone")))
    history.note({"session_id": "s", "repo_root": "/kept"})

    first, second = history.exchanges()

    assert (first.git_remote, first.repo_root) == ("https://example.org/r.git", "/kept")
    assert (first.head_sha, first.git_branch) == (None, None)
    assert (second.git_remote, second.repo_root) == (None, None)


def test_git_runs_once_for_each_folder_and_never_in_a_relative_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """import 24."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        calls.append(command)
        raise subprocess.TimeoutExpired(command, 2)

    monkeypatch.setattr(subprocess, "run", run)
    lookup = GitLookup({})
    for _ in range(3):
        assert lookup.repository(str(tmp_path)).remote is None
        assert lookup.repository(".").remote is None
        assert lookup.repository("/a\0b").remote is None

    assert len(calls) == 2
    assert calls[0][:3] == ["git", "-C", str(tmp_path)]


def test_git_gets_two_seconds_and_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """import 24."""
    options: list[dict[str, Any]] = []

    def run(_command: list[str], **given: Any) -> Any:
        options.append(given)
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", run)

    assert GitLookup({"PATH": "/bin"}).repository(str(tmp_path)).root is None
    assert [given["timeout"] for given in options] == [2, 2]
    assert options[0]["env"] == {
        "PATH": "/bin",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def test_git_is_asked_where_the_record_says_and_once_for_all_sessions(
    history: ClaudeHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """import 24."""
    asked: list[str] = []

    def run(command: list[str], **_: Any) -> Any:
        asked.append(command[2])
        return subprocess.CompletedProcess(command, 0, b"https://u:t@example.org/r.git\n", b"")

    monkeypatch.setattr(subprocess, "run", run)
    recorded, written = history.root / "recorded", history.root / "written"
    recorded.mkdir()
    written.mkdir()
    for name in ("a", "b", "c"):
        history.write(f"p/{name}.jsonl", said(1, sessionId=name, cwd=str(written)))
    history.note(*({"session_id": name, "cwd": str(recorded)} for name in ("a", "b")))

    found = history.exchanges()

    assert [exchange.cwd for exchange in found] == [str(recorded), str(recorded), str(written)]
    assert {exchange.git_remote for exchange in found} == {"https://example.org/r.git"}
    assert asked == [str(recorded)] * 2 + [str(written)] * 2


def test_half_a_pair_in_what_lies_beside_a_transcript_is_replaced(history: ClaudeHistory) -> None:
    history.write("p/s.jsonl", said(1, agentId="ab"))
    history.note({"session_id": "s", "cwd": "/\ud800", "git_branch": "\udfff"})
    (history.projects / "p" / "agent-ab.meta.json").write_text('{"toolUseId":"t\\ud800"}')

    [row] = history.rows()

    assert (row.cwd, row.git_branch) == ("/\ufffd", "\ufffd")
    assert attributes_of(row)["claude"] == {"spawned_by_tool_use_id": "t\ufffd"}


@pytest.mark.parametrize(
    ("remote", "redacted"),
    [
        ("https://user:tok@host/o/r.git", "https://host/o/r.git"),
        ("HTTPS://tok@host/o/r", "HTTPS://host/o/r"),
        ("git@host:o/r.git", "git@host:o/r.git"),
        ("ssh://git@host/o/r", "ssh://host/o/r"),
        ("https://host/a@b", "https://host/a@b"),
    ],
)
def test_secrets_are_taken_out_of_remotes(remote: str, redacted: str) -> None:
    assert redact_remote(remote) == redacted


def test_only_the_end_of_a_long_channel_is_read(tmp_path: Path) -> None:
    path = tmp_path / "session-context.jsonl"
    line = json.dumps({"session_id": "s", "cwd": "/" + "x" * 1000}) + "\n"
    path.write_text(line * 2000 + '{"session_id":"last"}\n')

    records = read_context(path)

    assert len(records) == 512 * 1024 // len(line) + 1
    assert records[-1].session_id == "last"
    assert read_context(tmp_path / "missing") == ()
