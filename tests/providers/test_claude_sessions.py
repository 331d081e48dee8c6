"""A transcript -> exchanges (import §4, §7)."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.paths import HypHome
from hypactors.providers import (
    Exchange,
    Findings,
    Row,
    ScanContext,
    Window,
    expand,
    parse_time_ms,
)
from hypactors.providers._remote import redact_remote
from hypactors.providers.claude import PROVIDER
from hypactors.providers.claude._context import context_file, read_context
from hypactors.providers.claude._git import GitLookup

if TYPE_CHECKING:
    from pathlib import Path

Line = dict[str, Any]


def said(number: int, **fields: Any) -> Line:
    """Return a line of session ``s``, a second after the one before."""
    return {
        "sessionId": "s",
        "uuid": f"u{number}",
        "type": "user",
        "timestamp": f"2026-11-01T08:00:{number:02d}.000Z",
        "message": {"role": "user", "content": f"text {number}"},
        **fields,
    }


def answered(number: int, message_id: str | None = None, **message: Any) -> Line:
    body = {"role": "assistant", "model": "m1", "content": [{"type": "text", "text": "a"}]}
    return said(number, type="assistant", message={**body, "id": message_id, **message})


class Machine:
    """A home with transcripts, and what a scan of it gives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.projects = root / ".claude" / "projects"
        self.home = HypHome(root / ".hyp")
        self.plugins: set[str] = set()
        self.window = Window()
        self.environ = {"HOME": str(root), "PATH": "/usr/bin:/bin:/usr/local/bin"}

    def write(self, name: str, *lines: Line) -> Path:
        path = self.projects / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def exchanges(self) -> list[Exchange]:
        scan = PROVIDER.scan(
            ScanContext(
                self.window,
                self.environ,
                self.home,
                lambda plugin: plugin in self.plugins,
                Findings(),
            )
        )
        return [exchange for source in scan.sources for exchange in scan.exchanges(source)]

    def rows(self) -> list[Row]:
        return [row for found in self.exchanges() for row in expand(found, now_ms=0)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def usage(**counts: Any) -> dict[str, Any]:
    return {"usage": counts}


def test_one_exchange_for_each_session_and_file(machine: Machine) -> None:
    """Import 13, 14."""
    one = machine.write("p/x.jsonl", said(1, sessionId="y"), said(2))
    machine.write("p/z.jsonl", said(3, sessionId="y"))

    found = machine.exchanges()

    assert [(item.native_id, item.client_name) for item in found] == [
        ("y", "claude"),
        ("s", "claude"),
        ("y", "claude"),
    ]
    assert found[0].source_path == str(one)
    assert found[0].conversation_source == "claude"


def test_usage_is_read_and_users_have_none(machine: Machine) -> None:
    """Import 15."""
    counts = {
        "input_tokens": 120,
        "output_tokens": 45,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 30,
    }
    machine.write("p/s.jsonl", said(1), answered(2, "m", usage=counts))

    user, assistant = machine.rows()

    assert "usage" not in json.loads(user.attributes)
    assert json.loads(assistant.attributes)["usage"] == {
        "input_tokens": 120,
        "output_tokens": 45,
        "cache_read_tokens": 1000,
        "cache_write_tokens": 30,
    }


def test_a_response_over_several_lines_counts_once(machine: Machine) -> None:
    """Import 16."""
    counts = usage(input_tokens=1)
    machine.write(
        "p/s.jsonl",
        answered(1, "m", **counts),
        answered(2, "m", **counts),
        answered(3, None, **counts),
        answered(4, None, **counts),
    )

    found = ["usage" in json.loads(row.attributes) for row in machine.rows()]

    assert found == [False, True, True, True]


def test_the_model_is_that_of_each_line(machine: Machine) -> None:
    """Import 17."""
    machine.write(
        "p/s.jsonl",
        said(1),
        answered(2, model="m1"),
        answered(3, model="m2"),
        answered(4, model="<synthetic>"),
    )

    assert [row.model for row in machine.rows()] == [None, "m1", "m2", None]


def test_a_subagent_knows_the_call_that_started_it(machine: Machine) -> None:
    """Import 18."""
    machine.write("p/s.jsonl", said(1))
    machine.write(
        "p/s/subagents/agent-ab.jsonl",
        {**answered(2, "m", **usage(input_tokens=1)), "agentId": "ab", "isSidechain": True},
    )
    (machine.projects / "p/s/subagents/agent-ab.meta.json").write_text('{"toolUseId":"t9"}')

    main, agent = machine.rows()

    assert "claude" not in json.loads(main.attributes)
    attributes = json.loads(agent.attributes)
    assert attributes["claude"] == {"spawned_by_tool_use_id": "t9"}
    assert attributes["usage"] == {"input_tokens": 1}
    assert (agent.session_id, agent.agent_id, agent.is_sidechain) == ("s", "ab", True)


def test_ids_are_copied_and_the_frame_tells_nothing_that_was_said(machine: Machine) -> None:
    """Import 19, 20."""
    machine.write("p/s.jsonl", said(1, parentUuid="u0", logicalParentUuid="l0", subtype="st"))

    [row] = machine.rows()

    assert row.message_id == row.provider_uuid == "u1"
    assert (row.parent_uuid, row.logical_parent_uuid) == ("u0", "l0")
    assert json.loads(row.raw_frame or "") == {
        "uuid": "u1",
        "parent_uuid": "u0",
        "logical_parent_uuid": "l0",
        "type": "user",
        "subtype": "st",
        "timestamp": "2026-11-01T08:00:01.000Z",
    }


def test_two_runs_give_the_same(machine: Machine) -> None:
    """Import 21."""
    machine.write("p/s.jsonl", said(1), answered(2, "m"))

    assert machine.exchanges() == machine.exchanges()
    assert machine.rows() == machine.rows()


def test_the_window_drops_older_messages_only(machine: Machine) -> None:
    """Import 22."""
    machine.write("p/s.jsonl", said(1, cwd="/old"), said(2, cwd="/new"), said(3))
    machine.write("p/t.jsonl", said(1, sessionId="old"))
    machine.window = Window(since_ms=parse_time_ms("2026-11-01T08:00:02Z"))

    [exchange] = machine.exchanges()

    assert [message.message_id for message in exchange.messages] == ["u2", "u3"]
    assert exchange.cwd == "/new"
    assert exchange.conversation_started_ms == parse_time_ms("2026-11-01T08:00:02Z")


def test_a_result_of_a_tool_is_kept_as_it_is(machine: Machine) -> None:
    """Import 26."""
    result = {"stdout": "x", "n": 1.0, "deep": [None, {"a": False}]}
    machine.write("p/s.jsonl", said(1, toolUseResult=result))

    [row] = machine.rows()

    assert json.loads(row.attributes)["claude"]["tool_use_result"] == result


def test_lines_without_a_role_tell_the_folder_and_make_no_rows(machine: Machine) -> None:
    machine.write(
        "p/s.jsonl",
        {"type": "system", "sessionId": "s", "uuid": "x", "cwd": "/w"},
        {"type": "summary", "summary": "no session"},
        {"type": "progress", "sessionId": "only", "uuid": "y"},
        said(1, type="user", message={"content": "role from the type"}),
    )

    [exchange] = machine.exchanges()

    # Sorted by time, what has none is last; the folder may come from any line.
    assert exchange.cwd == "/w"
    assert [message.role for message in exchange.messages] == ["user"]


def test_sessions_of_another_client_wait_until_it_is_configured(machine: Machine) -> None:
    """Import §4.4."""
    machine.write("p/s.jsonl", said(1), said(2, entrypoint="claude-desktop"), said(3))
    machine.write("p/t.jsonl", said(1, sessionId="t", entrypoint="something-new"))

    assert [item.client_name for item in machine.exchanges()] == ["claude"]

    machine.plugins.add("@hypaware/claude-desktop")
    assert [item.client_name for item in machine.exchanges()] == ["claude-desktop", "claude"]


def record(machine: Machine, *records: dict[str, Any] | str) -> None:
    path = context_file(machine.home)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [item if isinstance(item, str) else json.dumps(item) for item in records]
    path.write_text("\n".join(lines) + "\n")


def repository(path: Path, remote: str) -> Path:
    path.mkdir(parents=True)
    for arguments in (["init", "-q"], ["remote", "add", "origin", remote]):
        subprocess.run(["git", "-C", str(path), *arguments], check=True, capture_output=True)  # noqa: S607
    return path


def test_a_record_of_the_session_says_where_it_ran(machine: Machine) -> None:
    """Import 24: with a remote in the record, git is not asked."""
    repo = repository(machine.root / "repo", "https://example.org/other.git")
    path = machine.write("p/s.jsonl", said(1, cwd=str(repo)))
    known = {"git_remote": "https://me:secret@example.org/r.git", "cwd": str(repo), "head_sha": "a"}
    record(
        machine,
        {"session_id": "s", "git_branch": "by-session"},
        {"session_id": "x", "transcript_path": str(path), "git_branch": "older", **known},
        {"session_id": "x", "transcript_path": str(path), "git_branch": "newest", **known},
        {"session_id": "s", "git_branch": "by-session"},
        "not json",
        {"no": "session"},
    )

    [exchange] = machine.exchanges()

    assert exchange.git_branch == "newest"
    assert exchange.git_remote == "https://example.org/r.git"
    assert (exchange.repo_root, exchange.head_sha) == (None, "a")


def test_without_a_remote_git_is_asked_in_the_folder(machine: Machine) -> None:
    """Import 24."""
    repo = repository(machine.root / "repo", "https://u:t@example.org/r.git")
    machine.write("p/s.jsonl", said(1, cwd=str(repo)))
    machine.write("p/t.jsonl", said(1, sessionId="t", cwd=str(machine.root / "gone")))
    record(machine, {"session_id": "s", "repo_root": "/kept"})

    first, second = machine.exchanges()

    assert (first.git_remote, first.repo_root) == ("https://example.org/r.git", "/kept")
    assert (first.head_sha, first.git_branch) == (None, None)
    assert (second.git_remote, second.repo_root) == (None, None)


def test_git_runs_once_for_each_folder_and_never_in_a_relative_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Import 24."""
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
