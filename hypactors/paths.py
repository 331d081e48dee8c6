"""Every file and folder under ``HYP_HOME``, by name."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SLOTS = ("a", "b")


class HypHome:
    """The layout below one ``HYP_HOME``. Names only: nothing here touches the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state_root = root / "hypaware"
        self.settings_file = root / "hypactors.toml"
        self.default_local_config = root / "hypaware-config.json"

        self.control_dir = self.state_root / "config-control"
        self.marker_file = self.control_dir / "client-actions.json"
        self.state_file = self.control_dir / "state.json"
        self.seed_file = self.control_dir / "seed.json"
        self.active_link = self.control_dir / "active"
        self.runs_dir = self.control_dir / "runs"

        self.run_dir = self.state_root / "run"
        self.daemon_lock = self.run_dir / "daemon.lock"
        self.pid_file = self.run_dir / "hypaware.pid"
        self.status_file = self.run_dir / "status.json"
        self.control_socket = self.run_dir / "control.sock"
        self.control_address = self.run_dir / "control.json"

        self.identity_file = self.state_root / "plugins" / "@hypaware" / "central" / "identity.json"

        self.sinks_dir = self.state_root / "sinks"
        self.usage_policy_dir = self.state_root / "usage-policy"
        self.first_sync_hold_file = self.usage_policy_dir / "first-sync-hold.json"
        self.fleets_file = self.usage_policy_dir / "fleets.json"
        self.local_only_file = self.usage_policy_dir / "local-only.json"

        self.log_file = self.state_root / "logs" / "daemon.log"

        self.report_file = self.state_root / "report.html"

        self.lake_dir = self.state_root / "lake"
        self.checkpoint_dir = self.lake_dir / "checkpoints"
        self.maintenance_runs = self.state_root / "maintenance"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> HypHome:
        """Return the home that ``HYP_HOME`` names, else ``~/.hyp``. Empty counts as unset."""
        named = environ.get("HYP_HOME")
        if named:
            return cls(Path(named).expanduser().absolute())
        return cls(user_home(environ) / ".hyp")

    def __repr__(self) -> str:
        return f"HypHome({str(self.root)!r})"

    def slot_file(self, slot: str) -> Path:
        return self.control_dir / f"config.{slot}.json"

    def slot_etag_file(self, slot: str) -> Path:
        return self.control_dir / f"config.{slot}.etag"

    def slot_confirmed_file(self, slot: str) -> Path:
        return self.control_dir / f"config.{slot}.confirmed.json"

    def provider_runs(self, provider: str) -> Path:
        """Return the folder with the lock and the runs of one provider (contract §5)."""
        return self.runs_dir / slug(provider)

    def checkpoint_file(self, provider: str) -> Path:
        """Return where it is kept which files of a provider are in the cache (contract §8)."""
        return self.checkpoint_dir / f"{segment(provider)}.db"

    def import_lock(self, provider: str) -> Path:
        return self.provider_runs(provider) / "lock"

    def sink_dir(self, sink: str) -> Path:
        """Return the folder of one sink: its marks, its outbox, its runs."""
        return self.sinks_dir / segment(sink)

    def sink_runs(self, sink: str) -> Path:
        """Return the folder with the lock and the runs of the exports of one sink."""
        return self.sink_dir(sink) / "runs"

    def local_config(self, environ: Mapping[str, str]) -> Path:
        """Return the file of the local layer: ``HYP_CONFIG`` when set and not empty."""
        named = environ.get("HYP_CONFIG")
        return Path(named).expanduser().absolute() if named else self.default_local_config


def user_home(environ: Mapping[str, str]) -> Path:
    """Return ``HOME`` when it is set, else what the user database says."""
    home = environ.get("HOME")
    return Path(home) if home else Path(os.path.expanduser("~"))  # noqa: PTH111 - no HOME needed


def slug(provider: str) -> str:
    """Return a provider's name as a folder name (contract §5)."""
    return re.sub(r"[^a-z0-9._-]", "_", provider)


def segment(name: str) -> str:
    """Return any name as one folder name; two names never share one.

    >>> segment("central"), segment("..")
    ('central', '..-e6fc5bb9')
    """
    plain = re.sub(r"[^A-Za-z0-9._=,-]", "_", name)
    if plain == name and name.strip("."):
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{plain}-{digest}"
