"""The generator of sample homes: deterministic, and in the shapes that an import knows."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypactors.paths import HypHome
from hypactors.providers import Findings, ScanContext, Window, expand
from hypactors.providers.claude import PROVIDER

GENERATOR = Path(__file__).parent.parent.parent / "scripts" / "make_transcripts"
NOW = "2026-11-20T00:00:00Z"


def generate(out: Path, *arguments: str) -> dict[str, str]:
    """Run the generator; return the digest of each file by its name."""
    subprocess.run(
        [sys.executable, str(GENERATOR), "--out", str(out), *arguments],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file()
    }


def test_equal_arguments_make_equal_files(tmp_path: Path) -> None:
    first = generate(tmp_path / "a", "--seed=7", f"--now={NOW}")
    again = generate(tmp_path / "b", "--seed=7", f"--now={NOW}")
    other = generate(tmp_path / "c", "--seed=8", f"--now={NOW}")

    assert first == again
    assert first != other
    assert sum("subagents" not in name for name in first) == 6


def test_the_size_can_be_asked_for(tmp_path: Path) -> None:
    generate(tmp_path, "--megabytes=2", f"--now={NOW}")
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl"))

    assert 2_000_000 <= size < 3_000_000


def test_the_shapes_are_those_of_real_transcripts(tmp_path: Path) -> None:
    generate(tmp_path, "--seed=1", "--sessions=12", "--turns=8", f"--now={NOW}")
    lines: list[dict[str, Any]] = []
    torn = 0
    for path in tmp_path.rglob("*.jsonl"):
        for text in path.read_text().splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                torn += 1

    assert torn > 0
    assert {"user", "assistant", "system", "file-history-snapshot", "ai-title"} <= {
        line["type"] for line in lines
    }
    assert any(line.get("agentId") for line in lines)
    assert any(line.get("isCompactSummary") for line in lines)
    assert all(line["timestamp"] <= NOW for line in lines if "timestamp" in line)


def test_everything_in_it_can_be_imported(tmp_path: Path) -> None:
    generate(tmp_path, "--sessions=12", f"--now={NOW}")
    findings = Findings()
    scan = PROVIDER.scan(
        ScanContext(
            Window(),
            {"HOME": str(tmp_path), "PATH": ""},
            HypHome(tmp_path / ".hyp"),
            lambda _plugin: False,
            findings,
        )
    )
    exchanges = [item for source in scan.sources for item in scan.exchanges(source)]
    rows = [row for exchange in exchanges for row in expand(exchange, now_ms=0)]

    assert len(exchanges) == len(scan.sources) >= 12
    assert {row.part_type for row in rows} >= {"text", "reasoning", "tool_call", "tool_result"}
    assert all(row.tool_name for row in rows if row.part_type in {"tool_call", "tool_result"})
    assert b"spawned_by_tool_use_id" in b"".join(row.attributes for row in rows)
