from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import Machine
from tests.processes.lab import no_child_left

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with no_child_left():
        yield Machine(tmp_path)
