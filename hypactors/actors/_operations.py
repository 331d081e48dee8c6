"""What can be asked over the control socket; runs on the connections' threads (contract §6)."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import psutil
from pykka import ActorDeadError, Timeout

from hypactors.actions import Unit
from hypactors.actors._names import CENTRAL_LINK, CONFIG_CONTROL, MARKER_STORE, RECONCILER
from hypactors.actors._system import ASK_TIMEOUT_S
from hypactors.clock import iso_ms
from hypactors.errors import ControlError
from hypactors.messages import (
    DescribeLink,
    DescribeMarkers,
    DescribeRun,
    DescribeWaits,
    ForgetMarker,
    ReconcileRequested,
    ResetToSeed,
    RetryRequested,
    RunningImport,
    WaitingImport,
)
from hypactors.status import (
    LiveActor,
    LiveDaemon,
    LiveImport,
    LiveState,
    collect_report,
    explain,
    find_row,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hypactors.actions import MarkerBook
    from hypactors.actors._system import System
    from hypactors.actors._system_context import SystemContext
    from hypactors.messages import LinkState, Waits
    from hypactors.status import Report
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
        return {"pid": os.getpid(), "busy": _names(system)}

    def status(_args: Mapping[str, Any]) -> object:
        return report()

    def report() -> Report:
        imports = _described(system)
        live = LiveState(
            daemon=describe_daemon(),
            actors=[
                LiveActor(child.name, _state_of(child), child.restarts, child.last_error)
                for child in system.children()
            ],
            markers=_markers(system).of_fleet(system.config().fleet).as_mapping(),
            running={
                run.request_key: _live(run) for run in imports if isinstance(run, RunningImport)
            },
            waiting=_turns(system)
            | {run.request_key: run.reason for run in imports if isinstance(run, WaitingImport)},
            link=_link(system),
        )
        return collect_report(
            context.home,
            context.environ,
            providers=context.providers,
            faults=context.faults,
            live=live,
        )

    def metrics(_args: Mapping[str, Any]) -> object:
        process = psutil.Process()
        with process.oneshot():
            times = process.cpu_times()
            told = {
                "rss_bytes": process.memory_info().rss,
                "threads": process.num_threads(),
                "cpu_s": times.user + times.system,
            }
        return {"report": report(), "process": told}

    def stop_daemon(args: Mapping[str, Any]) -> object:
        stop(args.get("now") is True)
        return {
            "pid": os.getpid(),
            "settle_s": context.settings.settle_s,
            "waits_for": _names(system),
        }

    def reload_config(args: Mapping[str, Any]) -> object:
        if args.get("reset_to_seed") is not True:
            reload()
            return {}
        directory = system.directory
        superseded = directory.ask(CONFIG_CONTROL, ResetToSeed(), timeout_s=ASK_TIMEOUT_S)
        # It answers after it was told: from here on nothing is sent in the name of before.
        directory.ask(CENTRAL_LINK, DescribeLink(), timeout_s=ASK_TIMEOUT_S)
        return {"superseded": superseded}

    return {
        "ping": ping,
        "status": status,
        "metrics": metrics,
        "stop": stop_daemon,
        "reload": reload_config,
        **_on_actions(system, report),
    }


def _on_actions(
    system: System, report: Callable[[], Report]
) -> Mapping[str, Callable[[Mapping[str, Any]], object]]:
    def list_actions(_args: Mapping[str, Any]) -> object:
        return {"actions": report()["client_actions"] or []}

    def explain_action(args: Mapping[str, Any]) -> object:
        rows = report()["client_actions"] or []
        return {"lines": explain(find_row(rows, str(args.get("action"))))}

    def retry_actions(args: Mapping[str, Any]) -> object:
        system.directory.tell(RECONCILER, RetryRequested(_units(args)))
        return {}

    def forget_actions(args: Mapping[str, Any]) -> object:
        for unit in _units(args):
            system.directory.tell(MARKER_STORE, ForgetMarker(*unit))
        # The markers are read after that, so what is still wanted begins again at once.
        system.directory.tell(RECONCILER, ReconcileRequested("forgotten", is_edge=False))
        return {}

    return {
        "actions.list": list_actions,
        "actions.explain": explain_action,
        "actions.retry": retry_actions,
        "actions.forget": forget_actions,
    }


def _names(system: System) -> list[str]:
    """Return the providers whose imports are under way."""
    return [name.removeprefix("backfill:") for name in system.busy_runners()]


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


def _turns(system: System) -> dict[str, str]:
    """Return what units that wait for their turn wait for, by request key."""
    waits: Waits = system.directory.ask(RECONCILER, DescribeWaits(), timeout_s=ASK_TIMEOUT_S)
    return {unit.request_key: f"its turn at {iso_ms(at)}" for unit, at in waits.turns.items()}


def _link(system: System) -> Mapping[str, Any] | None:
    try:
        state: LinkState | None = system.directory.ask(
            CENTRAL_LINK, DescribeLink(), timeout_s=ASK_TIMEOUT_S
        )
    except (ActorDeadError, Timeout):
        return None  # being restarted
    return None if state is None else asdict(state)


def _units(args: Mapping[str, Any]) -> tuple[Unit, ...]:
    """Return the units that a request names. Raises ``ControlError`` for anything else."""
    units = args.get("units")
    try:
        return tuple(Unit(str(kind), str(key)) for kind, key in units or ())
    except (TypeError, ValueError) as error:
        raise ControlError("'units' must be a list of pairs of kind and key") from error


def _live(run: RunningImport) -> LiveImport:
    return LiveImport(run.provider, run.run_id, run.pid, run.started_at, run.progress)
