"""What DuckDB says is wrong with a statement, as a person should read it."""

from __future__ import annotations

import difflib
import json

import msgspec

from hypactors.dataset import COLUMNS, DATASET
from hypactors.errors import QueryError

_NO_COLUMN = "COLUMN_NOT_FOUND"


class Fault(msgspec.Struct, frozen=True):
    """An error as DuckDB describes it with ``errors_as_json``; ``position`` counts bytes."""

    exception_message: str
    exception_type: str = ""
    error_subtype: str = ""
    type: str = ""
    name: str = ""
    candidates: str = ""
    position: str = ""

    @classmethod
    def read(cls, text: str) -> Fault:
        """Find the description in a message; one without any is a fault of those words."""
        start = text.find('{"exception_type"')
        if start >= 0:
            try:
                value, _ = json.JSONDecoder().raw_decode(text[start:])
                return msgspec.convert(value, cls)
            except ValueError:  # msgspec's is one too
                pass
        return cls(" ".join(text.split()))


def query_error(text: str, sql: str) -> QueryError:
    """Return DuckDB's message as one line with a suggestion, and the place in the statement."""
    fault = Fault.read(text)
    message, column, line = _message(fault), 0, ""
    if fault.position.isdecimal():
        before = sql.encode()[: int(fault.position)].decode(errors="ignore")
        number = before.count("\n")
        column = len(before) - before.rfind("\n")
        line = sql.split("\n")[number]
        message += f" (line {number + 1}, column {column})"
    suggestion = _suggestion(fault)
    if suggestion is not None:
        message += f"; {suggestion}"
    return QueryError(message, line=line, column=column)


def _message(fault: Fault) -> str:
    message = fault.exception_message
    if fault.exception_type:
        # What follows the first line are candidates, or how to install an extension.
        first, _, rest = message.partition("\n")
        message = f"{fault.exception_type} Error: {first}"
        if fault.type.endswith("Function") and rest.startswith("Did you mean"):
            message += f" {rest}"
    return " ".join(message.split())


def _suggestion(fault: Fault) -> str | None:
    if fault.error_subtype == _NO_COLUMN:
        known = [name for name in fault.candidates.split(",") if name]
        near = _nearest(fault.name, [*(column.name for column in COLUMNS), *known])
        return (
            f'did you mean "{near}"?'
            if near is not None
            else "'hyp query schema' lists the columns"
        )
    if fault.exception_type == "Catalog" and fault.type == "Table":
        near = _nearest(fault.name, [DATASET])
        return f"did you mean {DATASET}?" if near else f"the table is {DATASET}"
    return None


def _nearest(name: str, names: list[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name.lower(), names, n=1)), None)


def one_line(text: str) -> str:
    """Return a message that is about no statement as one line."""
    return _message(Fault.read(text))
