"""Where a server keeps its things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.central.server._store import Store
from hypactors.files import ensure_private_dir
from hypactors.lake import Lake

if TYPE_CHECKING:
    from pathlib import Path


PUBLIC_URL = "public_url"
"""The fact that says under which address clients know the server."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server keeps its things: all in ``folder``, but for what has a place of its own."""

    folder: Path
    database: str | None = None
    catalog: Path | None = None

    def open_store(self) -> Store:
        """Open the state, and make it when it is not there. Raises ``StoreError``."""
        ensure_private_dir(self.folder)
        return Store(self.database) if self.database else Store.in_folder(self.folder)

    def lake(self) -> Lake:
        """Return where the rows go. Raises ``HypError`` when the catalogue's file is wrong."""
        folder = self.folder / "lake"
        return Lake(folder) if self.catalog is None else Lake.described_by(self.catalog, folder)
