"""Building the report. Everything is read, nothing is made, started or repaired."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypactors.actions import read_markers, request_keys
from hypactors.central import CENTRAL_PLUGIN, DEFAULT_POLL_S, link_sink
from hypactors.clock import SystemClock, iso_ms
from hypactors.config import (
    CATALOGUE,
    BlobSink,
    active_slot,
    confirmed_at,
    lake_of,
    read_control_state,
    resolve_layers,
    retention_days,
    running_etag,
    unsupported_plugins,
)
from hypactors.dataset import DATASET
from hypactors.processes import find_live_runs
from hypactors.status._attention import attention
from hypactors.status._cache_size import measure
from hypactors.status._client_actions import action_rows
from hypactors.status._convergence import convergence
from hypactors.status._daemon import daemon_row
from hypactors.status._forwarding import forwarding_rows, hold_row
from hypactors.status._health import diagnose, overall
from hypactors.status._live import LiveImport
from hypactors.usage_policy import PolicyError, local_only_dirs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypactors.actions import ProviderFault, ProviderRef
    from hypactors.config import (
        BadEtag,
        ConfigDocument,
        ControlState,
        Layers,
        Probation,
        Rollback,
    )
    from hypactors.lake import Lake
    from hypactors.paths import HypHome
    from hypactors.status._live import LiveActor, LiveState
    from hypactors.status._report import (
        ActorRow,
        BadEtagRow,
        CacheRow,
        ConfigLayersRow,
        ConfigRow,
        DroppedRow,
        LinkRow,
        PluginRow,
        ProbationRow,
        RemoteConfigRow,
        Report,
        RollbackRow,
        SinkRow,
        UsagePolicyRow,
    )


def collect_report(
    home: HypHome,
    environ: Mapping[str, str],
    *,
    providers: Sequence[ProviderRef],
    faults: Sequence[ProviderFault] = (),
    live: LiveState | None,
) -> Report:
    """Return the report, with what a running daemon knows or else what its files say.

    A part that cannot be read becomes null, empty or a diagnostic; this does not raise for it.
    """
    layers = resolve_layers(home, environ, contributed=(each.plugin for each in providers))
    state = read_control_state(home)
    sink = link_sink(layers, home)
    marker_problems: list[str] = []
    if live is not None:
        markers, running = live.markers, live.running
    else:
        recorded = read_markers(home)
        running = _live_imports(home, providers)
        markers = recorded.book.of_fleet(sink.fleet if sink else None).as_mapping()
        marker_problems = [f"{home.marker_file}: {problem}" for problem in recorded.problems]
    usage_policy, policy_problem = _usage_policy(home)
    diagnostics = diagnose(layers, state, marker_problems, policy_problem)
    document = layers.effective
    now = SystemClock().now()
    link = _link(live.link) if live and live.link else None
    remote = _remote_config(home, state)
    report: Report = {
        "overall": overall(diagnostics),
        "config": _config(layers),
        "active_plugins": _plugins(layers),
        "daemon": daemon_row(home, live.daemon if live else None),
        "sources": [],
        "sinks": _sinks(layers),
        "clients": _clients(document),
        "client_attach": [],
        "client_sync": None,
        "recent_entrypoints": [],
        "maintenance": None,
        "capture_health": [],
        "datasets": [],
        "cache": _cache(lake_of(home, layers.local), document),
        "recent_error_count": None,
        "usage_policy": usage_policy,
        "first_sync_hold": hold_row(home, now),
        "config_layers": _config_layers(layers),
        "remote_config": remote,
        "client_actions": action_rows(
            # With a central layer that cannot be loaded, what the local one asks for stays listed:
            # nobody has said no to it.
            document or layers.local,
            is_joined=layers.is_joined,
            providers=providers,
            faults=faults,
            markers=markers,
            running=running,
            waiting=live.waiting if live is not None else {},
            now=now,
        ),
        "proxy_trust": None,
        "diagnostics": diagnostics,
        "actors": [_actor(actor) for actor in live.actors] if live else None,
        "link": link,
        "forwarding": forwarding_rows(home, document, now),
        "source": "daemon" if live else "files",
        "as_of": iso_ms(now) if live else _newest(home),
        "convergence": convergence(
            is_joined=layers.is_joined,
            remote=remote,
            link=link,
            is_live=live is not None,
            applied_at=_applied_at(home),
            confirmed_at=confirmed_at(home),
            poll_interval_s=sink.poll_interval_s if sink else DEFAULT_POLL_S,
            now=now,
        ),
        "attention": [],
        "unsupported": list(
            unsupported_plugins(
                document, {CENTRAL_PLUGIN, *(provider.plugin for provider in providers)}
            )
        ),
    }
    report["attention"] = attention(report)
    return report


def _actor(actor: LiveActor) -> ActorRow:
    row: ActorRow = {"name": actor.name, "state": actor.state, "restarts": actor.restarts}
    if actor.last_crash is not None:
        row["last_crash"] = actor.last_crash
    return row


def _newest(home: HypHome) -> str | None:
    """Return when one of the files was last written that a daemon keeps up to date."""
    times = [
        path.stat().st_mtime
        for path in (home.status_file, home.marker_file, home.state_file)
        if path.exists()
    ]
    return iso_ms(datetime.fromtimestamp(max(times), UTC)) if times else None


def _applied_at(home: HypHome) -> datetime | None:
    slot = active_slot(home)
    try:
        return slot and datetime.fromtimestamp(home.slot_file(slot).stat().st_mtime, UTC)
    except OSError:
        return None


def _live_imports(home: HypHome, providers: Sequence[ProviderRef]) -> Mapping[str, LiveImport]:
    keys = request_keys(providers)
    try:
        runs = find_live_runs(home)
    except OSError:
        return {}
    return {
        keys.get(run.provider, run.plugin): LiveImport(
            provider=run.provider,
            run_id=run.run_id,
            pid=run.pid,
            started_at=run.started_at,
            progress=run.progress,
        )
        for run in runs
    }


def _link(link: Mapping[str, Any]) -> LinkRow:
    return {
        "sink": link["sink"],
        "url": link["url"],
        "fleet": link["fleet"],
        "gateway_id": link["gateway_id"],
        "served_etag": link["served_etag"],
        "polled_at": link["polled_at"],
        "succeeded_at": link["succeeded_at"],
        "failures": link["failures"],
        "error": link["error"],
        "next_poll_at": link["next_poll_at"],
    }


def _usage_policy(home: HypHome) -> tuple[UsagePolicyRow | None, str | None]:
    """Return the row, or why there is none."""
    try:
        return {"local_only_dir_count": len(local_only_dirs(home)), "folder_ask": None}, None
    except PolicyError as error:
        return None, str(error)


def _config(layers: Layers) -> ConfigRow:
    has_local = layers.local is not None or any(
        problem.layer == "local" for problem in layers.problems
    )
    return {
        "path": str(layers.local_path),
        "exists": has_local or layers.is_joined,
        "valid": layers.effective is not None and not layers.problems,
    }


def _plugins(layers: Layers) -> list[PluginRow]:
    rows: list[PluginRow] = []
    for entry in layers.effective.plugins if layers.effective else ():
        if entry.enabled:
            row: PluginRow = {"name": entry.name}
            provenance = layers.provenance(entry.name)
            if provenance is not None:
                row["provenance"] = provenance
            rows.append(row)
    return rows


def _sinks(layers: Layers) -> list[SinkRow]:
    rows: list[SinkRow] = []
    for instance, sink in (layers.effective.sinks if layers.effective else {}).items():
        row: SinkRow = (
            {"instance": instance, "plugin": sink.writer, "kind": "blob"}
            if isinstance(sink, BlobSink)
            else {"instance": instance, "plugin": sink.plugin, "kind": "request"}
        )
        provenance = layers.sink_provenance(instance)
        if provenance is not None:
            row["provenance"] = provenance
        rows.append(row)
    return rows


def _clients(document: ConfigDocument | None) -> list[str]:
    enabled = [entry.name for entry in document.plugins if entry.enabled] if document else []
    known = [CATALOGUE[name] for name in enabled if name in CATALOGUE]
    return [plugin.client for plugin in known if plugin.client is not None]


def _cache(lake: Lake, document: ConfigDocument | None) -> CacheRow:
    size = None if lake.is_shared else measure(lake.folder)
    has_retention = document is not None and document.query is not None
    return {
        "dir": str(lake.folder),
        "catalog": str(lake) if lake.is_shared else None,
        "retention_days": retention_days(document, DATASET),
        "retention_source": "config" if has_retention else "default",
        "size_bytes": size.size_bytes if size else None,
        "oldest_partition_date": size.oldest_partition_date if size else None,
    }


def _config_layers(layers: Layers) -> ConfigLayersRow | None:
    if not layers.is_joined:
        return None
    central = layers.central
    not_applied: list[DroppedRow] = []
    for entry in layers.dropped:
        row: DroppedRow = {"section": entry.section, "key": entry.key, "reason": entry.reason}
        if entry.detail is not None:
            row["detail"] = entry.detail
        not_applied.append(row)
    return {
        "central": central is not None,
        "central_plugins": [entry.name for entry in central.plugins] if central else [],
        "central_sinks": list(central.sinks) if central else [],
        "central_query_ignored": layers.central_query_ignored,
        "local_not_applied": not_applied,
    }


def _remote_config(home: HypHome, state: ControlState) -> RemoteConfigRow:
    return {
        "running_etag": running_etag(home),
        "probation": _probation(state.probation) if state.probation else None,
        "last_rollback": _rollback(state.last_rollback) if state.last_rollback else None,
        "bad_etag": _bad_etag(state.bad_etag) if state.bad_etag else None,
    }


def _probation(probation: Probation) -> ProbationRow:
    return {
        "etag": probation.etag,
        "applied_at": probation.applied_at,
        "until": probation.until,
    }


def _rollback(rollback: Rollback) -> RollbackRow:
    row: RollbackRow = {"etag": rollback.etag, "reason": rollback.reason, "at": rollback.at}
    if rollback.detail is not None:
        row["detail"] = rollback.detail
    return row


def _bad_etag(bad: BadEtag) -> BadEtagRow:
    return {"etag": bad.etag, "reason": bad.reason, "recorded_at": bad.recorded_at}
