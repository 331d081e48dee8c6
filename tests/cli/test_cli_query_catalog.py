"""``hyp query --catalog``: the same questions to a catalogue that others share (contract §8)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hypactors.cli import query
from hypactors.lake import Lake
from hypactors.paths import HypHome
from tests.sql.cached import made_up, put, response

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Return the description of a catalogue with three rows in it."""
    lake = HypHome(tmp_path / "there").lake_dir
    put(Lake(lake), [made_up(), made_up(), response("m", "2026-11-01", output_tokens=7)])
    file = tmp_path / "catalog.toml"
    file.write_text(
        f'type = "sql"\nuri = "sqlite:///{lake}/catalog.db"\nwarehouse = "{lake}/warehouse"\n'
    )
    return file


def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, *argv: str) -> tuple[int, str, str]:
    code = query.main(argv, {"HYP_HOME": str(tmp_path / "elsewhere")})
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_catalogue_of_ones_own_is_queried(
    capsys: pytest.CaptureFixture[str], catalog: Path, tmp_path: Path
) -> None:
    """Twice in one statement too: what is read of it comes more than once."""
    sql = (
        "select count(*) as n from ai_gateway_messages a join ai_gateway_messages b using (part_id)"
    )

    assert run(capsys, tmp_path, "sql", sql, "--csv", "--catalog", str(catalog)) == (
        0, "n\n3\n", ""
    )  # fmt: skip


def test_its_files_are_elsewhere(
    capsys: pytest.CaptureFixture[str], catalog: Path, tmp_path: Path
) -> None:
    code, out, _ = run(capsys, tmp_path, "datasets", "--catalog", str(catalog), "--json")

    [dataset] = json.loads(out)["datasets"]
    assert (code, dataset["rows"]) == (0, 3)
    assert (dataset["files"], dataset["bytes"]) == (None, None)
    assert "elsewhere" in run(capsys, tmp_path, "datasets", "--catalog", str(catalog))[1]


def test_the_overview_is_the_same(
    capsys: pytest.CaptureFixture[str], catalog: Path, tmp_path: Path
) -> None:
    code, out, _ = run(capsys, tmp_path, "overview", "--catalog", str(catalog), "--json")

    assert code == 0
    assert json.loads(out)["totals"]["tokens"]["output"] == 7


def test_no_sql_reaches_beside_it(
    capsys: pytest.CaptureFixture[str], catalog: Path, tmp_path: Path
) -> None:
    for sql in (f"from read_text('{catalog}')", f"from '{catalog}'", "from duckdb_secrets()"):
        code, out, err = run(capsys, tmp_path, "sql", sql, "--catalog", str(catalog))
        assert (code, out) == (1, "")
        assert "warehouse" not in err


def test_a_description_that_cannot_be_read_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = run(capsys, tmp_path, "sql", "select 1", "--catalog", str(tmp_path / "no.toml"))
    assert code == 1
    assert "cannot be read as a catalogue" in err


@pytest.mark.process
def test_every_question_ends_quietly(catalog: Path, tmp_path: Path) -> None:
    """A thread that is still there when the interpreter ends took the process down once."""
    where = ["--catalog", str(catalog)]
    for arguments in (["datasets"], ["overview"], ["sql", "select 1"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "hypactors", "query", *arguments, *where],
            env={"HYP_HOME": str(tmp_path / "elsewhere")}, capture_output=True, timeout=60,
            check=True,
        )  # fmt: skip
        assert done.stderr == b""
        assert done.stdout
