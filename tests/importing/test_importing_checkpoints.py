"""Which files need not be opened again, and when that is forgotten (contract §8)."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.importing import _checkpoints, forget_before
from hypactors.importing._checkpoints import Checkpoints, Taken
from hypactors.importing._sources import Fingerprint
from hypactors.providers import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path("/p/a.jsonl")
KNOWN_BY = Fingerprint(10, 20, b"h" * 16, b"t" * 16)
ALL = Window()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "claude.db"


@pytest.fixture
def checkpoints(path: Path) -> Iterator[Checkpoints]:
    with contextlib.closing(Checkpoints.open(path)) as checkpoints:
        yield checkpoints


def save(checkpoints: Checkpoints, window: Window = ALL, *withheld: str) -> None:
    checkpoints.save([Taken(FILE, KNOWN_BY, 3, withheld)], window)


def is_covered(
    checkpoints: Checkpoints, window: Window = ALL, now: Fingerprint = KNOWN_BY, gone: str = ""
) -> bool:
    return checkpoints.covering(FILE, now, window, lambda reason: reason != gone) is not None


def test_a_file_that_was_taken_is_covered_and_another_is_not(checkpoints: Checkpoints) -> None:
    save(checkpoints)
    assert checkpoints.covering(FILE, KNOWN_BY, ALL, bool) == Taken(FILE, KNOWN_BY, 3)
    assert checkpoints.covering(Path("/p/b.jsonl"), KNOWN_BY, ALL, bool) is None


@pytest.mark.parametrize(
    "now",
    [
        Fingerprint(11, 20, KNOWN_BY.head, KNOWN_BY.tail),
        Fingerprint(10, 21, KNOWN_BY.head, KNOWN_BY.tail),
        Fingerprint(10, 20, b"x" * 16, KNOWN_BY.tail),
        Fingerprint(10, 20, KNOWN_BY.head, b"x" * 16),
    ],
)
def test_a_file_that_changed_in_any_way_is_not_covered(
    checkpoints: Checkpoints, now: Fingerprint
) -> None:
    save(checkpoints)
    assert not is_covered(checkpoints, now=now)


@pytest.mark.parametrize(
    ("taken", "asked", "is_enough"),
    [
        (Window(), Window(), True),
        (Window(), Window(5, 9), True),
        (Window(5), Window(), False),
        (Window(5), Window(5), True),
        (Window(5), Window(6), True),
        (Window(5), Window(4), False),
        (Window(None, 9), Window(), False),
        (Window(None, 9), Window(None, 9), True),
        (Window(None, 9), Window(None, 10), False),
        (Window(5, 9), Window(6, 8), True),
    ],
)
def test_a_window_is_covered_by_one_that_holds_it(
    checkpoints: Checkpoints,
    taken: Window,
    asked: Window,
    is_enough: bool,  # noqa: FBT001
) -> None:
    save(checkpoints, taken)
    assert is_covered(checkpoints, asked) is is_enough


EDGES = st.none() | st.integers(0, 6)
WINDOWS = st.builds(Window, EDGES, EDGES)


@given(WINDOWS, WINDOWS, st.integers(-1, 7))
def test_what_is_covered_was_kept(taken: Window, asked: Window, moment: int) -> None:
    if _checkpoints._covers(taken.since_ms, taken.until_ms, asked) and asked.keeps(moment):
        assert taken.keeps(moment)


def test_the_newest_taking_of_a_file_counts(checkpoints: Checkpoints) -> None:
    save(checkpoints, Window(5))
    save(checkpoints, Window(3))
    assert is_covered(checkpoints, Window(3))


def test_what_is_withheld_no_more_is_read_again(checkpoints: Checkpoints) -> None:
    save(checkpoints, ALL, "ignored:/secret", "plugin:@a/b")
    assert is_covered(checkpoints)
    assert not is_covered(checkpoints, gone="plugin:@a/b")
    assert not is_covered(checkpoints, gone="ignored:/secret")


def test_another_cache_has_nothing_of_it(checkpoints: Checkpoints, path: Path) -> None:
    checkpoints.belong_to("one")
    save(checkpoints)
    checkpoints.belong_to("one")
    assert is_covered(checkpoints)
    with contextlib.closing(Checkpoints.open(path)) as again:
        again.belong_to("one")
        assert is_covered(again)
        again.belong_to("two")
        assert not is_covered(again)
        save(again)
        again.belong_to(None)
        assert not is_covered(again), "a cache that is gone"


def test_what_was_removed_is_claimed_no_more(checkpoints: Checkpoints) -> None:
    save(checkpoints, Window())
    checkpoints.forget_before(5)
    assert is_covered(checkpoints, Window(5))
    assert not is_covered(checkpoints, Window(4))
    checkpoints.forget_before(3)
    assert not is_covered(checkpoints, Window(4)), "what is forgotten stays so"


def test_all_providers_forget(path: Path) -> None:
    paths = [path, path.with_name("codex.db")]
    for each in paths:
        with contextlib.closing(Checkpoints.open(each)) as checkpoints:
            save(checkpoints)
    forget_before(path.parent, 5)
    for each in paths:
        with contextlib.closing(Checkpoints.open(each)) as checkpoints:
            assert not is_covered(checkpoints, Window(4))
            assert is_covered(checkpoints, Window(5))


def test_where_nothing_was_imported_there_is_nothing_to_forget(path: Path) -> None:
    forget_before(path.parent, 5)
    assert not path.parent.exists()


def test_any_path_can_be_remembered(checkpoints: Checkpoints) -> None:
    odd = Path("/p/\udcff'\n.jsonl")
    checkpoints.save([Taken(odd, KNOWN_BY, 1)], ALL)
    assert checkpoints.covering(odd, KNOWN_BY, ALL, bool) is not None


# --- the file itself ----------------------------------------------------------------------------


def test_nobody_else_can_read_it(checkpoints: Checkpoints, path: Path) -> None:
    save(checkpoints)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def damage(path: Path, *, offset: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\xa5" * 4000)


@pytest.mark.parametrize("offset", [0, 4096, 8192])
def test_a_damaged_one_is_begun_anew(path: Path, offset: int) -> None:
    """Wherever the damage is: it must not fail this import, and the next, and all that follow."""
    with contextlib.closing(Checkpoints.open(path)) as checkpoints:
        rows = [Taken(Path(f"/p/{number}.jsonl"), KNOWN_BY, 1) for number in range(500)]
        checkpoints.belong_to("one")
        checkpoints.save([*rows, Taken(FILE, KNOWN_BY, 1)], ALL)
    damage(path, offset=offset)
    with contextlib.closing(Checkpoints.open(path)) as checkpoints:
        checkpoints.belong_to("one")
        assert not is_covered(checkpoints)
        save(checkpoints)
        assert is_covered(checkpoints)


def test_one_of_another_version_is_begun_anew(path: Path) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE taken (something TEXT)")
        connection.execute("PRAGMA user_version = 99")
    with contextlib.closing(Checkpoints.open(path)) as checkpoints:
        save(checkpoints)
        assert is_covered(checkpoints)


def test_one_that_is_in_use_is_not_taken_for_a_damaged_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda file: connect(file, timeout=0))
    with contextlib.closing(Checkpoints.open(path)) as checkpoints:
        save(checkpoints)
        with contextlib.closing(connect(path)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(OSError, match=r"claude\.db: database is locked"):
                Checkpoints.open(path)
        assert is_covered(checkpoints)
    with contextlib.closing(Checkpoints.open(path)) as checkpoints:
        assert is_covered(checkpoints)


def test_what_is_no_file_is_an_error_that_names_it(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(OSError, match=r"claude\.db"):
        Checkpoints.open(path)
