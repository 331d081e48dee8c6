from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.central_server.app import App

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = App(tmp_path)
    yield app
    app.close()
