"""Where a table lives: a folder of this machine, or whatever catalogue pyiceberg can open."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hypactors.paths import HypHome


CATALOG_NAME = "hyp"
"""What a shared one is called in pyiceberg's own settings, which may add to its properties."""


@dataclass(frozen=True, slots=True)
class Lake:
    """A folder for the lock and, unless ``properties`` name a catalogue, for the table as well.

    ``properties`` are those of a pyiceberg catalogue: ``type``, ``uri``, ``warehouse`` and so on.
    They may hold passwords.
    """

    folder: Path
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, home: HypHome) -> Self:
        """Return the cache of a machine (contract §8)."""
        return cls(home.lake_dir)

    @classmethod
    def described_by(cls, file: Path, folder: Path) -> Self:
        """Return the lake whose catalogue a TOML file describes with pyiceberg's properties.

        Raises ``HypError`` when the file is wrong.
        """
        import tomllib  # noqa: PLC0415 - few lakes are described

        try:
            properties = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise HypError(f"{file}: cannot be read as a catalogue ({error})") from error
        if not properties or not all(isinstance(value, str) for value in properties.values()):
            raise HypError(f'{file}: must hold texts, such as type = "rest"')
        return cls(folder, properties)

    @property
    def catalog_file(self) -> Path:
        return self.folder / "catalog.db"

    @property
    def warehouse_dir(self) -> Path:
        return self.folder / "warehouse"

    @property
    def is_shared(self) -> bool:
        """Others may write into it, and no lock or file of this machine stands for it."""
        return bool(self.properties)

    @property
    def shared_id(self) -> str | None:
        """A name that stays while only a password changes; None for a cache of one's own."""
        if not self.is_shared:
            return None
        named = (self.properties.get("type", ""), str(self), self.properties.get("warehouse", ""))
        return f"shared-{hashlib.sha256(repr(named).encode()).hexdigest()[:32]}"

    def __str__(self) -> str:
        """Return where it is: of an address neither user nor password, nor what follows a ``?``."""
        if not self.is_shared:
            return str(self.folder)
        from hypactors.lake.redaction import bare_address  # noqa: PLC0415 - seldom needed

        told = (self.properties.get(key) for key in ("uri", "warehouse", "type"))
        return bare_address(next(filter(None, told), CATALOG_NAME))
