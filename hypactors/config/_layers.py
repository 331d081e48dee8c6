"""The two config layers of a machine, and what they come to together.

The central layer is the server's and locked; the local one is the user's and may only add.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hypactors.config._control import active_slot
from hypactors.config._document import DocumentError, DocumentErrorKind
from hypactors.config._merge import merge_layers
from hypactors.config._shape import parse_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hypactors.config._document import ConfigDocument
    from hypactors.config._merge import DroppedEntry
    from hypactors.paths import HypHome

LayerName = Literal["central", "local"]
ProblemKind = Literal["config_missing", "config_unreadable"] | DocumentErrorKind
Severity = Literal["error", "warning"]


class CentralSource(enum.StrEnum):
    """Which file the central layer comes from."""

    SLOT_A = "slot_a"
    SLOT_B = "slot_b"
    SEED = "seed"


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
    alone there, as it could switch on what the company locked off.
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
        """No layer that matters is broken. True as well when nothing is configured at all."""
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


def resolve_layers(home: HypHome, environ: Mapping[str, str]) -> Layers:
    """Read both layers. Bad content ends in ``problems``, never in an exception."""
    source, central_path, evidence_error = _find_central(home)
    is_joined = central_path is not None
    local_path = home.local_config(environ)

    problems: list[LayerProblem] = []
    central: ConfigDocument | None = None
    if central_path is not None:
        loaded = evidence_error or _load("central", central_path, "error", is_required=True)
        central = _document_or_note(loaded, problems)
    loaded = _load("local", local_path, "warning" if central else "error", is_required=False)
    local = _document_or_note(loaded, problems)

    effective = None if is_joined else local
    merged = merge_layers(central, local) if central else None
    return Layers(
        is_joined=is_joined,
        central=central,
        central_source=source,
        central_path=central_path,
        local=local,
        local_path=local_path,
        effective=merged.effective if merged else effective,
        dropped=merged.dropped if merged else (),
        central_query_ignored=bool(merged and merged.central_query_ignored),
        problems=tuple(problems),
    )


def _find_central(home: HypHome) -> tuple[CentralSource | None, Path | None, LayerProblem | None]:
    """Find the central layer: the active slot, else the seed, else nothing.

    Something left in the folder that leads to neither is evidence that the machine joined, and so
    is a folder that cannot be looked into.
    """
    slot = active_slot(home)
    if slot is not None:
        source = CentralSource.SLOT_A if slot == "a" else CentralSource.SLOT_B
        return source, home.slot_file(slot), None
    try:
        present = {entry.name for entry in home.control_dir.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return None, None, None
    except OSError as error:
        text = f"cannot be looked into ({error.strerror})"
        return None, home.control_dir, _problem("central", home.control_dir, text)
    if home.seed_file.name in present:
        return CentralSource.SEED, home.seed_file, None
    for residue in (home.active_link, home.slot_file("a"), home.slot_file("b")):
        if residue.name in present:
            text = "is there, but no config is active; join again, or leave"
            return None, residue, _problem("central", residue, text)
    return None, None, None


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


def _document_or_note(
    loaded: ConfigDocument | LayerProblem | None, problems: list[LayerProblem]
) -> ConfigDocument | None:
    if isinstance(loaded, LayerProblem):
        problems.append(loaded)
        return None
    return loaded


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
