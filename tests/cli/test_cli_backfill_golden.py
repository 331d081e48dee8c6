"""The golden transcripts make the golden rows, typed as a person would type it (contract §11)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.sample import CONFIG, DATA, SINCE, environ, write_config

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

VARIES = "<varies>"
TIMES = ("message_created_at", "conversation_started_at")
ORDER = ("session_id", "message_index", "part_index", "agent_id", "content_text", "part_id")


def hyp(env: dict[str, str], *arguments: str) -> Any:
    """Run the program, and return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "hypactors", *arguments],
        env=env, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return json.loads(done.stdout)


def without_varying(row: dict[str, Any], golden: dict[str, Any]) -> dict[str, Any]:
    """Take out the closed list of what differs between machines."""
    assert len(row["attributes"]["gateway"]["source_path_hash"]) == 16
    row["attributes"]["gateway"]["source_path_hash"] = VARIES
    for column in TIMES:
        if golden[column] == VARIES:
            row[column] = VARIES
    if row["message_created_at"] == VARIES:  # the day of the import, then
        row["date"] = golden["date"]
    return row


def printed(row: dict[str, Any]) -> str:
    """Return a row so that ``1``, ``1.0`` and ``true`` are three values, as ``==`` does not."""
    return json.dumps(row, sort_keys=True, indent=1)


def sort_key(row: dict[str, Any]) -> list[tuple[bool, Any]]:
    return [(row[column] is not None, row[column]) for column in ORDER]


@pytest.mark.parametrize("corpus", ["claude-a", "claude-edge", "codex-a", "codex-edge"])
def test_golden_transcripts_make_the_golden_rows(corpus: str, tmp_path: Path) -> None:
    """import 8, 12, 28 and 44: and a second run adds none."""
    golden = [json.loads(row) for row in (DATA / corpus / "rows.jsonl").read_text().splitlines()]
    expected = json.loads((DATA / corpus / "backfill.json").read_text())
    env = environ(tmp_path, DATA / corpus / "home")
    write_config(tmp_path, json.dumps(CONFIG))

    for attempt in ("first", "second"):
        document = hyp(env, "backfill", corpus.partition("-")[0], SINCE, "--json")
        assert {**document, "run_id": VARIES} == expected[attempt]

    rows = hyp(env, "query", "sql", "select * from ai_gateway_messages", "--json")
    assert len(rows) == expected["rows"] == len(golden)
    for row, same in zip(sorted(rows, key=sort_key), sorted(golden, key=sort_key), strict=True):
        assert printed(without_varying(row, same)) == printed(same)


def test_the_list_of_what_varies_is_closed() -> None:
    """Nothing else is marked in the golden rows, so that nothing else is left out above."""
    for corpus in sorted(path.parent for path in DATA.glob("*/rows.jsonl")):
        marked = json.loads((corpus / "backfill.json").read_text())["varying"]
        assert marked.keys() <= {"attributes.gateway.source_path_hash", *TIMES}
        text = (corpus / "rows.jsonl").read_text()
        assert text.count(f'"{VARIES}"') == sum(marked.values())
