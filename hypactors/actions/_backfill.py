"""Backfill on join: which imports are wanted, and the command that does one.

Run once a machine and provider, and never undone: what was imported stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypactors.actions._handler import Dispatched, ProviderFault
from hypactors.actions._policy import read_policy
from hypactors.clock import iso_ms, parse_iso
from hypactors.config import retention_days
from hypactors.errors import ConfigError
from hypactors.messages import DesiredAction, Outcome, OutcomeStatus, Undecided

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hypactors.actions._handler import ActionContext, ProviderRef
    from hypactors.actions._markers import Marker
    from hypactors.config import ConfigDocument, PluginEntry

_OF_THE_DAEMON_ALONE = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
_LOOK_AGAIN = timedelta(hours=1)
_LOOK_AGAIN_BLINDLY = timedelta(days=1)
_DATASET = "ai_gateway_messages"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BackfillHandler:
    """Wants one import for each enabled provider; the provider's runner performs it."""

    kind = "backfill"

    def desired(self, ctx: ActionContext) -> Sequence[DesiredAction | Undecided]:
        keys = request_keys(ctx.providers)
        wanted: list[DesiredAction | Undecided] = []
        for provider in enabled_providers(ctx.config, ctx.providers):
            policy = read_policy(_entries(ctx.config)[provider.plugin].config)
            if not policy.on_join:
                continue
            params: dict[str, object] = {"provider": provider.name, "plugin": provider.plugin}
            if policy.window_days is not None:
                params["windowDays"] = policy.window_days
            wanted.append(DesiredAction(keys[provider.name], params))
        owned = {provider.plugin for provider in ctx.providers}
        for entry in _entries(ctx.config).values():
            fault = fault_of(entry.name, ctx.faults)
            if fault is not None and entry.enabled and entry.name not in owned:
                wanted.append(Undecided(entry.name, fault.reason))
        return wanted

    def perform(self, action: DesiredAction, ctx: ActionContext) -> Outcome | Dispatched:  # noqa: ARG002 - the runner has its own environment
        provider = action.params.get("provider")
        if not isinstance(provider, str) or not provider:
            reason = "backfill action missing provider name"
            return Outcome(OutcomeStatus.FAILED, reason=reason)
        return Dispatched(runner_name(provider))

    def is_current(self, marker: Marker, action: DesiredAction, ctx: ActionContext) -> bool:
        """Tell whether what was imported is still there, and whether there was anything to import.

        A cache that was deleted or made anew has not what the marker stands for; a machine that
        had no history then may have some now.
        """
        if marker.cache_id is not None and ctx.cache_id is not None:
            try:
                if ctx.cache_id() != marker.cache_id:
                    return False
            except (OSError, ConfigError):
                return True  # cannot tell
        if marker.files != 0:
            return True
        return not _is_worth_a_look(marker, _provider_of(action, ctx), ctx)

    def missing(
        self, marker: Marker, action: DesiredAction, ctx: ActionContext
    ) -> DesiredAction | None:
        """Return the import of what a window that grew asks for, and no more."""
        covered = marker.covered
        days = window_days_of(action.params.get("windowDays"), ctx.config)
        if covered is None or covered.since is None or not covered.is_less_than(days, ctx.now):
            return None
        since = since_for(int(days), ctx.now) if days > 0 else iso_ms(_EPOCH)
        until = iso_ms(covered.since)
        return DesiredAction(action.request_key, {**action.params, "since": since, "until": until})


def window_days_of(window_days: object, config: ConfigDocument | None) -> float:
    """Return how many days an import takes in: the policy's, else what is retained; 0: all."""
    if isinstance(window_days, int):
        return window_days
    return retention_days(config, _DATASET)


def _provider_of(action: DesiredAction, ctx: ActionContext) -> ProviderRef | None:
    name = action.params.get("provider")
    return next((each for each in ctx.providers if each.name == name), None)


def _is_worth_a_look(marker: Marker, provider: ProviderRef | None, ctx: ActionContext) -> bool:
    """Say whether a unit that found no file should look again, now and then."""
    if provider is None:
        return False
    try:
        since = ctx.now - parse_iso(marker.at or "")
    except ValueError:
        since = _LOOK_AGAIN_BLINDLY
    if provider.has_history is None:
        return since >= _LOOK_AGAIN_BLINDLY
    # It may find something that is no history, again and again.
    return since >= _LOOK_AGAIN and provider.has_history(ctx.environ)


def fault_of(plugin: str, faults: Sequence[ProviderFault]) -> ProviderFault | None:
    """Return what keeps the provider of a plugin from being used, if anything does.

    What cannot be loaded cannot say whose it is: its entry point has the plugin's last word.

    >>> fault_of("@acme/aider", [ProviderFault("aider", "no such module")]).reason
    'no such module'
    """
    word = plugin.rpartition("/")[2]
    return next((fault for fault in faults if fault.name == word), None)


def runner_name(provider: str) -> str:
    """Return the name of the actor that performs a provider's imports."""
    return f"backfill:{provider}"


def enabled_providers(
    config: ConfigDocument, providers: Sequence[ProviderRef]
) -> Sequence[ProviderRef]:
    """Return the providers whose plugin the config names and does not disable."""
    entries = _entries(config)
    return [
        provider
        for provider in providers
        if provider.plugin in entries and entries[provider.plugin].enabled
    ]


def request_keys(providers: Sequence[ProviderRef]) -> Mapping[str, str]:
    """Return the request key of each provider by its name.

    That is the plugin's name, as in every marker file so far; of several providers of one plugin,
    all but the first by name get ``plugin/provider``.
    """
    keys: dict[str, str] = {}
    taken: set[str] = set()
    for provider in sorted(providers, key=lambda each: each.name):
        is_first = provider.plugin not in taken
        taken.add(provider.plugin)
        keys[provider.name] = provider.plugin if is_first else f"{provider.plugin}/{provider.name}"
    return keys


def backfill_argv(provider: str, since: str | None, until: str | None = None) -> list[str]:
    """Return what follows the program's own name on the command line of an import."""
    window = [] if since is None else ["--since", since]
    window += [] if until is None else ["--until", until]
    return ["backfill", provider, *window, "--json"]


def since_for(window_days: int | None, now: datetime) -> str | None:
    """Return where a window of days begins, None without one: then retention decides."""
    if window_days is None:
        return None
    reach_days = (now - _EPOCH).days  # a window may be any number; a date cannot be
    return iso_ms(now - timedelta(days=min(window_days, reach_days)))


def import_environ(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the environment of an import: the daemon's, with the home it booted from.

    What a service manager has told the daemon alone, an import must not answer to.
    """
    kept = {name: value for name, value in environ.items() if name not in _OF_THE_DAEMON_ALONE}
    return {**kept, "HYP_HOME": str(home)}


def _entries(config: ConfigDocument) -> Mapping[str, PluginEntry]:
    return {entry.name: entry for entry in reversed(config.plugins)}  # of two, the first counts
