"""The real daemon, with a pipe through which the soak can hurt its actors.

``crash NAME`` lets an actor die of a message, ``flood NAME`` fills its mailbox, ``stage N`` serves
another config and then a poll that confirms it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from functools import partial
from pathlib import Path

from hypactors.actors import Daemon
from hypactors.actors._names import CONFIG_CONTROL
from hypactors.cli._providers import provider_refs
from hypactors.clock import SystemClock
from hypactors.config import ApplyChecks, check_pins, validate_document
from hypactors.messages import PollSucceeded, ReconcileRequested, StageConfig
from hypactors.paths import HypHome
from hypactors.providers import scan_providers
from hypactors.service import Notifier
from hypactors.settings import load_settings

FLOOD = 20_000


def main() -> int:
    home = HypHome.from_environ(os.environ)
    installed = scan_providers()
    loaded = load_settings(home, os.environ)
    assert loaded.settings.import_command is not None
    daemon = Daemon(
        home=home,
        environ=os.environ,
        loaded=loaded,
        providers=provider_refs(installed.providers),
        faults=(),
        import_command=loaded.settings.import_command,
        clock=SystemClock(),
        checks=ApplyChecks(
            install=partial(check_pins, plugins=installed.plugins.catalogue),
            validate=partial(
                validate_document,
                plugins=installed.plugins.catalogue,
                sections=installed.plugins.sections,
            ),
        ),
        once=None,
        exit_on_apply=False,
        notifier=Notifier(),
        stdout=sys.stdout,
        stderr=sys.stderr,
    )
    threading.Thread(target=listen, args=(daemon, home), name="chaos", daemon=True).start()
    return daemon.run()


def listen(daemon: Daemon, home: HypHome) -> None:
    while True:
        for line in Path(os.environ["SOAK_PIPE"]).read_text().splitlines():
            verb, _, rest = line.partition(" ")
            tell = daemon._system.directory.tell
            match verb:
                case "crash":
                    tell(rest, object())
                case "flood":
                    for _ in range(FLOOD):
                        tell(rest, ReconcileRequested("flood", is_edge=False))
                case "stage":
                    tell(CONFIG_CONTROL, StageConfig(document(home, int(rest)), f"rev-{rest}"))
                    tell(CONFIG_CONTROL, PollSucceeded())


def document(home: HypHome, revision: int) -> bytes:
    """Return the config that was there at first, with another window."""
    first = json.loads((home.root / "first-config.json").read_bytes())
    for plugin in first["plugins"]:
        plugin["config"] = {"backfill": {"on_join": True, "window_days": 1000 + revision}}
    return json.dumps(first).encode()


if __name__ == "__main__":
    sys.exit(main())
