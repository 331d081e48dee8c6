"""Where a table lives: a folder of this machine, or whatever catalogue pyiceberg can open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hypactors.paths import HypHome


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

    def __str__(self) -> str:
        return self.properties.get("uri", str(self.folder)).split("@")[-1]
