"""Table files that are on disk before a commit names them.

A marker says "imported" for ever, so that a power cut must not take the rows it stands for; and a
snapshot that names a file which never reached the disk could not be read at all.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pyiceberg.io import OutputFile
from pyiceberg.io.pyarrow import PyArrowFileIO

from hypactors.files import fsync_dir

if TYPE_CHECKING:
    from pyiceberg.io import InputFile, OutputStream

_BUFFER_BYTES = 1 << 20


class DurableFileIO(PyArrowFileIO):
    """What pyiceberg reads and writes with; local files are fsynced when they are closed."""

    def new_output(self, location: str) -> OutputFile:  # type: ignore[override]
        plain = super().new_output(location)
        # Object stores have no fsync: what they acknowledged is durable.
        path = location.removeprefix("file://")
        return plain if "://" in path else _DurableFile(plain, Path(path))


class _DurableFile(OutputFile):
    def __init__(self, plain: OutputFile, path: Path) -> None:
        super().__init__(plain.location)
        self._plain = plain
        self._path = path

    def __len__(self) -> int:
        return len(self._plain)

    def exists(self) -> bool:
        return self._plain.exists()

    def to_input_file(self) -> InputFile:
        return self._plain.to_input_file()

    def create(self, overwrite: bool = False) -> OutputStream:  # noqa: FBT001, FBT002 - pyiceberg's
        _make_dirs(self._path.parent)
        stream: OutputStream = io.BufferedWriter(
            _DurableStream(self._path, "wb" if overwrite else "xb"), _BUFFER_BYTES
        )
        return stream


class _DurableStream(io.FileIO):
    def close(self) -> None:
        if self.closed:
            return
        try:
            os.fsync(self.fileno())
        finally:
            super().close()
        fsync_dir(Path(os.fsdecode(self.name)).parent)


def _make_dirs(folder: Path) -> None:
    """Make a folder and its parents so that the names of new ones are on disk too."""
    if folder.is_dir():
        return
    _make_dirs(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_dir(folder.parent)
