"""``hyp leave``: take this machine out of its fleet; what was imported stays."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from hypactors.actions import read_markers
from hypactors.central import CENTRAL_PLUGIN, IdentityError, central_sinks, delete_identity
from hypactors.cli._membership import change_seed, why
from hypactors.cli._parser import Parser
from hypactors.config import RequestSink, resolve_layers
from hypactors.errors import HypError
from hypactors.files import remove
from hypactors.paths import HypHome
from hypactors.status import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hypactors.config import Layers

_ATTACH = "attach"


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Leave. Each step is tried even if one before it failed; then the exit code is 1."""
    Parser(
        prog="hyp leave",
        description="Take this machine out of its fleet. Imported history stays on the machine.",
        examples={"hyp leave": ""},
    ).parse_args(argv)
    return Leaving(HypHome.from_environ(environ), environ).run()


class Leaving:
    """The steps of a leave, and how many of them failed."""

    def __init__(self, home: HypHome, environ: Mapping[str, str]) -> None:
        self._home = home
        self._layers = resolve_layers(home, environ)
        self._failed = 0

    def run(self) -> int:
        attached = self._attached()
        identities = self._identities()
        is_member = self._has_residue() or any(path.exists() for path in identities)
        if not is_member and not attached:
            _print("this machine has not joined a server; nothing to leave")
            self._mention_local_sinks()
            return 0
        self._try("the config of the server", self._forget_config)
        for path in identities:
            self._try(f"the identity in {path}", partial(self._forget_identity, path))
        for name in attached:
            _print(f"left as it is: {clean(name)} was attached by another client; detach it there")
        self._mention_local_sinks()
        if self._failed:
            _complain("not everything could be done; 'hyp leave' can be run again")
            return 1
        _print("this machine has left its fleet; what was imported is still here")
        return 0

    def _has_residue(self) -> bool:
        """Say whether there is anything of a central layer, or that this cannot be told."""
        home = self._home
        try:
            names = {entry.name for entry in home.control_dir.iterdir()}
        except FileNotFoundError:
            return False
        except OSError:
            return True
        layer = {home.active_link, home.seed_file, home.slot_file("a"), home.slot_file("b")}
        return bool(names & {path.name for path in layer})

    def _attached(self) -> list[str]:
        """Return what another client has attached and would have to undo."""
        return list(read_markers(self._home).book.bucket(_ATTACH))

    def _identities(self) -> list[Path]:
        """Return the files that say who this machine is; the usual one is always among them."""
        central = self._layers.central
        sinks = central_sinks(central, self._home) if central else ()
        return list(dict.fromkeys([self._home.identity_file, *(s.identity_path for s in sinks)]))

    def _try(self, what: str, step: Callable[[], object]) -> None:
        try:
            step()
        except OSError as error:
            self._fail(f"{what} could not be removed: {why(error)}")
        except HypError as error:
            self._fail(f"{what} could not be removed: {error}")

    def _fail(self, text: str) -> None:
        self._failed += 1
        _complain(text)

    def _forget_config(self) -> None:
        change_seed(self._home, lambda: remove(self._home.seed_file))
        _print("removed the config of the server")

    def _forget_identity(self, path: Path) -> None:
        try:
            was_there = delete_identity(path, is_named_by_config=path != self._home.identity_file)
        except IdentityError as error:
            raise HypError(str(error)) from error
        if was_there:
            _print(f"removed the identity in {path}")

    def _mention_local_sinks(self) -> None:
        """Say that the person's own config still sends, as leave never edits it."""
        for name in _local_sinks(self._layers):
            _print(
                f"your own config {self._layers.local_path} has the central sink {clean(name)},"
                " which is yours to remove"
            )


def _local_sinks(layers: Layers) -> list[str]:
    sinks = layers.local.sinks if layers.local else {}
    return [
        name
        for name, sink in sinks.items()
        if isinstance(sink, RequestSink) and sink.plugin == CENTRAL_PLUGIN
    ]


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"hyp leave: {text}\n")
