"""What a supervisor has to do, from the rules of OTP: written apart from the code, and slow.

Actors here start and stop at once. A life is the number of the start; 0 is none yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypactors.supervision import Restart, Strategy

PERIOD_S = 60.0
MAX_RESTARTS = 2
LONGEST_WAIT_S = 8.0
QUIET_S = 60.0


@dataclass
class Person:
    """One child of the model."""

    name: str
    restart: Restart
    needs: tuple[str, ...]
    state: str = "waiting"
    life: int = 0
    due: float | None = None


@dataclass
class Model:
    """Keeps what must have happened; ``log`` has starts and stops as the actors write them."""

    strategy: Strategy
    people: list[Person] = field(default_factory=list)
    now: float = 0.0
    log: list[str] = field(default_factory=list)
    has_given_up: bool = False
    _restarted_at: list[float] = field(default_factory=list)
    _waits: dict[str, tuple[int, float]] = field(default_factory=dict)

    # What is done to it

    def add(self, name: str, restart: Restart, needs: tuple[str, ...]) -> None:
        life = next((p.life for p in self.people if p.name == name), 0)
        left = [p for p in self.people if p.name != name]
        self.people = by_need([*left, Person(name, restart, needs, life=life)])
        self._go_on()

    def end(self, name: str, *, crashed: bool) -> None:
        """One child that runs ends by itself."""
        died = self.find(name)
        if not crashed:
            self.log.append(f"{name} stopped")
        died.state = "stopped"
        if died.restart is Restart.TEMPORARY or (died.restart is Restart.TRANSIENT and not crashed):
            self._go_on()
            return
        if sum(self.now - at <= PERIOD_S for at in self._restarted_at) >= MAX_RESTARTS:
            self.stop()
            self.has_given_up = True
            return
        self._restarted_at.append(self.now)
        self._take_down(died, self.now + self._wait_s(name))

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [p for p in self.people if p.due is not None and p.due <= self.now]
        for person in due:
            person.state, person.due = "waiting", None
        self._go_on()

    def stop(self) -> None:
        for person in reversed(self.people):
            if person.state == "running":
                self.log.append(f"{person.name} stopped")
            person.state, person.due = "stopped", None

    # What can be seen of it

    def find(self, name: str) -> Person:
        return next(p for p in self.people if p.name == name)

    def names(self, state: str) -> list[str]:
        return [p.name for p in self.people if p.state == state]

    def states(self) -> dict[str, str]:
        return {p.name: p.state for p in self.people}

    # The rules

    def _take_down(self, died: Person, due: float) -> None:
        place = self.people.index(died)
        match self.strategy:
            case Strategy.ONE_FOR_ONE:
                tied = []
            case Strategy.REST_FOR_ONE:
                tied = self.people[place + 1 :]
            case Strategy.ONE_FOR_ALL:
                tied = [p for p in self.people if p is not died]
        for person in reversed(tied):
            if person.state == "running":
                self.log.append(f"{person.name} stopped")
                person.state = "stopped" if person.restart is Restart.TEMPORARY else "restarting"
                person.due = None if person.restart is Restart.TEMPORARY else due
            elif person.state == "restarting" or (
                person.state == "waiting" and person.restart is not Restart.TEMPORARY
            ):
                person.state, person.due = "restarting", due
        died.state, died.due = "restarting", due

    def _go_on(self) -> None:
        """Start whoever's turn it is, until there is nobody."""
        is_tied = self.strategy is not Strategy.ONE_FOR_ONE
        for person in self.people:
            if is_tied and person.state == "restarting":
                return
            if person.state == "waiting" and all(
                self.states().get(needed) == "running" for needed in person.needs
            ):
                person.state = "running"
                person.life += 1
                self.log.append(f"{person.name} started")
                self._go_on()
                return

    def _wait_s(self, name: str) -> float:
        times, last = self._waits.get(name, (0, self.now))
        times = 0 if self.now - last > QUIET_S else times
        self._waits[name] = (times + 1, self.now)
        return min(2.0**times, LONGEST_WAIT_S)


def by_need(people: list[Person]) -> list[Person]:
    """Return the people so that each comes after those that it needs, else as they came."""
    left, ordered = list(people), list[Person]()
    while left:
        names = {p.name for p in left}
        first = next(p for p in left if not names & set(p.needs))
        left.remove(first)
        ordered.append(first)
    return ordered
