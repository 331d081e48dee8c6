"""All checks in their order, and the repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.doctor._files import check_home, check_leftovers, check_modes, check_state
from hypactors.doctor._finding import Finding
from hypactors.doctor._machine import (
    check_catalogue,
    check_config,
    check_disk,
    check_export,
    check_histories,
    check_server,
    check_service,
    check_version,
)
from hypactors.processes import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hypactors.doctor._finding import Surroundings

CHECKS: tuple[Callable[[Surroundings], Iterator[Finding]], ...] = (
    check_version,
    check_home,
    check_modes,
    check_leftovers,
    check_state,
    check_config,
    check_histories,
    check_server,
    check_export,
    check_catalogue,
    check_service,
    check_disk,
)


def examine(around: Surroundings) -> list[Finding]:
    """Return what every check says. One that fails itself is a finding, and the others go on."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found.extend(check(around))
        except OSError as error:
            name = check.__name__.removeprefix("check_")
            found.append(Finding(name, "warn", f"could not be checked: {error}", "hyp status"))
    return found


def repair(around: Surroundings, findings: Sequence[Finding]) -> list[str]:
    """Repair what can be, and return what was done, or why not, a line each.

    Nothing is done while a daemon runs: these files are its own.
    """
    repairs = [finding for finding in findings if finding.repair is not None]
    if not repairs:
        return []
    try:
        lock = FileLock.try_take(around.home.daemon_lock)
    except OSError as error:
        return [f"nothing was repaired: {error}"]
    if lock is None:
        return ["nothing was repaired: a daemon runs and owns these files; 'hyp daemon stop' first"]
    done = []
    with lock:
        for finding in repairs:
            assert finding.repair is not None  # noqa: S101 - chosen above
            try:
                done.append(finding.repair())
            except OSError as error:
                done.append(f"{finding.check} was not repaired: {error}")
    return done
