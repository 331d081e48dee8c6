"""The shape of the status report, as ``hyp status --json`` prints it.

Null means "nothing to say", an empty list "looked, found none". Keys of parts that do not exist
in this version are there all the same.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

Provenance = Literal["central", "local"]


class ConfigRow(TypedDict):
    path: str
    exists: bool
    valid: bool


class PluginRow(TypedDict):
    name: str
    provenance: NotRequired[Provenance]


class DaemonRow(TypedDict):
    installed: bool
    loaded: bool
    running: bool
    state: str
    pid: int | None
    mode: str | None
    run_id: str | None
    platform: str
    started_at: str | None
    warnings: NotRequired[list[str]]
    export_trouble: NotRequired[str]
    error: NotRequired[str]


class SinkRow(TypedDict):
    instance: str
    plugin: str
    kind: Literal["blob", "request"]
    provenance: NotRequired[Provenance]


class CacheRow(TypedDict):
    """``catalog`` is where a shared one is; how much is in it is not known here."""

    dir: str
    catalog: str | None
    retention_days: float
    retention_source: Literal["config", "default"]
    size_bytes: int | None
    oldest_partition_date: str | None


class DroppedRow(TypedDict):
    section: str
    key: str
    reason: str
    detail: NotRequired[str]


class ConfigLayersRow(TypedDict):
    central: bool
    central_plugins: list[str]
    central_sinks: list[str]
    central_query_ignored: bool
    local_not_applied: list[DroppedRow]


class ProbationRow(TypedDict):
    etag: str
    applied_at: str | None
    until: str | None


class RollbackRow(TypedDict):
    etag: str
    reason: str | None
    at: str | None
    detail: NotRequired[str]


class BadEtagRow(TypedDict):
    etag: str
    reason: str | None
    recorded_at: str | None


class RemoteConfigRow(TypedDict):
    running_etag: str | None
    probation: ProbationRow | None
    last_rollback: RollbackRow | None
    bad_etag: BadEtagRow | None


ActionState = Literal["done", "failed", "refused", "running", "pending", "blocked", "n/a"]


class ActionRow(TypedDict):
    kind: str
    request_key: str
    state: ActionState
    rows: NotRequired[float]
    at: NotRequired[str]
    reason: NotRequired[str]
    last_attempt: NotRequired[str]
    attempts: NotRequired[float]
    next_attempt_at: NotRequired[str]
    waits_for: NotRequired[str]
    run_id: NotRequired[str]
    pid: NotRequired[int]
    started_at: NotRequired[str]
    progress: NotRequired[dict[str, object]]
    covered_days: NotRequired[int]
    policy_days: NotRequired[float]


class DiagnosticRow(TypedDict):
    severity: Literal["error", "warning"]
    kind: str
    message: str
    repair: list[str]
    pointer: NotRequired[str]


class ActorRow(TypedDict):
    name: str
    state: str
    restarts: int
    last_crash: NotRequired[str]


ConvergenceState = Literal[
    "never_joined", "seed", "applying", "on_trial", "converged", "rolled_back", "stale_poll"
]


class ConvergenceRow(TypedDict):
    state: ConvergenceState
    running_etag: str | None
    served_etag: str | None
    last_poll_at: str | None
    confirmed_at: str | None
    until: str | None


class AttentionRow(TypedDict):
    severity: Literal["error", "warning"]
    kind: str
    message: str
    command: str


class UsagePolicyRow(TypedDict):
    local_only_dir_count: int
    folder_ask: None


class HoldRow(TypedDict):
    deadline: str
    deadline_ms: int


class ForwardingRow(TypedDict):
    sink: str
    status: str
    at: str | None
    exported_at: str | None
    rows: int
    behind: int | None
    held: int | None
    set_aside: int
    withheld: int
    failures: int
    error: str | None


class LinkRow(TypedDict):
    sink: str
    url: str
    fleet: str
    gateway_id: str | None
    served_etag: str | None
    polled_at: str | None
    succeeded_at: str | None
    failures: int
    error: str | None
    next_poll_at: str | None


class Report(TypedDict):
    overall: Literal["healthy", "degraded"]
    config: ConfigRow
    active_plugins: list[PluginRow]
    daemon: DaemonRow
    sources: list[None]
    sinks: list[SinkRow]
    clients: list[str]
    client_attach: list[None]
    client_sync: None
    recent_entrypoints: list[None]
    maintenance: None
    capture_health: list[None]
    datasets: list[None]
    cache: CacheRow
    recent_error_count: None
    usage_policy: UsagePolicyRow | None
    first_sync_hold: HoldRow | None
    config_layers: ConfigLayersRow | None
    remote_config: RemoteConfigRow
    client_actions: list[ActionRow] | None
    proxy_trust: None
    diagnostics: list[DiagnosticRow]
    actors: list[ActorRow] | None
    link: LinkRow | None
    forwarding: list[ForwardingRow]
    source: Literal["daemon", "files"]
    as_of: str | None
    convergence: ConvergenceRow
    attention: list[AttentionRow]
    unsupported: list[str]
