"""Reading a transcript, whatever is in it (import §4)."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.providers import Finding, Findings, files
from hypactors.providers.claude import _discover
from hypactors.providers.claude._entries import api_id_of, is_entry, message_of, role_of
from hypactors.providers.claude._lines import Line, RaggedLine, parse_head, parse_line
from hypactors.providers.claude._transcript import Transcript


def write(path: Path, *lines: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(lines))
    return path


def read_lines(path: Path, findings: Findings) -> list[Line]:
    try:
        with Transcript.open(path, findings) as transcript:
            return list(transcript.lines())
    except OSError as error:
        findings.add(Finding.UNREADABLE_FILE, str(path), str(error))
        return []


def test_lines_that_are_no_json_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        b'{"uuid":"1"}\r',
        b"",
        b"   ",
        b"not json",
        b"[1,2]",
        b"null",
        b'{"uuid":NaN}',
        b'{"uuid":"2"}',
        b'{"uuid":"torn',
    )
    findings = Findings()

    assert [line.uuid for line in read_lines(path, findings)] == ["1", "2"]
    assert findings.totals == {Finding.UNPARSEABLE_LINE: 3}
    assert findings.details[0].path == str(path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{"])
def test_empty_and_torn_files_are_no_error(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "t.jsonl", content)

    assert list(read_lines(path, Findings())) == []


def test_a_line_beyond_the_cap_is_counted_and_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 64)
    monkeypatch.setattr(files, "_SKIP_BYTES", 10)
    fits = b'{"uuid":"' + b"f" * 53 + b'"}'
    path = write(
        tmp_path / "t.jsonl", b'{"uuid":"1"}', b'{"uuid":"' + b"x" * 500 + b'"}', fits, b"y" * 65
    )
    findings = Findings()

    assert [line.uuid for line in read_lines(path, findings)] == ["1", "f" * 53]
    assert len(fits) == 64
    assert findings.totals == {Finding.OVERSIZED_LINE: 2}


def test_a_line_of_50_megabytes_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        b'{"uuid":"1","message":{"content":"' + b"x" * 50_000_000 + b'"}}',
        b'{"uuid":"2"}',
    )
    findings = Findings()

    assert [line.uuid for line in read_lines(path, findings)] == ["1", "2"]
    assert findings.totals == {}


def test_an_unreadable_file_is_counted(tmp_path: Path) -> None:
    findings = Findings()

    assert list(read_lines(tmp_path / "gone.jsonl", findings)) == []
    assert findings.totals == {Finding.UNREADABLE_FILE: 1}


def test_what_took_the_place_of_a_file_is_not_opened(tmp_path: Path) -> None:
    target = write(tmp_path / "elsewhere", b'{"uuid":"1"}')
    link, pipe = tmp_path / "link.jsonl", tmp_path / "pipe.jsonl"
    link.symlink_to(target)
    os.mkfifo(pipe)
    findings = Findings()

    assert [list(read_lines(path, findings)) for path in (link, pipe, tmp_path)] == [[], [], []]
    assert findings.totals == {Finding.UNREADABLE_FILE: 3}


def test_deep_nesting_is_counted_and_not_fatal(tmp_path: Path) -> None:
    def nested(depth: int) -> bytes:
        return b'{"message":{"content":' + b"[" * depth + b"]" * depth + b"}}"

    ragged = nested(300).replace(b"{", b'{"uuid":"\\ud800",', 1)
    path = write(
        tmp_path / "t.jsonl", nested(200), nested(300), ragged, nested(200_000), b'{"uuid":"1"}'
    )
    findings = Findings()

    assert len(list(read_lines(path, findings))) == 2
    assert findings.totals == {Finding.UNPARSEABLE_LINE: 3}


def test_many_brackets_are_not_depth() -> None:
    line = parse_line(b'{"message":{"content":[' + b",".join([b'{"a":[]}'] * 900) + b"]}}")

    assert line is not None
    assert len((line.message or {})["content"]) == 900


def test_lone_surrogates_are_replaced_and_what_they_were_in_is_kept() -> None:
    line = parse_line(b'{"uuid":"\\udc00","message":{"content":"a\\ud800"},"":1}')
    other = parse_line(b'{"uuid":"\\udc00","message":{"content":"a"}}')

    assert isinstance(line, RaggedLine)
    assert (line.uuid, line.message, line.raw_content) == (
        "\ufffd",
        {"content": "a\ufffd"},
        "a\ud800",
    )
    assert other is not None
    assert not isinstance(other, RaggedLine)


def test_no_field_of_a_line_can_pose_as_what_was_raw() -> None:
    line = parse_line(b'{"raw_content":"x","rawContent":"y","uuid":"1"}')

    assert line is not None
    assert not isinstance(line, RaggedLine)


def test_folders_are_walked_in_order_and_only_regular_files_count(tmp_path: Path) -> None:
    root = tmp_path / "projects"
    for name in ("b/2.jsonl", "b/1.jsonl", "b/1/subagents/agent-x.jsonl", "a/3.jsonl", "0.txt"):
        write(root / name, b"")
    (root / "b" / "link.jsonl").symlink_to(root / "a" / "3.jsonl")
    (root / "linked").symlink_to(root / "b", target_is_directory=True)
    os.mkfifo(root / "pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as sock:
        # A relative name, as the path of a temporary folder may be too long for a socket.
        before = Path.cwd()
        os.chdir(root)
        sock.bind("sock.jsonl")
        os.chdir(before)

    found = [str(path.relative_to(root)) for path in files.walk(root, Findings())]

    assert found == [
        "0.txt",
        "a/3.jsonl",
        "b/1.jsonl",
        "b/2.jsonl",
        "b/1/subagents/agent-x.jsonl",
    ]


def test_a_missing_root_is_nothing_and_an_unreadable_folder_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """import 23."""
    write(tmp_path / "a" / "1.jsonl", b"")
    write(tmp_path / "closed" / "2.jsonl", b"")
    findings = Findings()
    assert list(files.walk(tmp_path / "missing", findings)) == []
    assert findings.totals == {}

    # The tests may run as root, whom no mode keeps out.
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    assert [path.name for path in files.walk(tmp_path, findings)] == ["1.jsonl"]
    assert findings.totals == {Finding.UNREADABLE_FOLDER: 1}
    assert findings.details[0].reason == "Permission denied"


def test_the_config_folder_decides_the_root_and_then_the_home() -> None:
    assert _discover.projects_root({"HOME": "/h"}) == Path("/h/.claude/projects")
    assert _discover.projects_root({"HOME": "/h", "CLAUDE_CONFIG_DIR": ""}) == Path(
        "/h/.claude/projects"
    )
    assert _discover.projects_root({"HOME": "/h", "CLAUDE_CONFIG_DIR": "/c"}) == Path("/c/projects")
    for named, root in (("~", "/h/projects"), ("~/c", "/h/c/projects"), ("~x", "~x/projects")):
        environ = {"HOME": "/h", "CLAUDE_CONFIG_DIR": named}
        assert _discover.projects_root(environ) == Path(root)


def test_sidecars_name_the_call_and_bad_ones_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "agent-a.meta.json", b'{"toolUseId":"t1"}')
    write(tmp_path / "agent-b.meta.json", b"{nope")
    write(tmp_path / "agent-c.meta.json", b"[]")
    write(tmp_path / "agent-d.meta.json", b'{"toolUseId":7}')
    write(tmp_path / "other.meta.json", b'{"toolUseId":"t2"}')

    assert _discover.spawning_calls(sorted(tmp_path.iterdir())) == {"a": "t1"}
    assert _discover.spawning_calls([tmp_path / "agent-gone.meta.json"]) == {}


def test_details_of_findings_are_bounded_and_totals_are_not() -> None:
    findings = Findings()
    for number in range(250):
        findings.add(Finding.UNREADABLE_FILE, f"/f{number}")

    assert len(findings.details) == 100
    assert findings.totals == {Finding.UNREADABLE_FILE: 250}
    assert findings.summary() == "unreadable files: 250"


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
KEYS = ["sessionId", "uuid", "type", "message", "timestamp", "isSidechain", "attachment", "cwd"]


@settings(max_examples=150)
@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        line = parse_line(data)
    except ValueError:
        return
    if line is not None:
        assert isinstance(json.loads(data.decode("utf-8", "replace")), dict)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_no_object_breaks_an_entry(value: dict[str, Any]) -> None:
    try:
        line = parse_line(json.dumps(value).encode())
    except ValueError:
        return
    assert line is not None
    session_id = value.get("sessionId")
    assert line.session_id == (session_id if isinstance(session_id, str) else None)
    role = role_of(line)
    if role is not None and is_entry(line, role, api_id_of(line)):
        assert message_of(line, role, None, is_usage_carrier=True, calls={}).role == role


WHOLE = (
    b'{"sessionId":"s","type":"user","uuid":"u","timestamp":"2026-01-02T03:04:05.678Z","cwd":"/w",'
    b'"entrypoint":"cli","version":"2.1","messageId":"m","message":{"role":"user","id":"x",'
    b'"content":[{"type":"text","text":"hello"}]},"parentUuid":"p"}'
)
DRAFTED_FROM = (
    "session_id", "type", "uuid", "message_id", "timestamp", "cwd", "entrypoint", "version",
    "claude_version",
)  # fmt: skip


@settings(max_examples=300, derandomize=True)
@given(
    at=st.integers(0, len(WHOLE)),
    cut=st.integers(0, 40),
    inserted=st.sampled_from([b"", b"null", b"5", b'"', b"[]", b"{}", b"\\ud800", b"\xff", b"NaN"]),
)
def test_a_session_is_drafted_from_a_head_as_from_the_whole_line(
    at: int, cut: int, inserted: bytes
) -> None:
    data = WHOLE[:at] + inserted + WHOLE[at + cut :]
    try:
        whole = parse_line(data)
    except ValueError:
        return  # the second look counts it
    head = parse_head(data)
    assert (head is None) == (whole is None)
    if head is None or whole is None:
        return
    assert [getattr(head, key) for key in DRAFTED_FROM] == [
        getattr(whole, key) for key in DRAFTED_FROM
    ]
    assert (role_of(head), api_id_of(head)) == (role_of(whole), api_id_of(whole))
    role, api_id = role_of(whole), api_id_of(whole)
    assert is_entry(head, role, api_id) == is_entry(whole, role, api_id)
