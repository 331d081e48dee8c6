"""The command line of ``hyp backfill`` (import §10)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hypactors.cli._suggestion import no_such
from hypactors.errors import UsageError
from hypactors.providers import parse_time_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

Command = Literal["run", "list", "plan"]
USAGES: dict[Command, str] = {
    "run": """\
usage: hyp backfill [provider...] [options]
       hyp backfill list [--json]
       hyp backfill plan [provider...] [--retention-days <n>] [--json]

Import the history of these providers, or of those whose plugins are enabled.

commands:
  list    the providers there are
  plan    what would be read, and how much of it

  --since <iso>           nothing from before this date
  --until <iso>           nothing from after this date
  --retention-days <n>    nothing older than so many days; 0 keeps all
  --dry-run               read, and import nothing
  --no-wait               exit with 6 when another import of the provider runs
  --json                  print what was done as JSON

examples:
  hyp backfill claude codex
  hyp backfill claude --since 2026-01-01 --dry-run""",
    "list": """\
usage: hyp backfill list [--json]

The providers there are, and the plugins that they belong to.

  --json    print them as JSON

examples:
  hyp backfill list""",
    "plan": """\
usage: hyp backfill plan [provider...] [--retention-days <n>] [--json]

What an import would read, and how much of it.

  --retention-days <n>    nothing older than so many days; 0 keeps all
  --json                  print it as JSON

examples:
  hyp backfill plan claude
  hyp backfill plan --retention-days 30""",
}
"""Of each command. They are told as an error is (import 2)."""

_SWITCHES = frozenset({"--dry-run", "--json", "--no-wait"})
_VALUED = frozenset({"--since", "--until", "--retention-days"})
_ACCEPTED: dict[Command, frozenset[str]] = {
    "run": _SWITCHES | _VALUED,
    "list": frozenset({"--json"}),
    "plan": frozenset({"--json", "--retention-days"}),
}
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    command: Command = "run"
    providers: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    retention_days: float | None = None
    dry_run: bool = False
    json: bool = False
    no_wait: bool = False


def parse_options(argv: Sequence[str]) -> Options:
    """Read the arguments after ``hyp backfill``. Raises ``UsageError`` with the reason."""
    flags, words = _split(argv)
    command: Command = "run"
    if words and words[0] == "list":
        command = "list"
    elif words and words[0] == "plan":
        command = "plan"
    if "--help" in flags:
        raise UsageError(USAGES[command])
    providers = words if command == "run" else words[1:]
    if command == "list" and providers:
        raise UsageError("list takes no provider names")
    for flag in flags:
        if flag not in _ACCEPTED[command]:
            raise UsageError(f"{command} does not take {flag}")
    since, until = flags.get("--since"), flags.get("--until")
    since_ms, until_ms = _date("--since", since), _date("--until", until)
    if since_ms is not None and until_ms is not None and since_ms > until_ms:
        raise UsageError(
            f"--since must be before or equal to --until (got {_shown(since)} > {_shown(until)})"
        )
    return Options(
        command=command,
        providers=tuple(providers),
        since_ms=since_ms,
        until_ms=until_ms,
        retention_days=_days(flags.get("--retention-days")),
        dry_run="--dry-run" in flags,
        json="--json" in flags,
        no_wait="--no-wait" in flags,
    )


def _split(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Tell flags with their values from the other words; the last of equal flags counts."""
    flags: dict[str, str] = {}
    words: list[str] = []
    rest = iter(argv)
    for word in rest:
        if not word.startswith("-"):
            words.append(word)
            continue
        name, equals, value = ("--help" if word == "-h" else word).partition("=")
        if name in _SWITCHES or name == "--help":
            if equals:
                raise UsageError(f"{name} takes no value")
        elif name not in _VALUED:
            known = sorted(_SWITCHES | _VALUED)
            raise UsageError(no_such("option", name, known, of="hyp backfill"))
        elif not equals:
            value = next(rest, "")
            # A number may be negative: that is a wrong value, not a missing one.
            if not value or value.startswith("--"):
                raise UsageError(f"{name} expects a value")
        flags[name] = value
    return flags, words


def _date(flag: str, text: str | None) -> int | None:
    if text is None:
        return None
    moment = parse_time_ms(text)
    if moment is None:
        raise UsageError(f"{flag} expects a parseable date (got {_shown(text)})")
    return moment


def _days(text: str | None) -> float | None:
    if text is None:
        return None
    days = float(text) if _NUMBER.fullmatch(text) else float("inf")
    if days == float("inf"):
        raise UsageError(f"--retention-days expects a non-negative number (got {_shown(text)})")
    return days


def _shown(text: str | None) -> str:
    """Return what was typed so that it stays on one line."""
    return "".join(char if char.isprintable() else "?" for char in text or "")
