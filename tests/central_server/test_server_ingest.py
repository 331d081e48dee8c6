"""Rows on their way in: whole batches, each row once, and a word for what is none."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.cache._catalog import open_for_reading
from hypactors.central.server import _ingest
from hypactors.central.server._ingest import Batch, Ingester
from hypactors.central.server._rows import BadBatchError, read_rows
from tests.central_server.app import batch, line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from tests.central_server.app import App


def test_a_batch_is_there_when_it_is_acknowledged(app: App) -> None:
    jwt = app.enrol()
    reply = app.ingest(jwt, batch(line("a"), line("b")))
    assert (reply.status_code, reply.json()) == (202, {"rows": 2, "new_rows": 2})
    assert app.rows() == ["a", "b"]
    assert app.store.gateways()[0].rows_received == 2
    table = open_for_reading(app.lake)
    assert table is not None
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.summary["hyp.batch-ids"] == "b1"


def test_the_same_batch_twice_is_there_once(app: App) -> None:
    """central 31: told by its id, and acknowledged like the first."""
    jwt = app.enrol()
    for new_rows in (1, 0):
        reply = app.ingest(jwt, batch(line("a")))
        assert (reply.status_code, reply.json()["new_rows"]) == (202, new_rows)
    assert app.rows() == ["a"]


def test_the_same_rows_under_another_id_are_there_once(app: App) -> None:
    """contract §9: whatever is sent twice."""
    jwt = app.enrol()
    app.ingest(jwt, batch(line("a"), line("b")))
    assert app.ingest(jwt, batch(line("b"), line("c")), "b2").json()["new_rows"] == 1
    assert app.rows() == ["a", "b", "c"]
    assert app.store.gateways()[0].rows_received == 3


def test_an_empty_batch_is_a_batch(app: App) -> None:
    assert app.ingest(app.enrol(), b"\n").json() == {"rows": 0, "new_rows": 0}


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{", "line 2"),
        (b"7", "Expected `object`"),
        (json.dumps({"role": "user"}).encode(), "missing required field"),
        (json.dumps(line("x", role=7)).encode(), "$.role"),
        (json.dumps(line("x", role=None)).encode(), "$.role"),
        (json.dumps(line("x", message_index=2**31)).encode(), "$.message_index"),
        (json.dumps(line("x", message_created_at="soon")).encode(), "line 2"),
        (json.dumps(line("x", message_created_at=1e300)).encode(), "$.message_created_at"),
        (json.dumps(line("x", tool_args=float("nan"))).encode(), "line 2"),
        (json.dumps(line("x", content_text="\ud800")).encode(), "line 2"),
        (json.dumps(line("x", tool_args={"a": "\ud800"})).encode(), "line 2"),
        (b"\xff", "line 2"),
        (
            json.dumps(line("x", tool_args=0)).encode().replace(b'args": 0', b'args": 1e999'),
            "out of range",
        ),
        (b"[" * 9999, "line 2"),
    ],
)
def test_a_batch_with_a_line_that_is_no_row(app: App, bad: bytes, why: str) -> None:
    """It is refused as a whole, for good, and the line is named."""
    reply = app.ingest(app.enrol(), batch(line("a")) + bad)
    assert reply.status_code == 422
    assert reply.json()["error"].startswith("line 2: ")
    assert why in reply.json()["error"]
    assert app.rows() == []


def test_json_columns_keep_their_text() -> None:
    text = '{"b":1.50,"a":[true,null]}'
    raw = batch(line("a")).replace(b'"date"', b'"tool_args": ' + text.encode() + b', "date"')
    [row] = read_rows(raw)
    assert text in row


@given(st.binary())
def test_whatever_comes_is_rows_or_a_word(body: bytes) -> None:
    try:
        found = read_rows(body)
    except BadBatchError as error:
        found = []
        told = str(error)
    else:
        told = "line "
    assert all(len(row) > 50 for row in found)
    assert told.startswith("line ")


@pytest.mark.parametrize(
    ("signal", "batch_id", "headers", "status"),
    [
        ("logs", "b1", {}, 422),
        ("nonsense", "b1", {}, 404),
        ("proxy", "", {}, 400),
        ("proxy", "../x", {}, 400),
        ("proxy", "x" * 129, {}, 400),
        ("proxy", "b1", {"content_encoding": "gzip"}, 415),
    ],
)
def test_what_is_no_batch(
    app: App, signal: str, batch_id: str, headers: dict[str, str], status: int
) -> None:
    reply = app.ingest(app.enrol(), batch(line("a")), batch_id, signal, **headers)
    assert reply.status_code == status
    assert reply.json()["error"]


def test_a_batch_has_a_bound(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypactors.central.server._app.LARGEST_BATCH", 100)
    assert app.ingest(app.enrol(), b"x" * 101).status_code == 413


def test_who_comes_when_too_many_wait_comes_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ingest, "MOST_WAITING", 0)
    reply = app.ingest(app.enrol(), batch(line("a")))
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")


def test_a_commit_that_fails_is_tried_by_the_client(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    jwt = app.enrol()

    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("hypactors.cache.MessageWriter.commit", broken)
        reply = app.ingest(jwt, batch(line("a")))
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert app.ingest(jwt, batch(line("a"))).status_code == 202
    assert app.rows() == ["a"]


def test_batches_that_wait_together_are_one_commit(app: App) -> None:
    """And each is told what was new of its own."""
    app.ingester.close()
    may_go = threading.Event()

    class Slow(Ingester):
        def _next(self) -> tuple[list[Batch], bool]:
            may_go.wait(20)
            return super()._next()

    slow = Slow(app.lake, app.store, app.log)
    waiting: Sequence[Future[int]] = [
        slow.submit(Batch(name, "gw", read_rows(batch(*map(line, parts)))))
        for name, parts in (("b1", "ab"), ("b2", "bc"), ("b1", "ab"))
    ]
    may_go.set()
    assert sorted(future.result(20) for future in waiting) == [0, 1, 2]
    slow.close()
    table = open_for_reading(app.lake)
    assert table is not None
    assert len(table.snapshots()) == 1
    assert app.rows() == ["a", "b", "c"]
