"""The soak, bounded: the real daemon under a random sequence of faults."""

from __future__ import annotations

import os

import pytest

from tests.soak.soak import soak

pytestmark = pytest.mark.process

SEED = int(os.environ.get("HYP_SOAK_SEED", "20261124"))
SECONDS = float(os.environ.get("HYP_SOAK_S", "120"))
"""Two minutes, as a slow machine needs some of it to start daemons."""


def test_whatever_is_done_to_it_nothing_is_lost_or_left_behind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Contract §5, §11: what must hold is checked all along; here, that the faults landed."""
    with capsys.disabled():
        figures = soak(SEED, SECONDS, print)
    landed = figures.landed
    assert landed["kill -9 import"] > 0
    assert landed["kill -9 launcher"] > 0
    assert figures.done["kill daemon"] > 0
    assert landed["imports begun"] > figures.done["kill daemon"]
    assert landed["rows"] > 0
