"""What can be asked over the control socket; runs on the connections' threads (contract §6)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError, Timeout

from hypactors.actors._names import MARKER_STORE
from hypactors.actors._system import ASK_TIMEOUT_S
from hypactors.messages import DescribeMarkers, DescribeRun, RunningImport, WaitingImport
from hypactors.status import LiveActor, LiveDaemon, LiveImport, LiveState, collect_report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hypactors.actions import MarkerBook
    from hypactors.actors._system import System, SystemContext
    from hypactors.supervision import ChildStatus


def operations(
    system: System,
    context: SystemContext,
    describe_daemon: Callable[[], LiveDaemon],
    stop: Callable[[bool], None],
    reload: Callable[[], None],
) -> Mapping[str, Callable[[Mapping[str, Any]], object]]:
    """Return the operations by name. ``stop`` takes whether imports are to be cut short."""

    def ping(_args: Mapping[str, Any]) -> object:
        return {"pid": os.getpid()}

    def status(_args: Mapping[str, Any]) -> object:
        imports = _described(system)
        live = LiveState(
            daemon=describe_daemon(),
            actors=[
                LiveActor(child.name, _state_of(child), child.restarts)
                for child in system.children()
            ],
            markers=_markers(system).as_mapping(),
            running={
                run.request_key: _live(run) for run in imports if isinstance(run, RunningImport)
            },
            waiting={
                run.request_key: run.reason for run in imports if isinstance(run, WaitingImport)
            },
        )
        return collect_report(context.home, context.environ, providers=context.providers, live=live)

    def stop_daemon(args: Mapping[str, Any]) -> object:
        stop(args.get("now") is True)
        return {
            "pid": os.getpid(),
            "settle_s": context.settings.settle_s,
            "waits_for": system.busy_runners(),
        }

    def reload_config(_args: Mapping[str, Any]) -> object:
        reload()
        return {}

    return {"ping": ping, "status": status, "stop": stop_daemon, "reload": reload_config}


def _state_of(child: ChildStatus) -> str:
    return "unresponsive" if child.is_unresponsive else child.state


def _markers(system: System) -> MarkerBook:
    book: MarkerBook = system.directory.ask(
        MARKER_STORE, DescribeMarkers(), timeout_s=ASK_TIMEOUT_S
    )
    return book


def _described(system: System) -> Sequence[RunningImport | WaitingImport]:
    found = []
    for name in system.runners():
        try:
            run = system.directory.ask(name, DescribeRun(), timeout_s=ASK_TIMEOUT_S)
        except (ActorDeadError, Timeout):
            continue  # being restarted: the import goes on, and is in the next answer
        if run is not None:
            found.append(run)
    return found


def _live(run: RunningImport) -> LiveImport:
    return LiveImport(run.provider, run.run_id, run.pid, run.started_at)
