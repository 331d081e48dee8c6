"""Builds the wheel with nothing but the standard library, so that no test needs a registry."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

INFO = "jotter_provider-1.2.0.dist-info"
FILES = {
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: jotter-provider\nVersion: 1.2.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: jotter\nRoot-Is-Purelib: true\n"
    "Tag: py3-none-any\n",
    f"{INFO}/entry_points.txt": "[hypactors.providers]\njotter = jotter_provider:PROVIDER\n",
}


def build_wheel(wheel_directory: str, *_: Any) -> str:
    name = "jotter_provider-1.2.0-py3-none-any.whl"
    source = Path(__file__).parent / "jotter_provider.py"
    files = {"jotter_provider.py": source.read_text(), **FILES}
    record = "".join(f"{path},,\n" for path in [*files, f"{INFO}/RECORD"])
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as wheel:
        for path, text in {**files, f"{INFO}/RECORD": record}.items():
            wheel.writestr(path, text)
    return name
