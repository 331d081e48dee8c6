"""``hyp backfill``: import the history that clients keep on this machine (import §10)."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.cli._import_log import ImportLog
from hypactors.cli._import_options import parse_options
from hypactors.cli._import_run import ImportRun
from hypactors.cli._progress_bar import shown_progress
from hypactors.cli._stop_signals import Interrupted, StopSignals
from hypactors.clock import SystemClock
from hypactors.config import lake_of, resolve_layers, retention_days
from hypactors.errors import ConfigError, HypError, ImportBusyError, UsageError
from hypactors.importing import Surroundings, reason_of
from hypactors.paths import HypHome
from hypactors.processes import RUN_DIR_VARIABLE, ImportSummary, RunFolder
from hypactors.providers import Findings, ScanContext, Window, find_providers, iso_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hypactors.cli._import_options import Options
    from hypactors.cli._import_run import ProviderResult
    from hypactors.config import Layers, PluginEntry
    from hypactors.providers import Provider

_DATASET = "ai_gateway_messages"
_DAY_MS = 86_400_000


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one ``hyp backfill`` command and return its exit code (contract §4).

    stdout gets the result and nothing else; 143 and 130 say that a signal ended the import after
    its current commit.
    """
    try:
        options = parse_options(argv)
        providers = find_providers()
        if options.command == "list":
            _print_list(providers, as_json=options.json)
            return 0
        return _run_or_plan(options, providers, environ)
    except Interrupted as interruption:
        _complain(
            f"interrupted by {interruption.signal_name}: what is committed stays, "
            "and the next run adds the rest"
        )
        return interruption.exit_code
    except UsageError as error:
        _complain(str(error))
        return 2
    except ImportBusyError as error:
        _complain(str(error))
        return 6
    except HypError as error:
        _complain(str(error))
        return 1


def select_providers(
    requested: Sequence[str], available: Sequence[Provider], plugins: Iterable[PluginEntry]
) -> tuple[list[Provider], list[str]]:
    """Return the providers to run, and the names that nobody knows.

    With names the config is not asked; without, a provider runs when its plugin is enabled.
    """
    if requested:
        by_name = {provider.name: provider for provider in available}
        known = [by_name[name] for name in requested if name in by_name]
        return known, [name for name in requested if name not in by_name]
    enabled = {plugin.name for plugin in plugins if plugin.enabled}
    return [provider for provider in available if provider.plugin in enabled], []


def _run_or_plan(
    options: Options, providers: Sequence[Provider], environ: Mapping[str, str]
) -> int:
    home = HypHome.from_environ(environ)
    layers = resolve_layers(home, environ, contributed=(each.plugin for each in providers))
    _judge_layers(layers, is_needed=not options.providers)
    plugins = layers.effective.plugins if layers.effective else ()
    selected, unknown = select_providers(options.providers, providers, plugins)
    if unknown:
        _complain(f"unknown provider(s): {', '.join(unknown)}")
        return 1
    # The query section is the machine's own (config-control §1.4).
    days = options.retention_days
    if days is None:
        days = retention_days(layers.local, _DATASET)
    run_id = environ.get("HYP_RUN_ID") or environ.get("DEV_RUN_ID") or f"bf-{uuid.uuid4()}"
    if not selected and options.command != "plan":
        _print_nothing(run_id, providers, as_json=options.json)
        return 0

    clock = SystemClock()
    now_ms = int(clock.now().timestamp() * 1000)
    since_ms = options.since_ms
    if since_ms is None and days > 0:
        since_ms = now_ms - int(days * _DAY_MS)
    window = Window(since_ms, options.until_ms)
    enabled = {plugin.name for plugin in plugins if plugin.enabled}
    if options.command == "plan":
        context = ScanContext(window, environ, home, enabled.__contains__, Findings())
        plans = [_plan_of(provider, context) for provider in selected]
        _print_plans(run_id, selected, plans, days, as_json=options.json)
        return 0
    with StopSignals() as stop:
        log = ImportLog(environ, clock, run_id=run_id)
        around = Surroundings(
            run_id=run_id,
            home=home,
            lake=lake_of(home, layers.local),
            environ=environ,
            window=window,
            is_configured=enabled.__contains__,
            now_ms=now_ms,
            log=log,
            shield=stop.shield,
        )
        with shown_progress(environ, is_quiet=options.dry_run) as show:
            run = ImportRun(
                around,
                log=log,
                clock=clock,
                show=show,
                dry_run=options.dry_run,
                no_wait=options.no_wait,
            )
            results = [run.provider(provider) for provider in selected]
        _leave_summary(around, options, results)
    _print_results(run_id, results, options)
    return 1 if any(result.error is not None for result in results) else 0


def _leave_summary(
    around: Surroundings, options: Options, results: Sequence[ProviderResult]
) -> None:
    """Tell a daemon that waits for this import what it has covered."""
    folder = around.environ.get(RUN_DIR_VARIABLE)
    if not folder or options.dry_run or any(result.error is not None for result in results):
        return
    until_ms = around.now_ms if around.window.until_ms is None else around.window.until_ms
    since_ms = around.window.since_ms
    summary = ImportSummary(
        files=sum(result.files for result in results),
        cache_id=next((result.cache_id for result in results if result.cache_id), None),
        since=None if since_ms is None else iso_of(since_ms),
        until=iso_of(until_ms),
    )
    try:
        RunFolder(Path(folder)).write_imported(summary)
    except OSError as error:  # the rows are in, which is what counts
        around.log.event("import_summary_not_written", level="warning", detail=str(error))


def _judge_layers(layers: Layers, *, is_needed: bool) -> None:
    """Say what is wrong with the config; go on without it where names were given."""
    for problem in layers.problems:
        if layers.effective is None and is_needed:
            raise ConfigError(problem.message)
        _complain(f"{problem.message} (going on without it)")


def _print_list(providers: Sequence[Provider], *, as_json: bool) -> None:
    if as_json:
        _print_json(
            {
                "providers": [
                    {
                        "name": provider.name,
                        "plugin": provider.plugin,
                        "datasets": list(provider.datasets),
                        "summary": provider.summary,
                    }
                    for provider in providers
                ]
            }
        )
        return
    lines = ["Backfill providers:"]
    for provider in providers:
        lines.append(f"  {provider.name}  ({provider.plugin})  -> {', '.join(provider.datasets)}")
        lines.append(f"    {provider.summary}")
    _print_lines(lines)


def _plan_of(provider: Provider, context: ScanContext) -> Mapping[str, Any] | None:
    """Return what the provider says it would do, None when it says nothing."""
    plan = getattr(provider, "plan", None)
    if plan is None:
        return None
    try:
        return dict(plan(context))
    # Another package's code; a plan is worth no more than a line.
    except Exception as error:  # noqa: BLE001
        _complain(f"{provider.name} could not plan: {reason_of(error)}")
        return None


def _print_plans(
    run_id: str,
    selected: Sequence[Provider],
    plans: Sequence[Mapping[str, Any] | None],
    days: float,
    *,
    as_json: bool,
) -> None:
    if as_json:
        described = [
            _described(provider) | ({} if plan is None else {"plan": plan})
            for provider, plan in zip(selected, plans, strict=True)
        ]
        _print_json({"run_id": run_id, "providers": described})
        return
    lines = [f"backfill plan (retention={days:g}d)"]
    for provider, plan in zip(selected, plans, strict=True):
        lines.append(f"  {provider.name}  ({provider.plugin})  -> {', '.join(provider.datasets)}")
        told = "(provider did not return a plan)" if plan is None else _json_text(plan)
        lines.append(f"    {told}")
    _print_lines(lines if selected else [*lines, "  (no providers selected)"])


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _print_nothing(run_id: str, providers: Sequence[Provider], *, as_json: bool) -> None:
    if as_json:
        _print_json({"run_id": run_id, "providers": []})
    elif providers:
        names = ", ".join(provider.name for provider in providers)
        _print_lines(
            [f"nothing to import: no provider is enabled in the config (registered: {names})"]
        )
    else:
        _print_lines(["nothing to import: no provider is registered"])


def _print_results(run_id: str, results: Sequence[ProviderResult], options: Options) -> None:
    if options.json:
        _print_json(
            {
                "run_id": run_id,
                "dry_run": options.dry_run,
                "providers": [result.as_json() for result in results],
            }
        )
        return
    lines = [f"backfill {'(dry-run) ' if options.dry_run else ''}run_id={run_id}"]
    for result in results:
        lines.append(f"  {result.provider}  [{result.status}]")
        lines.append(
            f"    items_seen={result.items_seen}  sessions={result.sessions_seen}  "
            f"rows_written={result.rows_written}  rows_skipped={result.rows_skipped}"
        )
        if result.error is not None:
            lines.append(f"    error: {result.error}")
    _print_lines(lines)


def _described(provider: Provider) -> dict[str, Any]:
    return {
        "provider": provider.name,
        "plugin": provider.plugin,
        "datasets": list(provider.datasets),
    }


def _print_json(document: Any) -> None:
    _print_lines([json.dumps(document, indent=2, ensure_ascii=False)])


def _print_lines(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(f"hyp backfill: {text}\n")
    sys.stderr.flush()
