"""What is wrong with a statement is said in a line, with the place and a suggestion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.errors import QueryError
from hypactors.lake import Lake
from hypactors.sql import query
from hypactors.sql._faults import Fault, one_line, query_error

if TYPE_CHECKING:
    from pathlib import Path

NO_COLUMN = 'Binder Error: Referenced column "{}" not found in FROM clause! (line 1, column 8)'

NO_TABLE = "Catalog Error: Table with name {} does not exist! (line 1, column 6)"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def fault_of(lake: Lake, sql: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        list(query(lake, sql).rows)
    return caught.value


@pytest.mark.parametrize(
    ("sql", "column", "message"),
    [
        ("selec 1", 1, 'Parser Error: syntax error at or near "selec" (line 1, column 1)'),
        (
            "select modl from ai_gateway_messages",
            8,
            f'{NO_COLUMN.format("modl")}; did you mean "model"?',
        ),
        (
            "select TOOL_NAM from ai_gateway_messages",
            8,
            f'{NO_COLUMN.format("TOOL_NAM")}; did you mean "tool_name"?',
        ),
        (
            "select zzz from ai_gateway_messages",
            8,
            f"{NO_COLUMN.format('zzz')}; 'hyp query schema' lists the columns",
        ),
        (
            "select totl from (select 1 as total)",
            8,
            f'{NO_COLUMN.format("totl")}; did you mean "total"?',
        ),
        (
            "from ai_gateway_mesages",
            6,
            f"{NO_TABLE.format('ai_gateway_mesages')}; did you mean ai_gateway_messages?",
        ),
        (
            "from elsewhere",
            6,
            f"{NO_TABLE.format('elsewhere')}; the table is ai_gateway_messages",
        ),
        (
            "select 'žžž 雨', modl from ai_gateway_messages",
            17,
            f'{NO_COLUMN.format("modl")}; did you mean "model"?'.replace("column 8", "column 17"),
        ),
    ],
)
def test_a_fault_has_its_place_and_a_suggestion(
    lake: Lake, sql: str, column: int, message: str
) -> None:
    fault = fault_of(lake, sql)

    assert (fault.line, fault.column) == (sql, column)
    assert str(fault) == message


def test_a_function_that_is_not_there_has_a_near_one(lake: Lake) -> None:
    """Which one that is depends on the release of DuckDB."""
    fault = fault_of(lake, "select sun(1)")

    assert "Scalar Function with name sun does not exist! Did you mean" in str(fault)
    assert fault.column == 8


def test_the_place_is_in_its_line(lake: Lake) -> None:
    fault = fault_of(lake, "select 1,\n  modl\nfrom ai_gateway_messages")

    assert (fault.line, fault.column) == ("  modl", 3)
    assert "(line 2, column 3)" in str(fault)


def test_an_error_of_the_work_itself_has_its_place_too(lake: Lake) -> None:
    fault = fault_of(lake, "select cast(a as int) from (values ('x'), ('y')) t(a)")

    assert "Could not convert string 'x'" in str(fault)
    assert fault.column == 8


@pytest.mark.parametrize(
    "text",
    [
        "no\nsuch  thing",
        '{"exception_type": torn',
        '{"exception_type":5,"exception_message":"x"}',
        '{"exception_type":"Binder"}',
        "",
    ],
)
def test_a_message_of_another_shape_is_still_one_line(text: str) -> None:
    assert "\n" not in one_line(text)
    assert query_error(text, "select 1").column == 0
    assert Fault.read(text).exception_message == " ".join(text.split())


def test_what_follows_the_first_line_of_a_message_is_left_out() -> None:
    text = json.dumps(
        {"exception_type": "Binder", "exception_message": "no\nCandidates:\n a\n b"},
        separators=(",", ":"),
    )
    assert one_line(f"Binder Error: {text}") == "Binder Error: no"
