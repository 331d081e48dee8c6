"""The two config layers of a machine, and what they come to together.

The central layer is the server's and locked; the local one is the user's and may only add.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from hypactors.config._catalogue import CataloguePlugin, join_catalogue
from hypactors.config._control import active_slot, read_control_state, slot_etag
from hypactors.config._document import DocumentError, DocumentErrorKind
from hypactors.config._merge import merge_layers
from hypactors.config._shape import parse_document
from hypactors.errors import ConfigError
from hypactors.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hypactors.config._document import ConfigDocument
    from hypactors.config._merge import DroppedEntry
    from hypactors.config._state import ControlState, Slot
    from hypactors.paths import HypHome

LayerName = Literal["central", "local"]
ProblemKind = Literal["config_missing", "config_unreadable"] | DocumentErrorKind
Severity = Literal["error", "warning"]


class CentralSource(enum.StrEnum):
    """Which file the central layer comes from."""

    SLOT_A = "slot_a"
    SLOT_B = "slot_b"
    SEED = "seed"


_SOURCES: Mapping[Slot, CentralSource] = {"a": CentralSource.SLOT_A, "b": CentralSource.SLOT_B}


@dataclass(frozen=True, slots=True)
class LayerProblem:
    """A layer that is there and cannot be used. ``message`` is one line, ready to be shown."""

    layer: LayerName
    severity: Severity
    kind: ProblemKind
    path: Path
    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class Layers:
    """Both layers as they were found on disk.

    ``is_joined`` says that there is evidence of a central layer, even one that cannot be loaded.
    Without a central document that machine has no effective config: the local layer never runs
    alone there, as it could switch on what the company locked off. When the active central config
    cannot be loaded and the one before it can, that one serves, and ``problems`` says so.
    """

    is_joined: bool
    central: ConfigDocument | None
    central_source: CentralSource | None
    central_path: Path | None
    local: ConfigDocument | None
    local_path: Path
    effective: ConfigDocument | None
    dropped: tuple[DroppedEntry, ...] = ()
    central_query_ignored: bool = False
    problems: tuple[LayerProblem, ...] = ()

    @property
    def is_usable(self) -> bool:
        """No layer that matters is broken. True as well when nothing is configured at all.

        False although there is an effective config: an older central one stands in for it.
        """
        return all(problem.severity != "error" for problem in self.problems)

    def provenance(self, plugin: str) -> LayerName | None:
        """Return the layer a plugin comes from; None on a machine that never joined."""
        if not self.is_joined:
            return None
        central = self.central.plugins if self.central else ()
        return "central" if any(entry.name == plugin for entry in central) else "local"

    def sink_provenance(self, instance: str) -> LayerName | None:
        """Return the layer a sink comes from; None on a machine that never joined."""
        if not self.is_joined:
            return None
        return "central" if self.central and instance in self.central.sinks else "local"


def machine_lake(home: HypHome, environ: Mapping[str, str]) -> Lake:
    """Return where this machine keeps its rows. Raises ``ConfigError`` when that cannot be told."""
    local = _load("local", home.local_config(environ), "error", is_required=False)
    if isinstance(local, LayerProblem):
        raise ConfigError(local.message)
    return lake_of(home, local)


def lake_of(home: HypHome, local: ConfigDocument | None) -> Lake:
    """Return where a machine with this local config keeps its rows.

    What a server says of the query section is not in force (config-control §2), so that none can
    have the rows of a machine written elsewhere.
    """
    query = local.query if local else None
    return Lake(home.lake_dir, query.catalog if query else {})


class _Central(NamedTuple):
    """The central layer as it was found: a path is evidence of one, a document that it loads."""

    path: Path | None = None
    source: CentralSource | None = None
    document: ConfigDocument | None = None
    problem: LayerProblem | None = None


def resolve_layers(
    home: HypHome, environ: Mapping[str, str], *, contributed: Iterable[str] = ()
) -> Layers:
    """Read both layers. Bad content ends in ``problems``, never in an exception.

    ``contributed`` names the plugins that installed providers belong to. All callers of one
    machine pass the same, so that a local entry for one is in force everywhere or nowhere.
    """
    central = _read_central(home)
    local_path = home.local_config(environ)
    severity: Severity = "warning" if central.document else "error"
    local = _load("local", local_path, severity, is_required=False)
    local_document = None if isinstance(local, LayerProblem) else local
    is_joined = central.path is not None
    plugins = join_catalogue(CataloguePlugin(name) for name in contributed)
    merged = merge_layers(central.document, local_document, plugins) if central.document else None
    alone = None if is_joined else local_document
    return Layers(
        is_joined=is_joined,
        central=central.document,
        central_source=central.source,
        central_path=central.path,
        local=local_document,
        local_path=local_path,
        effective=merged.effective if merged else alone,
        dropped=merged.dropped if merged else (),
        central_query_ignored=bool(merged and merged.central_query_ignored),
        problems=tuple(each for each in (central.problem, local) if isinstance(each, LayerProblem)),
    )


def last_good_slot(active: Slot, state: ControlState, other_etag: str | None) -> Slot | None:
    """Return the slot that may serve when the active one cannot be loaded, if one may.

    During a trial it is the one that a rollback would go to. Without a trial the active slot was
    confirmed and the other one was in force before it, unless ``other_etag``, the revision that it
    holds, was taken back or refused. Bookkeeping that cannot be read vouches for nothing.
    """
    other = _other(active)
    if state.problem is not None:
        return None
    if state.probation is not None:
        trial = state.probation
        return other if (trial.slot, trial.previous_slot) == (active, other) else None
    judged = (state.bad_etag, *state.bad_etags, state.last_rollback)
    is_bad = any(each is not None and each.etag == other_etag for each in judged)
    return None if is_bad else other


def _read_central(home: HypHome) -> _Central:
    """Find the central layer: the active slot, else the seed, else nothing.

    Something left in the folder that leads to neither is evidence that the machine joined, and so
    is a folder that cannot be looked into.
    """
    slot = active_slot(home)
    if slot is not None:
        return _read_slot(home, slot)
    try:
        present = {entry.name for entry in home.control_dir.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return _Central()
    except OSError as error:
        text = f"cannot be looked into ({error.strerror})"
        return _Central(home.control_dir, problem=_problem("central", home.control_dir, text))
    if home.seed_file.name in present:
        return _central_from(home.seed_file, CentralSource.SEED)
    for residue in (home.active_link, home.slot_file("a"), home.slot_file("b")):
        if residue.name in present:
            text = "is there, but no config is active; join again, or leave"
            return _Central(residue, problem=_problem("central", residue, text))
    return _Central()


def _read_slot(home: HypHome, slot: Slot) -> _Central:
    """Read the active slot, or the last good one when the active one cannot be loaded."""
    active = _central_from(home.slot_file(slot), _SOURCES[slot])
    if active.problem is None:
        return active
    other = last_good_slot(slot, read_control_state(home), slot_etag(home, _other(slot)))
    if other is None:
        return active
    instead = _central_from(home.slot_file(other), _SOURCES[other])
    if instead.problem is not None:
        return active
    text = f"{active.problem.message}; {instead.path}, the config before it, is in force instead"
    return instead._replace(problem=replace(active.problem, message=text))


def _other(slot: Slot) -> Slot:
    return "b" if slot == "a" else "a"


def _central_from(path: Path, source: CentralSource) -> _Central:
    loaded = _load("central", path, "error", is_required=True)
    if isinstance(loaded, LayerProblem):
        return _Central(path, source, problem=loaded)
    return _Central(path, source, loaded)


def _load(
    layer: LayerName, path: Path, severity: Severity, *, is_required: bool
) -> ConfigDocument | LayerProblem | None:
    try:
        return parse_document(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if not is_required:
            return None
        return _problem(layer, path, "is missing", kind="config_missing", severity=severity)
    except OSError as error:
        return _problem(layer, path, f"cannot be read ({error.strerror})", severity=severity)
    except DocumentError as error:
        more = f" (and {len(error.errors) - 1} more)" if len(error.errors) > 1 else ""
        return _problem(
            layer,
            path,
            f"{error}{more}",
            kind=error.kind,
            severity=severity,
            pointer=error.errors[0].pointer,
        )


def _problem(
    layer: LayerName,
    path: Path,
    text: str,
    *,
    kind: ProblemKind = "config_unreadable",
    severity: Severity = "error",
    pointer: str = "",
) -> LayerProblem:
    message = f"{layer} config {path}: {text}"
    # A pointer holds the document's own keys, and these may hold anything.
    line = "".join(char if char.isprintable() else "\ufffd" for char in message)
    return LayerProblem(layer, severity, kind, path, pointer, line)
