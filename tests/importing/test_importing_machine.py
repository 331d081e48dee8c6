"""Whatever happens to files, imports and the cache: nothing is lost and nothing is doubled."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hypactors.cache import maintain
from hypactors.importing import _engine, _frames, forget_before
from hypactors.lake import Lake
from hypactors.providers import Window
from tests.importing.notebook import NOW_MS, Desk, entry, since_days

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

NAMES = st.sampled_from("abc")
CUTOFF_MS = since_days(30).since_ms
RECENT = since_days(30)
SLICE = since_days(90, until=30)
ALL = Window()


class Crashed(BaseException):
    """The import ends here, as with a signal."""


class Imports(RuleBasedStateMachine):
    """The model: the ids that must be in the cache, and those that may be."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.desk = Desk(self.root)
        self.folders = {name: self.root / f"work-{name}" for name in "abc"}
        for folder in self.folders.values():
            folder.mkdir()
        self.lines: dict[str, list[str]] = {}
        self.ids: dict[str, tuple[str, bool]] = {}
        """Of each line, the id of its message and whether it is an old one."""
        self.must: set[str] = set()
        self.may: set[str] = set()
        self.made = 0

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    # What happens to the files

    def make(self, name: str, *, is_old: bool = False) -> str:
        self.made += 1
        line = entry(
            f"m{self.made}", session=name, days=60 if is_old else 1, cwd=str(self.folders[name])
        )
        self.ids[line] = (f"m{self.made}", is_old)
        return line

    def put(self, name: str, lines: list[str], torn: str = "") -> None:
        self.lines[name] = lines
        self.desk.write(name, *lines, torn)

    @initialize()
    def a_first_file(self) -> None:
        self.put("a", [self.make("a"), self.make("a", is_old=True)])

    @rule(
        deed=st.sampled_from(["append", "tear", "compact", "truncate", "resume", "remove"]),
        name=NAMES,
        other=NAMES,
        count=st.integers(1, 4),
        is_old=st.booleans(),
        then_import=st.sampled_from([None, ALL, ALL, RECENT]),
    )
    def change_a_file(
        self,
        deed: str,
        name: str,
        other: str,
        count: int,
        *,
        is_old: bool,
        then_import: Window | None,
    ) -> None:
        lines = self.lines.get(name, [])
        match deed:
            case "append":
                self.put(name, lines + [self.make(name, is_old=is_old) for _ in range(count)])
            case "tear":
                self.put(name, lines, self.make(name)[: 5 * count])
            case "compact":
                self.put(name, [self.make(name), *lines[-1:]])
            case "truncate":
                self.put(name, lines[:-count])
            case "resume":  # another file begins with the same messages
                self.put(name, [*self.lines.get(other, []), self.make(name)])
            case "remove":
                self.lines.pop(name, None)
                (self.desk.folder / f"{name}.notes").unlink(missing_ok=True)
        if then_import is not None:
            self.finish_an_import(then_import)

    @rule(name=NAMES)
    def ignore_or_not(self, name: str) -> None:
        path = self.folders[name] / ".hypignore"
        path.unlink() if path.exists() else path.touch()

    # What happens to the cache

    @precondition(lambda self: len(self.must) > 5)
    @rule()
    def lose_the_cache(self) -> None:
        shutil.rmtree(self.desk.home.lake_dir, ignore_errors=True)
        self.must, self.may = set(), set()

    @precondition(lambda self: any(name in self.must for name, old in self.ids.values() if old))
    @rule()
    def retain(self) -> None:
        assert CUTOFF_MS is not None
        forget_before(self.desk.home.checkpoint_dir, CUTOFF_MS)
        now = self.desk.clock.now()
        maintain(Lake.of(self.desk.home), cutoff_ms=CUTOFF_MS, sent_seq=None, now=now)
        old = {name for name, is_old in self.ids.values() if is_old}
        self.must -= old
        self.may -= old

    # Imports

    def visible(self, window: Window) -> set[str]:
        """Return what an import finds. A session is in the folder that its first line names."""
        found: set[str] = set()
        for lines in self.lines.values():
            kept = [line for line in lines if window.keeps(self.at(line))]
            by_session: dict[str, list[str]] = {}
            for line in kept:
                by_session.setdefault(self.session(line), []).append(line)
            for session, theirs in by_session.items():
                if not (self.folders[session] / ".hypignore").exists():
                    found.update(self.ids[line][0] for line in theirs)
        return found

    def at(self, line: str) -> int:
        return NOW_MS - (60 if self.ids[line][1] else 1) * 86_400_000

    def session(self, line: str) -> str:
        return next(name for name, folder in self.folders.items() if str(folder) in line)

    @rule(window=st.sampled_from([ALL, RECENT, SLICE]))
    def finish_an_import(self, window: Window) -> None:
        imported = self.desk.run(window)
        visible = self.visible(window)
        self.must |= visible
        self.may |= visible
        stored = self.desk.stored()
        assert len(stored) == len(set(stored)), "nothing is doubled"
        assert self.must <= set(stored) <= self.may, "nothing is lost"
        assert imported.items_fresh <= imported.items_seen
        self.desk.run(window)
        assert self.desk.opened == [], "nothing has changed"

    @rule(
        window=st.sampled_from([ALL, RECENT]),
        commits=st.integers(0, 2),
        is_after=st.booleans(),
    )
    def crash_in_an_import(self, window: Window, commits: int, *, is_after: bool) -> None:
        """Either before a commit, or between it and its checkpoint."""
        left = iter(range(commits))

        def crash(event: str = "batch_committed") -> None:
            if event == "batch_committed" and next(left, None) is None:
                raise Crashed

        @contextlib.contextmanager
        def shield() -> Iterator[None]:
            crash()
            yield

        if is_after:
            self.desk.on_event = crash
        else:
            self.desk.shield = shield
        self.may |= self.visible(window)
        with contextlib.suppress(Crashed):
            self.desk.run(window)
        self.desk.on_event, self.desk.shield = lambda _event: None, contextlib.nullcontext

    @invariant()
    def what_must_be_there_may(self) -> None:
        assert self.must <= self.may


def test_nothing_is_lost_and_nothing_is_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    """contract §8."""
    monkeypatch.setattr(_engine, "COMMIT_ROWS", 3)
    monkeypatch.setattr(_frames, "FRAME_ROWS", 2)
    run_state_machine_as_test(
        Imports, settings=settings(max_examples=8, stateful_step_count=12, phases=[Phase.generate])
    )
