"""The report for a terminal.

It works on the plain JSON of the report and loads nothing else: with a running daemon this is all
that ``hyp status`` needs. The daemon may be of another version than this program, so no
key is taken for granted. Every string may come from a file, a server or a child: it is cleaned
and clamped before it gets near a terminal (status 27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypactors.status._reading import object_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LABEL_LIMIT = 120
TEXT_LIMIT = 400


def render_text(report: Mapping[str, Any]) -> str:
    """Return the whole text, without a newline at its end."""
    lines = [
        "hypactors",
        f"  overall:  {_label(report.get('overall'))}",
        f"  config:   {_config(object_of(report, 'config'))}",
        f"  daemon:   {_daemon(object_of(report, 'daemon'), report)}",
        *_daemon_troubles(object_of(report, "daemon")),
        *_convergence(object_of(report, "convergence")),
        *_section("attention", _attention(rows_of(report, "attention"))),
        *_section("actors", map(_actor, rows_of(report, "actors"))),
        *_section("active plugins", _plugins(report)),
        "  sinks:",
        *_sinks(report),
        *_cache(object_of(report, "cache")),
        *_usage_policy(object_of(report, "usage_policy")),
        *_not_applied(object_of(report, "config_layers")),
        *_section("central server", _link(object_of(report, "link"))),
        *_section("forwarding", _forwarding(report)),
        *_section("remote config", _remote_config(object_of(report, "remote_config"))),
        *_section("client actions", render_actions(rows_of(report, "client_actions"))),
        *_section("diagnostics", _diagnostics(rows_of(report, "diagnostics"))),
    ]
    return "\n".join(lines)


def clean(value: object, limit: int = LABEL_LIMIT) -> str:
    """Return ``value`` as one short line that cannot do anything to a terminal.

    White space is folded; control characters, direction overrides, lone surrogates and the like
    are not printable and go.
    """
    folded = " ".join(str(value).split())
    text = "".join(char for char in folded if char.isprintable())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _label(value: object) -> str:
    return "unknown" if value is None else clean(value, LABEL_LIMIT)


def _section(title: str, lines: Iterable[str]) -> list[str]:
    """Return a titled section, or nothing at all when it has no line."""
    body = [f"    {line}" for line in lines]
    return [f"  {title}:", *body] if body else []


def _config(config: Mapping[str, Any]) -> str:
    if config.get("valid"):
        verdict = "ok"
    else:
        verdict = "not usable as it is" if config.get("exists") else "missing"
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


def _convergence(row: Mapping[str, Any]) -> list[str]:
    if not row or row.get("state") == "never_joined":
        return []  # a machine by itself looks as it always did
    text = _STANDINGS.get(str(row.get("state")), _label(row.get("state")))
    if row.get("until") is not None:
        text += f" until {_label(row['until'])}"
    facts = [
        f"{said} {_label(row[key])}"
        for key, said in (
            ("running_etag", "running"),
            ("served_etag", "served"),
            ("last_poll_at", "last good poll"),
        )
        if row.get(key) is not None
    ]
    return [f"  standing: {text}" + (f"  ({', '.join(facts)})" if facts else "")]


def _attention(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for row in rows:
        sign = "!" if row.get("severity") == "error" else "-"
        yield f"{sign} {clean(row.get('message'), TEXT_LIMIT)}"
        yield f"    {clean(row.get('command'), TEXT_LIMIT)}"


def _daemon(daemon: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    parts = ["installed", "loaded"] if daemon.get("loaded") else []
    if daemon.get("installed") and not parts:
        parts = ["installed", "not loaded"]
    parts.append("running" if daemon.get("running") else "not running")
    if daemon.get("running"):
        parts += [
            f"{key}={_label(daemon[key])}"
            for key in ("state", "pid", "mode")
            if daemon.get(key) is not None
        ]
    elif daemon.get("state") not in {None, "unknown"}:
        parts.append(f"last state={_label(daemon.get('state'))}")
    text = ", ".join(parts)
    if report.get("source") != "files":
        return text
    age = f" as of {_label(report['as_of'])}" if report.get("as_of") is not None else ""
    return f"{text} ({'does not answer: ' if daemon.get('running') else ''}read from files{age})"


def _daemon_troubles(daemon: Mapping[str, Any]) -> list[str]:
    warnings = daemon.get("warnings")
    texts = list(warnings) if isinstance(warnings, list) else []
    if daemon.get("error") is not None:
        texts.append(daemon["error"])
    return [f"    - {clean(text, TEXT_LIMIT)}" for text in texts]


def _actor(actor: Mapping[str, Any]) -> str:
    restarts = actor.get("restarts")
    noun = "restart" if restarts == 1 else "restarts"
    name, state = _label(actor.get("name")), _label(actor.get("state"))
    crash = f"  (last crash: {_label(actor['last_crash'])})" if actor.get("last_crash") else ""
    return f"- {name}  [{state}]  {_label(restarts)} {noun}{crash}"


def _plugins(report: Mapping[str, Any]) -> Iterable[str]:
    unsupported = report.get("unsupported") or []
    for plugin in rows_of(report, "active_plugins"):
        note = "  [not supported by this version]" if plugin.get("name") in unsupported else ""
        yield f"- {_label(plugin.get('name'))}{_tag(plugin)}{note}"


def _tag(row: Mapping[str, Any]) -> str:
    match row.get("provenance"):
        case "central":
            return "  [central · locked]"
        case "local":
            return "  [local]"
        case _:
            return ""


def _sinks(report: Mapping[str, Any]) -> list[str]:
    rows = [
        f"    - {_label(sink.get('instance'))}  ({_label(sink.get('plugin'))},"
        f" {_label(sink.get('kind'))}){_tag(sink)}"
        for sink in rows_of(report, "sinks")
    ]
    return rows or ["    (none: what is captured stays on this machine)"]


def _cache(cache: Mapping[str, Any]) -> list[str]:
    if not cache:
        return []
    days, source = _label(cache.get("retention_days")), _label(cache.get("retention_source"))
    return [
        f"  cache:           {clean(cache.get('dir'), TEXT_LIMIT)}",
        f"  cache retention: {days} days ({source})",
        f"  cache size:      {_label(cache.get('size_bytes'))} bytes",
    ]


def _usage_policy(policy: Mapping[str, Any]) -> list[str]:
    count = policy.get("local_only_dir_count")
    return (
        [f"  local-only:      {_label(count)} folders, of which nothing is sent"] if count else []
    )


def _not_applied(layers: Mapping[str, Any]) -> list[str]:
    lines = []
    for entry in rows_of(layers, "local_not_applied"):
        reason = _label(entry.get("reason")).replace("_", " ")
        detail = f": {_label(entry['detail'])}" if entry.get("detail") is not None else ""
        key = f"{_label(entry.get('section'))}.{_label(entry.get('key'))}"
        lines.append(f"- {key}  ({reason}{detail})")
    section = _section("local config (not applied)", lines)
    if layers.get("central_query_ignored"):
        section.append("  central query block: ignored (query settings are this machine's own)")
    return section


def _link(link: Mapping[str, Any]) -> Iterable[str]:
    if not link:
        return
    gateway = f", as {_label(link['gateway_id'])}" if link.get("gateway_id") is not None else ""
    yield f"{_label(link.get('url'))}{gateway}"
    if link.get("error") is not None:
        failures = link.get("failures")
        times = "once" if failures == 1 else f"{_label(failures)} times"
        yield f"last poll failed ({times}): {clean(link['error'], TEXT_LIMIT)}"
    if link.get("succeeded_at") is not None:
        yield f"last good poll {_label(link['succeeded_at'])}"
    elif link.get("polled_at") is None:
        yield "not polled yet"
    if link.get("next_poll_at") is not None:
        yield f"next poll {_label(link['next_poll_at'])}"


def _forwarding(report: Mapping[str, Any]) -> Iterable[str]:
    if hold := object_of(report, "first_sync_hold"):
        yield f"held until {_label(hold.get('deadline'))} ('hyp sync' shows what will leave)"
    for row in rows_of(report, "forwarding"):
        text = f"- {_label(row.get('sink'))}  [{_label(row.get('status'))}]"
        facts = [f"{_label(row.get('rows'))} rows sent", *_backlog(row)]
        if row.get("at") is not None:
            facts.append(f"at {_label(row['at'])}")
        if row.get("withheld"):
            facts.append(f"{_label(row['withheld'])} kept here as local-only")
        if row.get("set_aside"):
            facts.append(f"{_label(row['set_aside'])} refused by the server and set aside")
        if row.get("failures"):
            times = "once" if row["failures"] == 1 else f"{_label(row['failures'])} times"
            facts.append(f"failed {times}: {clean(row.get('error'), TEXT_LIMIT)}")
        yield f"{text}  ({', '.join(facts)})"


def _backlog(row: Mapping[str, Any]) -> Iterable[str]:
    """Say what waits; the daemon may be of a version that does not tell."""
    if "behind" in row:
        known = row["behind"] is not None
        yield f"{_label(row['behind'])} behind" if known else "how many wait is unknown just now"
    if row.get("held"):
        yield f"{_label(row['held'])} held (see 'hyp sync')"


def _remote_config(remote: Mapping[str, Any]) -> Iterable[str]:
    if remote.get("running_etag") is not None:
        yield f"running etag:  {_label(remote['running_etag'])}"
    if probation := object_of(remote, "probation"):
        etag, until = _label(probation.get("etag")), _label(probation.get("until"))
        yield f"probation:     {etag} until {until}"
    if rollback := object_of(remote, "last_rollback"):
        etag, at = _label(rollback.get("etag")), _label(rollback.get("at"))
        yield f"last rollback: {etag} at {at} ({_label(rollback.get('reason'))})"
    if bad := object_of(remote, "bad_etag"):
        yield f"bad etag:      {_label(bad.get('etag'))} ({_label(bad.get('reason'))})"


def render_actions(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Yield a line an action, in columns."""
    names = [f"{_label(row.get('kind'))} {_label(row.get('request_key'))}" for row in rows]
    states = [f"[{_label(row.get('state'))}]" for row in rows]
    name_width = max(map(len, names), default=0)
    state_width = max(map(len, states), default=0)
    for row, name, state in zip(rows, names, states, strict=True):
        line = f"- {name:<{name_width}}  {state:<{state_width}}"
        facts = ", ".join(_facts(row))
        if facts:
            line += f"  ({facts})"
        if row.get("state") == "refused":
            line += f"  {_hint(row)}"
        yield line.rstrip()


def _facts(row: Mapping[str, Any]) -> Iterable[str]:
    """Yield what is worth saying about a unit, in the order in which it is said."""
    yield from _reach(row)
    if row.get("rows") is not None:
        yield f"{_label(row['rows'])} rows"
    if row.get("reason"):
        yield clean(row["reason"], TEXT_LIMIT)
    if row.get("at") is not None and row.get("state") != "refused":
        yield f"at {_label(row['at'])}"
    if row.get("last_attempt") is not None:
        yield f"last attempt {_label(row['last_attempt'])}"
    if row.get("attempts") is not None:
        yield f"{_label(row['attempts'])} attempt{'' if row['attempts'] == 1 else 's'}"
    if row.get("waits_for") is not None:
        yield f"waits for {_label(row['waits_for'])}"
    elif row.get("next_attempt_at") is not None:
        yield f"next attempt {_label(row['next_attempt_at'])}"
    if row.get("state") == "running":
        yield from _run(row)


def _reach(row: Mapping[str, Any]) -> Iterable[str]:
    if row.get("covered_days") is not None:
        policy = f"{_label(row.get('policy_days'))} d" if row.get("policy_days") else "all there is"
        yield f"{_label(row['covered_days'])} d; policy now {policy}"


def _run(row: Mapping[str, Any]) -> Iterable[str]:
    if row.get("started_at") is not None:
        yield f"since {_label(row['started_at'])}"
    if row.get("pid") is not None:
        yield f"pid {_label(row['pid'])}"
    if isinstance(row.get("progress"), dict):
        yield from _progress(row["progress"])


def _progress(progress: Mapping[str, Any]) -> Iterable[str]:
    done, total = progress.get("bytes_done"), progress.get("bytes_total")
    if isinstance(done, int) and isinstance(total, int) and total > 0:
        yield f"{min(100, 100 * done // total)} %"
    yield f"{_label(progress.get('files_done'))} of {_label(progress.get('files_total'))} files"
    yield f"{_label(progress.get('rows_written'))} rows"
    if progress.get("eta_s") is not None:
        yield f"{_label(progress['eta_s'])} s left"


def _hint(row: Mapping[str, Any]) -> str:
    if row.get("kind") == "attach":
        return f"run 'hyp client attach {_label(row.get('request_key'))}' after fixing the cause"
    return "not tried again until the cause is fixed"


def _diagnostics(rows: list[Mapping[str, Any]]) -> Iterable[str]:
    for row in rows:
        severity = "ERROR" if row.get("severity") == "error" else "WARN "
        message = clean(row.get("message"), TEXT_LIMIT)
        yield f"[{severity}] {_label(row.get('kind'))}: {message}"
        repairs = row.get("repair")
        for repair in repairs if isinstance(repairs, list) else []:
            yield f"    repair: {clean(repair, TEXT_LIMIT)}"
