"""The report for a terminal.

It works on the plain JSON of the report and loads nothing else: with a running daemon this is all
that ``hyp status`` needs. The daemon may be of another version than this program, so no
key is taken for granted. Every string may come from a file, a server or a child: it is cleaned
and clamped before it gets near a terminal (status 27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypactors.status._reading import object_of, rows_of
from hypactors.status._render_actions import render_actions
from hypactors.status._text import TEXT_LIMIT, aside, clean, in_state, label, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hypactors.status._text import Styled


def render_text(report: Mapping[str, Any], styled: Styled = plain) -> str:
    """Return the whole text, without a newline at its end.

    ``styled`` is given a text and the name of a style.
    """

    def section(title: str, lines: Iterable[str]) -> list[str]:
        """Return a titled section, or nothing at all when it has no line."""
        body = [f"    {line}" for line in lines]
        return [styled(f"  {title}:", "bold"), *body] if body else []

    overall = report.get("overall")
    daemon = object_of(report, "daemon")
    lines = [
        styled("hypactors", "bold"),
        f"  overall:  {in_state(label(overall), overall, styled)}",
        f"  config:   {_config(object_of(report, 'config'), styled)}",
        f"  daemon:   {_daemon(daemon, report, styled)}",
        *_daemon_troubles(daemon, styled),
        *_convergence(object_of(report, "convergence"), styled),
        *section("attention", _attention(rows_of(report, "attention"), styled)),
        *section("actors", (_actor(row, styled) for row in rows_of(report, "actors"))),
        *section("active plugins", _plugins(report, styled)),
        *section("sinks", _sinks(report, styled)),
        *_cache(object_of(report, "cache")),
        *_usage_policy(object_of(report, "usage_policy")),
        *_not_applied(object_of(report, "config_layers"), section, styled),
        *section("central server", _link(object_of(report, "link"), styled)),
        *section("forwarding", _forwarding(report, styled)),
        *section("remote config", _remote_config(object_of(report, "remote_config"))),
        *section("client actions", render_actions(rows_of(report, "client_actions"), styled)),
        *section("diagnostics", _diagnostics(rows_of(report, "diagnostics"), styled)),
    ]
    return "\n".join(lines)


def _config(config: Mapping[str, Any], styled: Styled) -> str:
    if config.get("valid"):
        verdict = styled("ok", "green")
    else:
        verdict = styled("not usable as it is" if config.get("exists") else "missing", "red")
    return f"{clean(config.get('path'), TEXT_LIMIT)} ({verdict})"


_STANDINGS = {
    "never_joined": "never joined",
    "seed": "joined, no config served yet",
    "applying": "applying",
    "on_trial": "on trial",
    "converged": "converged",
    "rolled_back": "rolled back",
    "stale_poll": "stale poll",
}


def _convergence(row: Mapping[str, Any], styled: Styled) -> list[str]:
    if not row or row.get("state") == "never_joined":
        return []  # a machine by itself looks as it always did
    state = row.get("state")
    text = _STANDINGS.get(str(state), label(state))
    if row.get("until") is not None:
        text += f" until {label(row['until'])}"
    facts = [
        f"{said} {label(row[key])}"
        for key, said in (
            ("running_etag", "running"),
            ("served_etag", "served"),
            ("confirmed_at", "confirmed at"),
            ("last_poll_at", "last good poll"),
        )
        if row.get(key) is not None
    ]
    more = f"  {aside(facts, styled)}" if facts else ""
    return [f"  standing: {in_state(text, state, styled)}{more}"]


def _attention(rows: Sequence[Mapping[str, Any]], styled: Styled) -> Iterable[str]:
    for row in rows:
        sign, style = ("!", "red") if row.get("severity") == "error" else ("-", "yellow")
        yield styled(f"{sign} {clean(row.get('message'), TEXT_LIMIT)}", style)
        yield f"    {clean(row.get('command'), TEXT_LIMIT)}"


def _daemon(daemon: Mapping[str, Any], report: Mapping[str, Any], styled: Styled) -> str:
    parts = ["installed", "loaded"] if daemon.get("loaded") else []
    if daemon.get("installed") and not parts:
        parts = ["installed", "not loaded"]
    if daemon.get("running"):
        parts.append(styled("running", "green"))
        parts += [
            in_state(f"{key}={label(daemon[key])}", daemon[key], styled)
            for key in ("state", "pid", "mode")
            if daemon.get(key) is not None
        ]
    else:
        parts.append(styled("not running", "yellow"))
        if daemon.get("state") not in (None, "unknown"):
            parts.append(f"last state={label(daemon.get('state'))}")
    text = ", ".join(parts)
    if report.get("source") != "files":
        return text
    age = f" as of {label(report['as_of'])}" if report.get("as_of") is not None else ""
    if daemon.get("running"):
        return f"{text} ({styled('does not answer', 'red')}: read from files{age})"
    return f"{text} (read from files{age})"


def _daemon_troubles(daemon: Mapping[str, Any], styled: Styled) -> list[str]:
    warnings = daemon.get("warnings")
    texts = list(warnings) if isinstance(warnings, list) else []
    if daemon.get("error") is not None:
        texts.append(daemon["error"])
    return [styled(f"    - {clean(text, TEXT_LIMIT)}", "yellow") for text in texts]


def _actor(actor: Mapping[str, Any], styled: Styled) -> str:
    restarts = actor.get("restarts")
    noun = "restart" if restarts == 1 else "restarts"
    state = in_state(f"[{label(actor.get('state'))}]", actor.get("state"), styled)
    crash = f"  (last crash: {label(actor['last_crash'])})" if actor.get("last_crash") else ""
    about = styled(f"{label(restarts)} {noun}", "yellow" if restarts else "dim")
    return f"- {label(actor.get('name'))}  {state}  {about}{crash}"


def _plugins(report: Mapping[str, Any], styled: Styled) -> Iterable[str]:
    unsupported = report.get("unsupported")
    names = unsupported if isinstance(unsupported, list) else []
    for plugin in rows_of(report, "active_plugins"):
        name = plugin.get("name")
        note = f"  {styled('[not supported by this version]', 'yellow')}" if name in names else ""
        yield f"- {label(name)}{_tag(plugin, styled)}{note}"


def _tag(row: Mapping[str, Any], styled: Styled) -> str:
    match row.get("provenance"):
        case "central":
            return f"  {styled('[central · locked]', 'dim')}"
        case "local":
            return f"  {styled('[local]', 'dim')}"
        case _:
            return ""


def _sinks(report: Mapping[str, Any], styled: Styled) -> list[str]:
    rows = [
        f"- {label(sink.get('instance'))}  ({label(sink.get('plugin'))},"
        f" {label(sink.get('kind'))}){_tag(sink, styled)}"
        for sink in rows_of(report, "sinks")
    ]
    if rows:
        return rows
    is_kept = not object_of(report, "cache").get("catalog")
    return [f"(none{': what is captured stays on this machine' if is_kept else ''})"]


def _cache(cache: Mapping[str, Any]) -> list[str]:
    if not cache:
        return []
    days, source = label(cache.get("retention_days")), label(cache.get("retention_source"))
    retention = f"  cache retention: {days} days ({source})"
    if cache.get("catalog"):
        place = f"the catalogue {clean(cache.get('catalog'), TEXT_LIMIT)}, which others share"
        return [f"  cache:           {place}", retention]
    return [
        f"  cache:           {clean(cache.get('dir'), TEXT_LIMIT)}",
        retention,
        f"  cache size:      {label(cache.get('size_bytes'))} bytes",
    ]


def _usage_policy(policy: Mapping[str, Any]) -> list[str]:
    count = policy.get("local_only_dir_count")
    return [f"  local-only:      {label(count)} folders, of which nothing is sent"] if count else []


def _not_applied(
    layers: Mapping[str, Any], section: Callable[[str, Iterable[str]], list[str]], styled: Styled
) -> list[str]:
    lines = []
    for entry in rows_of(layers, "local_not_applied"):
        reason = label(entry.get("reason")).replace("_", " ")
        detail = f": {label(entry['detail'])}" if entry.get("detail") is not None else ""
        key = f"{label(entry.get('section'))}.{label(entry.get('key'))}"
        lines.append(f"- {key}  {styled(f'({reason}{detail})', 'dim')}")
    shown = section("local config (not applied)", lines)
    if layers.get("central_query_ignored"):
        shown.append("  central query block: ignored (query settings are this machine's own)")
    return shown


def _link(link: Mapping[str, Any], styled: Styled) -> Iterable[str]:
    if not link:
        return
    gateway = f", as {label(link['gateway_id'])}" if link.get("gateway_id") is not None else ""
    yield f"{label(link.get('url'))}{gateway}"
    if link.get("error") is not None:
        failures = link.get("failures")
        times = "once" if failures == 1 else f"{label(failures)} times"
        text = f"last poll failed ({times}): {clean(link['error'], TEXT_LIMIT)}"
        yield styled(text, "yellow")
    if link.get("succeeded_at") is not None:
        yield f"last good poll {label(link['succeeded_at'])}"
    elif link.get("polled_at") is None:
        yield "not polled yet"
    if link.get("next_poll_at") is not None:
        yield f"next poll {label(link['next_poll_at'])}"


def _forwarding(report: Mapping[str, Any], styled: Styled) -> Iterable[str]:
    if hold := object_of(report, "first_sync_hold"):
        yield f"held until {label(hold.get('deadline'))} ('hyp sync' shows what will leave)"
    for row in rows_of(report, "forwarding"):
        status = in_state(f"[{label(row.get('status'))}]", row.get("status"), styled)
        facts = [f"{label(row.get('rows'))} rows sent", *_backlog(row)]
        if row.get("at") is not None:
            facts.append(f"at {label(row['at'])}")
        if row.get("withheld"):
            facts.append(f"{label(row['withheld'])} kept here as local-only")
        if row.get("set_aside"):
            facts.append(f"{label(row['set_aside'])} refused by the server and set aside")
        if row.get("failures"):
            times = "once" if row["failures"] == 1 else f"{label(row['failures'])} times"
            facts.append(f"failed {times}: {clean(row.get('error'), TEXT_LIMIT)}")
        told = aside(facts, plain if row.get("failures") else styled)
        yield f"- {label(row.get('sink'))}  {status}  {told}"


def _backlog(row: Mapping[str, Any]) -> Iterable[str]:
    """Say what waits; the daemon may be of a version that does not tell."""
    if "behind" in row:
        known = row["behind"] is not None
        yield f"{label(row['behind'])} behind" if known else "how many wait is unknown just now"
    if row.get("held"):
        yield f"{label(row['held'])} held for 'hyp sync'"


def _remote_config(remote: Mapping[str, Any]) -> Iterable[str]:
    if remote.get("running_etag") is not None:
        yield f"running etag:  {label(remote['running_etag'])}"
    if probation := object_of(remote, "probation"):
        etag, until = label(probation.get("etag")), label(probation.get("until"))
        yield f"probation:     {etag} until {until}"
    if rollback := object_of(remote, "last_rollback"):
        etag, at = label(rollback.get("etag")), label(rollback.get("at"))
        yield f"last rollback: {etag} at {at} ({label(rollback.get('reason'))})"
    if bad := object_of(remote, "bad_etag"):
        yield f"bad etag:      {label(bad.get('etag'))} ({label(bad.get('reason'))})"


def _diagnostics(rows: Sequence[Mapping[str, Any]], styled: Styled) -> Iterable[str]:
    for row in rows:
        is_error = row.get("severity") == "error"
        severity = styled("[ERROR]", "red") if is_error else styled("[WARN ]", "yellow")
        message = clean(row.get("message"), TEXT_LIMIT)
        yield f"{severity} {label(row.get('kind'))}: {message}"
        repairs = row.get("repair")
        for repair in repairs if isinstance(repairs, list) else []:
            yield styled(f"    repair: {clean(repair, TEXT_LIMIT)}", "dim")
