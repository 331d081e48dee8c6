"""Who is stopped and who is started next; without actors, threads or a clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.supervision._child import ChildState
from hypactors.supervision._order import Strategy, companions
from hypactors.supervision._specs import Restart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypactors.supervision._child import Standing

ALIVE = (ChildState.STARTING, ChildState.RUNNING)


@dataclass(frozen=True, slots=True)
class GroupRestart:
    """What the restart of one child means for it and for its siblings."""

    stopped: tuple[str, ...]
    """Who goes down with it, in this order: the reverse of their start."""

    dropped: tuple[str, ...]
    """Those of them that do not come back."""

    again: tuple[str, ...]
    """Who comes back after the wait, in order of start."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Whose turn it is."""

    names: tuple[str, ...]
    is_everyone_through: bool
    """Nobody's first start is still to come, as far as it can come at all."""


def plan_restart(strategy: Strategy, children: Sequence[Standing], died: str) -> GroupRestart:
    """Say who goes down and comes back with the child that died; ``children`` in order of start.

    One that has stopped for good stays so. A temporary one has its only life: what is up of
    these is dropped, and what has not begun yet still has its turn.
    """
    tied = {died, *companions(strategy, [child.name for child in children], died)}
    group = [child for child in children if child.name in tied]
    stopped = [child for child in group if child.state in ALIVE and child.name != died]
    return GroupRestart(
        stopped=tuple(child.name for child in reversed(stopped)),
        dropped=tuple(child.name for child in stopped if child.restart is Restart.TEMPORARY),
        again=tuple(child.name for child in group if child.name == died or _comes_back(child)),
    )


def plan_starts(strategy: Strategy, children: Sequence[Standing], *, is_coming_up: bool) -> Starts:
    """Say which waiting children start now; ``children`` in order of start.

    While the tree comes up, and where the strategy ties children together, they start one
    after the other, as later ones may count on earlier ones. A single child that comes back
    waits for nobody but those that it depends on.
    """
    running = {child.name for child in children if child.state is ChildState.RUNNING}
    is_one_by_one = is_coming_up or strategy is not Strategy.ONE_FOR_ONE
    names: list[str] = []
    for child in children:
        if is_one_by_one and child.state in (ChildState.STARTING, ChildState.RESTARTING):
            return Starts((), is_everyone_through=False)
        if child.state is ChildState.WAITING and running.issuperset(child.depends_on):
            names.append(child.name)
            if is_one_by_one:
                break
    return Starts(tuple(names), is_everyone_through=not names)


def _comes_back(child: Standing) -> bool:
    return child.restart is not Restart.TEMPORARY and child.state is not ChildState.STOPPED
