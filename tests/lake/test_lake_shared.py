"""Where a lake is, as it may be said; and what it is known by when others share it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.lake import Lake, cache_id
from hypactors.lake.redaction import secrets_in, without_secrets

FOLDER = Path("/home/me/lake")
URI = "postgresql://{user}:{password}@db.example:5432/lake"


def shared(uri: str, **properties: str) -> Lake:
    return Lake(FOLDER, {"uri": uri, **properties})


@pytest.mark.parametrize(
    ("lake", "said"),
    [
        (Lake(FOLDER), "/home/me/lake"),
        (shared("https://lake.example/v1"), "https://lake.example/v1"),
        (shared("postgresql://u:p@db:5432/lake"), "postgresql://db:5432/lake"),
        (shared("postgresql://u:p@s/s@db/lake"), "postgresql://db/lake"),
        (shared("postgresql:///lake?host=/run&password=p"), "postgresql:///lake"),
        (shared("postgresql:///lake?password=p@p"), "postgresql://"),
        (Lake(FOLDER, {"warehouse": "s3://lake"}), "s3://lake"),
        (Lake(FOLDER, {"type": "glue"}), "glue"),
        (Lake(FOLDER, {"s3.region": "eu-1"}), "hyp"),
    ],
)
def test_its_place_is_told_without_user_or_password(lake: Lake, said: str) -> None:
    assert str(lake) == said
    assert "password" not in repr(lake)


def test_a_shared_one_is_known_by_its_place_and_not_by_its_password(tmp_path: Path) -> None:
    one = shared(URI.format(user="a", password="x"), warehouse="s3://lake")
    assert cache_id(one) == cache_id(
        shared(URI.format(user="b", password="y"), warehouse="s3://lake")
    )
    assert cache_id(one) != cache_id(shared(URI.format(user="a", password="x"), warehouse="s3://b"))
    assert cache_id(one) != cache_id(shared("https://lake.example/v1", warehouse="s3://lake"))
    assert cache_id(Lake(tmp_path)) is None


def test_it_is_known_whether_it_holds_a_secret() -> None:
    plain = shared("https://lake.example/v1", warehouse="s3://lake")
    assert not secrets_in(plain.properties)
    for lake in (
        shared(URI.format(user="a", password="x")),
        shared("postgresql:///lake?host=/run&password=x"),
        shared("https://lake.example/v1", **{"s3.secret-access-key": "x"}),
        shared("https://lake.example/v1", **{"adls.account-key": "x"}),
    ):
        assert secrets_in(lake.properties) == ["x"]


@given(st.text("ab:/?#[]@!$&'()*+,;=%~ -", min_size=1))
def test_no_part_of_a_password_is_told(middle: str) -> None:
    """However it has been put into the address, and whoever quotes it."""
    password = f"canary{middle}canary"
    lake = shared(URI.format(user="me", password=password), token=password)
    for text in (f"cannot open {lake.properties['uri']}: no", f"{password}\nis wrong"):
        told = without_secrets(text, lake.properties)
        assert "\n" not in told
        assert "canary" not in told
