"""Who starts after whom, and who goes down with whom; without actors, threads or a clock."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hypactors.supervision._specs import ChildSpec


class Strategy(enum.Enum):
    """Which children are started anew when one of them died."""

    ONE_FOR_ONE = "one_for_one"
    """That one alone."""

    REST_FOR_ONE = "rest_for_one"
    """That one and those that were started after it."""

    ONE_FOR_ALL = "one_for_all"
    """All of them."""


def companions(strategy: Strategy, order: Sequence[str], died: str) -> Sequence[str]:
    """Return who is started anew together with ``died``, in order of start, without it.

    >>> companions(Strategy.REST_FOR_ONE, ["a", "b", "c"], "b")
    ['c']
    """
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return []
        case Strategy.REST_FOR_ONE:
            return list(order[order.index(died) + 1 :])
        case Strategy.ONE_FOR_ALL:
            return [name for name in order if name != died]


def in_order_of_start(specs: Iterable[ChildSpec]) -> Sequence[ChildSpec]:
    """Return the children so that each comes after what it depends on, else as they were given.

    Raises ``ValueError`` for two children of one name, a dependency on nobody, and a circle.
    """
    by_name: dict[str, ChildSpec] = {}
    for spec in specs:
        if spec.name in by_name:
            raise ValueError(f"two children are called {spec.name!r}")
        by_name[spec.name] = spec
    _check_names(by_name)
    ordered, circle = _sorted(by_name)
    if circle:
        raise ValueError(
            f"these children depend on each other: {', '.join(spec.name for spec in circle)}"
        )
    return ordered


def in_order_as_it_grew(specs: Iterable[ChildSpec]) -> Sequence[ChildSpec]:
    """Return the same for a tree that children were added to; what cannot start comes last."""
    ordered, circle = _sorted({spec.name: spec for spec in specs})
    return [*ordered, *circle]


def _sorted(specs: Mapping[str, ChildSpec]) -> tuple[list[ChildSpec], list[ChildSpec]]:
    """Return the children in order of start, and those that depend on each other."""
    waiting = dict(specs)
    ordered: list[ChildSpec] = []
    while waiting:
        ready = next((s for s in waiting.values() if not waiting.keys() & set(s.depends_on)), None)
        if ready is None:
            break
        ordered.append(waiting.pop(ready.name))
    return ordered, list(waiting.values())


def _check_names(specs: Mapping[str, ChildSpec]) -> None:
    for spec in specs.values():
        for name in spec.depends_on:
            if name not in specs:
                raise ValueError(f"{spec.name!r} depends on {name!r}, and there is no such child")
