"""``hyp``: finds the command and lets its module do the work.

Nothing is imported before it is known to be needed: ``hyp --version`` and ``hyp status`` are run
by prompts and scripts, many times a minute.
"""

from __future__ import annotations

import importlib
import os
import sys

USAGE = """\
usage: hyp <command> [options]

commands:
  daemon      run the daemon, stop it, or ask how it is
  status      what this machine imports, and how far it is
  backfill    import the history of coding agents by hand
  actions     what the config has this machine do, why, and once more
  completion  completion of these words in bash, zsh and fish
  doctor      what may be wrong with this machine, and repair some of it
  query       ask the local cache: an overview, or SQL
  report      one HTML page of what the agents did, to look at offline
  logs        what the daemon and its children logged
  config      show the config that is in force, or check a document
  metrics     what the daemon does, as Prometheus reads it
  join        enrol this machine with a central server
  leave       take this machine out of its fleet
  sync        what would leave this machine for the server, and let it go
  maintain    remove old rows from the cache and merge small files, by hand
  forward     send new rows to the server once, by hand
  central     run a central server of your own, and administer it

  hyp                      where this machine stands, and what to type next
  hyp --version            print the version
  hyp <command> --help     what a command takes

examples:
  hyp backfill claude codex     import the history of this machine
  hyp query overview            what your agents did: tokens, sessions, tools
  hyp doctor                    what may be wrong, and what to type
"""

COMMANDS = (
    "actions",
    "backfill",
    "central",
    "completion",
    "config",
    "daemon",
    "doctor",
    "forward",
    "join",
    "leave",
    "logs",
    "maintain",
    "metrics",
    "query",
    "report",
    "status",
    "sync",
)


def main() -> int:
    """Run the command line of this process and return its exit code (contract §4)."""
    argv = sys.argv[1:]
    try:
        code = run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return code


def run(argv: list[str]) -> int:
    command, arguments = (argv[0], argv[1:]) if argv else ("", [])
    if command in COMMANDS:
        return _run_command(command, arguments)
    if command == "--version":
        from hypactors import __version__

        sys.stdout.write(f"hypactors {__version__}\n")
        return 0
    if command in {"--help", "-h", "help"}:
        sys.stdout.write(USAGE)
        return 0
    if not command:
        return _say_where_it_stands()
    from hypactors.cli._suggestion import no_such

    what = "option" if command.startswith("-") else "command"
    known = (*COMMANDS, "--help", "--version")
    sys.stderr.write(f"hyp: {no_such(what, command, known, of='hyp')}\n")
    return 2


def _say_where_it_stands() -> int:
    from hypactors.cli._standing import standing
    from hypactors.cli.status import report_of
    from hypactors.paths import HypHome

    report = report_of(HypHome.from_environ(os.environ), os.environ)
    sys.stdout.write("\n".join(standing(report)) + "\n")
    return 0


def _run_command(command: str, arguments: list[str]) -> int:
    from hypactors.errors import HypError, UsageError

    try:
        module = importlib.import_module(f"hypactors.cli.{command}")
        code: int = module.main(arguments, os.environ)
    except UsageError as error:
        sys.stderr.write(f"hyp {command}: {error}\n")
        return 2
    except HypError as error:
        sys.stderr.write(f"hyp {command}: {error}\n")
        return 1
    return code
