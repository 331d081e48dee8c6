"""An export: batches, acknowledgements, marks, and what is refused."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.forward import MOST_BYTES, ExportResult, Mark, StoppedError, chunks
from hypactors.forward import _chunks as chunks_module
from tests.forward.fakes import (
    CACHE,
    FakeRow,
    FakeSource,
    Lab,
    Post,
    answers,
    bodies,
    numbered,
    reply,
    unreachable,
)

if TYPE_CHECKING:
    from pathlib import Path

    from hypactors.central import Reply


def run(lab: Lab, *sources: FakeSource) -> ExportResult:
    return asyncio.run(lab.export(*sources))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows a batch."""
    monkeypatch.setattr(chunks_module, "MOST_ROWS", 10)


def test_a_large_table_goes_in_bounded_batches_in_order(lab: Lab) -> None:
    """central 19."""
    lines = numbered(12_000)
    result = run(lab, FakeSource(lines))
    assert bodies(lab.server.posts) == [5000, 5000, 2000]
    assert lab.server.lines() == lines
    assert (result.status, result.sent[0].rows, result.sent[0].batches) == ("exported", 12_000, 3)
    assert all(post.body.endswith(b"}\n") for post in lab.server.posts)
    assert lab.mark() == 12_000


def test_a_small_one_is_one_batch_and_nothing_is_none(lab: Lab) -> None:
    """central 19."""
    assert run(lab, FakeSource([])).status == "exported"
    assert run(lab, FakeSource(numbered(1), cache_id=None)).status == "exported"
    assert lab.server.posts == []
    run(lab, FakeSource(numbered(3)))
    assert bodies(lab.server.posts) == [3]


def test_wide_rows_are_cut_by_their_bytes(lab: Lab) -> None:
    """central 20: a batch exceeds the bound by one row at most."""
    wide = [b'"' + b"x" * 1_500_000 + b'"'] * 7
    run(lab, FakeSource(wide))
    assert bodies(lab.server.posts) == [3, 3, 1]
    assert all(len(post.body) < MOST_BYTES + 1_500_003 for post in lab.server.posts)


@given(st.lists(st.binary(max_size=30), max_size=60), st.integers(1, 9), st.integers(1, 90))
def test_batches_are_the_rows(lines: list[bytes], most_rows: int, most_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chunks_module, "MOST_ROWS", most_rows)
        patched.setattr(chunks_module, "MOST_BYTES", most_bytes)
        rows = [FakeRow(seq, line) for seq, line in enumerate(lines, start=4)]
        found = list(chunks(rows, 3, is_withheld=lambda _cwd: False))
    assert [line for chunk in found for line in chunk.lines] == lines
    ends = [3, *(chunk.end_seq for chunk in found)]
    assert [chunk.start_seq for chunk in found] == ends[:-1]
    assert all(0 < len(chunk.lines) <= most_rows for chunk in found)
    assert len({chunk.batch_id("proxy", "d") for chunk in found}) == len(found)


@pytest.mark.usefixtures("small")
def test_ids_are_the_same_each_time_and_equal_batches_differ(lab: Lab, tmp_path: Path) -> None:
    """central 20: from another home too; at another place identical bytes are another batch."""
    lines = [b'{"same":1}'] * 30
    run(lab, FakeSource(lines))
    ids = [post.batch_id for post in lab.server.posts]
    assert len(set(ids)) == 3
    assert all(len(batch_id) == 32 for batch_id in ids)
    elsewhere = Lab(tmp_path / "elsewhere")
    run(elsewhere, FakeSource(lines))
    assert [post.batch_id for post in elsewhere.server.posts] == ids
    run(elsewhere, FakeSource(lines, dataset="other"))
    assert not {post.batch_id for post in elsewhere.server.posts[3:]} & set(ids)


def test_one_that_fails_keeps_no_other_from_being_sent(lab: Lab) -> None:
    """central 21."""
    lab.server.answer = lambda post: reply(500, b"oops") if post.signal == "logs" else None
    good, bad = FakeSource(numbered(2)), FakeSource(numbered(2), dataset="logs", signal="logs")
    result = run(lab, bad, good)
    assert (result.status, result.retry) == ("partial", ["logs"])
    assert "500 oops" in (result.error or "")
    assert lab.mark() == 2
    lab.server.answer = lambda _post: None
    assert run(lab, bad, good).status == "exported"
    assert [post.signal for post in lab.server.posts] == ["logs", "proxy", "logs"]


def test_a_signal_that_nobody_takes(lab: Lab) -> None:
    """central 21."""
    result = run(lab, FakeSource(numbered(1), signal="smoke"))
    assert (result.status, result.retry) == ("failed", ["messages"])
    assert lab.server.posts == []


def test_an_identity_that_is_not_taken_is_renewed_once(lab: Lab) -> None:
    """central 22: the same body under the same id."""
    lab.server.answer = answers(reply(401))
    assert run(lab, FakeSource(numbered(2))).status == "exported"
    first, second = lab.server.posts
    assert (first.body, first.batch_id) == (second.body, second.batch_id)
    assert (first.jwt, second.jwt) == ("jwt-0", "jwt-1")


def test_and_not_twice(lab: Lab) -> None:
    """central 22: 401 for ever fails, and nothing moves."""
    lab.server.answer = lambda _post: reply(401, b'{"error": "revoked"}')
    result = run(lab, FakeSource(numbered(2)))
    assert "401 revoked" in (result.error or "")
    assert (lab.server.refreshes, lab.mark()) == (1, None)


@pytest.mark.parametrize(
    ("told", "waits"),
    [
        (["7", "9"], [7, 9]),
        ([None, None, None], [30, 60, 120]),
        (["0", "garbage", "Mon, 01 Jan 2001 00:00:00 GMT"], [30, 60, 120]),
        (["100", "100", "100"], [100, 100, 100]),
    ],
)
def test_a_busy_server_is_waited_for(lab: Lab, told: list[str | None], waits: list[float]) -> None:
    """central 22: as long as it says, else by the ladder; the same batch until it is stored."""
    busy = [reply(429, retry_after=each) for each in told]
    lab.server.answer = answers(*busy)
    assert run(lab, FakeSource(numbered(2))).status == "exported"
    assert lab.pauses == waits
    assert len({(post.body, post.batch_id) for post in lab.server.posts}) == 1
    assert lab.busy[0] == (1, waits[0], 429)


@pytest.mark.parametrize(("told", "waits"), [(None, [30, 60, 120]), ("301", []), ("200", [200])])
def test_patience_has_an_end(lab: Lab, told: str | None, waits: list[float]) -> None:
    """central 22: 300 s for one batch in all."""
    lab.server.answer = lambda _post: reply(503, retry_after=told)
    result = run(lab, FakeSource(numbered(2)))
    assert "busy (503)" in (result.error or "")
    assert lab.pauses == waits
    assert lab.mark() is None


def test_a_wait_can_be_ended(lab: Lab) -> None:
    """central 22: nothing failed, and nothing moved."""
    lab.server.answer = lambda _post: reply(429)
    lab.pause_error = StoppedError()
    result = run(lab, FakeSource(numbered(2)))
    assert (result.status, result.sent[0].is_stopped) == ("exported", True)
    assert lab.mark() is None


@pytest.mark.usefixtures("small")
def test_a_stop_comes_after_the_batch_under_way(lab: Lab) -> None:
    lab.is_stopping = lambda: len(lab.server.posts) == 2
    result = run(lab, FakeSource(numbered(50)))
    assert (result.sent[0].rows, result.sent[0].is_stopped, lab.mark()) == (20, True, 20)
    lab.is_stopping = lambda: False
    run(lab, FakeSource(numbered(50)))
    assert lab.server.lines() == numbered(50)


def test_only_what_is_new_is_sent(lab: Lab) -> None:
    """central 23."""
    run(lab, FakeSource(numbered(3)))
    written = lab.marks().path(CACHE).stat().st_mtime_ns
    assert run(lab, FakeSource(numbered(3))).status == "exported"
    assert len(lab.server.posts) == 1
    assert lab.marks().path(CACHE).stat().st_mtime_ns == written
    run(lab, FakeSource(numbered(5)))
    assert lab.server.posts[1].lines == numbered(2, start=4)
    assert lab.marks().read(CACHE) == Mark(5, rows=5)


@pytest.mark.usefixtures("small")
def test_a_failure_in_the_middle_goes_on_there(lab: Lab) -> None:
    """central 24: what is acknowledged is not sent again, the rest under the same ids."""
    lab.server.answer = answers(None, reply(500))
    result = run(lab, FakeSource(numbered(25)))
    assert (result.status, lab.mark()) == ("failed", 10)
    run(lab, FakeSource(numbered(25)))
    assert lab.server.lines() == numbered(25)
    assert lab.server.posts[1].batch_id == lab.server.posts[2].batch_id


def test_no_answer_moves_nothing(lab: Lab) -> None:
    lab.server.answer = unreachable
    result = run(lab, FakeSource(numbered(2)))
    assert (result.status, result.error, lab.mark()) == ("failed", "no answer", None)


@pytest.mark.usefixtures("small")
def test_a_mark_that_was_not_written_sends_the_same_batch_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """central 31 and 32: killed, or a full disk, between the acknowledgement and the mark."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("hypactors.forward._marks.write_atomic", full)
        assert "No space left" in (run(lab, FakeSource(numbered(25))).error or "")
    run(lab, FakeSource(numbered(25)))
    assert lab.server.posts[0].batch_id == lab.server.posts[1].batch_id
    assert lab.server.lines() == numbered(25)


# What stays here


def only_here(lab: Lab, *folders: str) -> None:
    lab.home.usage_policy_dir.mkdir(parents=True, exist_ok=True)
    lab.home.local_only_file.write_text(json.dumps({"version": 1, "dirs": folders}))


def test_rows_of_a_local_folder_are_passed_over(lab: Lab) -> None:
    """central 25: not sent, the mark moves on, and they stay passed over."""
    only_here(lab, "/secret")
    source = FakeSource(numbered(4), cwds={1: "/secret", 2: "/work", 3: "/secret/deep"})
    result = run(lab, source)
    assert (result.sent[0].rows, result.sent[0].withheld) == (2, 2)
    assert lab.server.lines() == [b'{"n":2}', b'{"n":4}']
    only_here(lab)
    run(lab, source)
    assert len(lab.server.posts) == 1


def test_nothing_but_local_rows(lab: Lab) -> None:
    """central 25: no post, and the mark moves."""
    only_here(lab, "/secret")
    run(lab, FakeSource(numbered(2), cwds={1: "/secret", 2: "/secret"}))
    assert (lab.server.posts, lab.mark()) == ([], 2)


def test_a_failure_passes_over_nothing(lab: Lab) -> None:
    """central 25."""
    only_here(lab, "/secret")
    lab.server.answer = unreachable
    run(lab, FakeSource(numbered(2), cwds={1: "/secret"}))
    assert lab.mark() is None


# What is refused


def refuses(*lines: bytes) -> object:
    def answer(post: Post) -> Reply | None:
        bad = [line for line in post.lines if line in lines]
        return reply(422, b'{"error": "line 1: no"}') if bad else None

    return answer


def aside(lab: Lab) -> list[bytes]:
    """Return the rows in the outbox."""
    found = []
    for path in sorted(lab.outbox.path.glob("refused-*.ndjson")):
        assert path.stat().st_mode & 0o777 == 0o600
        head, *lines = path.read_bytes().splitlines()
        assert json.loads(head)["reason"] == "422 line 1: no"
        found += lines
    return sorted(found)


@pytest.mark.usefixtures("small")
def test_a_poison_row_is_set_aside_alone(lab: Lab) -> None:
    """contract §1: everything around it and after it is stored."""
    poison = numbered(1, start=14)
    lab.server.answer = refuses(*poison)  # type: ignore[assignment]
    result = run(lab, FakeSource(numbered(30)))
    assert (result.status, result.sent[0].set_aside, result.sent[0].rows) == ("exported", 1, 29)
    assert sorted(lab.server.lines()) == sorted(set(numbered(30)) - set(poison))
    assert (aside(lab), lab.mark()) == (poison, 30)
    lab.server.answer = lambda _post: None
    run(lab, FakeSource(numbered(30)))
    assert len(lab.server.lines()) == 29


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("position", [1, 30])
def test_also_when_it_is_the_first_or_the_last(lab: Lab, position: int) -> None:
    poison = numbered(1, start=position)
    lab.server.answer = refuses(*poison)  # type: ignore[assignment]
    run(lab, FakeSource(numbered(30)))
    assert (aside(lab), lab.mark()) == (poison, 30)


def test_a_single_row_that_is_refused_does_not_block(lab: Lab) -> None:
    lab.server.answer = refuses(*numbered(1))  # type: ignore[assignment]
    assert run(lab, FakeSource(numbered(1))).status == "exported"
    assert (aside(lab), lab.mark()) == (numbered(1), 1)


@pytest.mark.usefixtures("small")
def test_a_batch_of_poison_is_set_aside_when_the_next_is_stored(lab: Lab) -> None:
    lab.server.answer = refuses(*numbered(10))  # type: ignore[assignment]
    result = run(lab, FakeSource(numbered(30)))
    assert (result.sent[0].set_aside, lab.mark()) == (10, 30)
    assert aside(lab) == sorted(numbered(10))


@pytest.mark.usefixtures("small")
def test_a_server_that_refuses_everything_takes_nothing_with_it(lab: Lab) -> None:
    """It is more likely wrong than all the rows: the mark stays, and nothing is set aside."""
    lab.server.answer = lambda _post: reply(400, b"no")
    result = run(lab, FakeSource(numbered(200)))
    assert "refuses everything: 400 no" in (result.error or "")
    assert (lab.mark(), list(lab.home.sinks_dir.rglob("refused-*"))) == (None, [])
    assert len(lab.server.posts) < 200
    lab.server.answer = lambda _post: None
    run(lab, FakeSource(numbered(200)))
    assert lab.server.lines() == numbered(200)


@pytest.mark.usefixtures("small")
def test_rows_that_stay_here_vouch_for_nobody(lab: Lab) -> None:
    """After a batch that was refused whole they must not move the mark past it."""
    only_here(lab, "/secret")
    lab.server.answer = refuses(*numbered(10))  # type: ignore[assignment]
    source = FakeSource(numbered(15), cwds=dict.fromkeys(range(11, 16), "/secret"))
    assert "refuses everything" in (run(lab, source).error or "")
    assert (lab.mark(), aside(lab)) == (None, [])
    lab.server.answer = lambda _post: None
    assert run(lab, source).sent[0].rows == 10
    assert lab.mark() == 15


@pytest.mark.usefixtures("small")
def test_a_full_outbox_is_only_counted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypactors.forward._outbox.MOST_BYTES", 10)
    lab.server.answer = refuses(*numbered(1, start=3))  # type: ignore[assignment]
    result = run(lab, FakeSource(numbered(30)))
    assert (result.sent[0].set_aside, result.sent[0].set_aside_lost) == (1, 1)
    assert lab.mark() == 30


@settings(max_examples=60)
@given(
    poison=st.sets(st.integers(1, 60), max_size=12),
    withheld=st.sets(st.integers(1, 60), max_size=12),
    failures=st.sets(st.integers(0, 30), max_size=6),
)
def test_whatever_happens_each_row_ends_in_one_place(
    poison: set[int],
    withheld: set[int],
    failures: set[int],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """central 24, 25 and 31: stored once, set aside, or kept here, whatever fails meanwhile."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    only_here(lab, "/secret")
    lines = numbered(60)
    source = FakeSource(lines, cwds=dict.fromkeys(withheld, "/secret"))
    bad = refuses(*(lines[number - 1] for number in poison - withheld))
    counter = iter(range(10_000))

    def answer(post: Post) -> Reply | None:
        said: Reply | None = bad(post)  # type: ignore[operator]
        return reply(500) if next(counter) in failures else said

    lab.server.answer = answer
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chunks_module, "MOST_ROWS", 10)
        for _ in range(len(failures) + 1):
            if run(lab, source).status == "exported":
                break
        else:
            raise AssertionError("it never came to an end")
    stored, refused = lab.server.lines(), aside(lab)
    kept = [lines[number - 1] for number in withheld]
    assert sorted({*stored, *refused, *kept}) == sorted(lines)
    assert not {*stored} & {*kept}
    assert sorted(refused) == sorted(lines[number - 1] for number in poison - withheld)
