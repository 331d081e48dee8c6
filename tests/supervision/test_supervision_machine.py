"""Any sequence of crashes, stops, waits and additions: the tree does what the model does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from hypactors.supervision import (
    Backoff,
    ChildCrashed,
    ChildStopped,
    Intensity,
    Restart,
    RestartIntensityExceeded,
    RestartScheduled,
    StartChild,
    StopChildren,
    Strategy,
    SupervisorGaveUp,
)
from tests.supervision.conftest import Tree, raising, steady
from tests.supervision.model import (
    LONGEST_WAIT_S,
    MAX_RESTARTS,
    PERIOD_S,
    QUIET_S,
    Model,
)

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

NAMES = "abcdef"
RESTARTS = st.sampled_from(Restart)


class SupervisorMachine(RuleBasedStateMachine):
    """Real actors on manual timers; what is asynchronous about them is waited for."""

    @initialize(strategy=st.sampled_from(Strategy), restarts=st.lists(RESTARTS, max_size=4))
    def begin(self, strategy: Strategy, restarts: list[Restart]) -> None:
        self.tree, self.model = Tree(), Model(strategy)
        self.log: list[str] = []
        self.seen, self.is_over = 0, False
        first = list(zip(NAMES, restarts, strict=False))
        for name, restart in first:
            self.model.add(name, restart, ())
        self.tree.start_and_wait(
            *(steady(name, self.log, restart=restart) for name, restart in first),
            strategy=strategy,
            intensity=Intensity(MAX_RESTARTS, PERIOD_S),
            backoff=Backoff(1.0, LONGEST_WAIT_S, jitter=0.0, reset_after_s=QUIET_S),
        )
        self.compare()

    @precondition(lambda self: self.is_over)
    @rule(strategy=st.sampled_from(Strategy), restarts=st.lists(RESTARTS, max_size=4))
    def begin_again(self, strategy: Strategy, restarts: list[Restart]) -> None:
        self.tree.stop()
        self.begin(strategy, restarts)

    def is_up(self) -> bool:
        return not self.is_over

    def has_somebody(self) -> bool:
        return self.is_up() and bool(self.model.names("running"))

    @precondition(has_somebody)
    @rule(data=st.data())
    def crash(self, data: DataObject) -> None:
        name = data.draw(st.sampled_from(self.model.names("running")))
        self.tree.tell(name, raising(ValueError(name)))
        self.model.end(name, crashed=True)
        assert self.tree.wait_for(ChildCrashed).name == name
        self.compare()

    @precondition(has_somebody)
    @rule(data=st.data())
    def stop_one(self, data: DataObject) -> None:
        name = data.draw(st.sampled_from(self.model.names("running")))
        self.tree.tell(name, lambda actor: actor.stop())
        self.model.end(name, crashed=False)
        if not self.model.has_given_up:
            is_again = self.model.find(name).restart is Restart.PERMANENT
            self.tree.wait_for(RestartScheduled if is_again else ChildStopped)
        self.compare()

    @precondition(is_up)
    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 8.0, 61.0]))
    def advance(self, seconds: float) -> None:
        self.tree.timers.advance(seconds)
        self.model.advance(seconds)
        self.compare()

    @precondition(is_up)
    @rule(data=st.data(), restart=RESTARTS)
    def add(self, data: DataObject, restart: Restart) -> None:
        """Add a new child, or one again that has stopped for good; it depends on older names."""
        there = self.model.states()
        free = [name for name in NAMES if there.get(name, "stopped") == "stopped"]
        if not free:
            return
        name = data.draw(st.sampled_from(free))
        older = [n for n in NAMES if n < name]
        needs = tuple(data.draw(st.sets(st.sampled_from(older), max_size=2))) if older else ()
        spec = steady(name, self.log, restart=restart, depends_on=needs)
        self.tree.tell("supervisor", StartChild(spec))
        self.model.add(name, restart, needs)
        self.compare()

    @precondition(is_up)
    @rule()
    def stop_all(self) -> None:
        assert self.tree.ask("supervisor", StopChildren()) == ()
        self.model.stop()
        self.compare()
        self.is_over = True

    def compare(self) -> None:
        """Wait until the tree stands as the model does; nothing more and nothing else happened."""
        if self.model.has_given_up:
            self.tree.wait_for(SupervisorGaveUp)
            assert isinstance(self.tree.wait_for_end().error, RestartIntensityExceeded)
            self.is_over = True
        else:
            self.tree.wait_for_states(self.model.states())
            for name in self.model.names("running"):
                assert self.tree.ask(name, "who?") == (name, self.model.find(name).life)
        new, expected = self.log[self.seen :], self.model.log[self.seen :]
        self.seen = len(self.log)
        assert self.ordered(new) == self.ordered(expected)

    def ordered(self, log: list[str]) -> list[Any]:
        """Siblings that are not tied together start side by side, in any order."""
        return sorted(log) if self.model.strategy is Strategy.ONE_FOR_ONE else log

    def teardown(self) -> None:
        self.tree.stop()


TestSupervisor = SupervisorMachine.TestCase
TestSupervisor.settings = settings(max_examples=40, stateful_step_count=25)
