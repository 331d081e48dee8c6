"""Where a machine keeps its rows: its own config says so, and nobody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.config import lake_of, machine_lake, resolve_layers
from hypactors.errors import ConfigError
from hypactors.lake import Lake

if TYPE_CHECKING:
    from pathlib import Path

    from hypactors.paths import HypHome

CATALOG = {"type": "sql", "uri": "postgresql://me:canary@db/lake"}


def write(path: Path, catalog: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 2, "query": {"cache": {"catalog": catalog}}}))


def test_it_is_the_cache_of_the_machine_unless_its_config_names_a_catalogue(home: HypHome) -> None:
    assert machine_lake(home, {}) == Lake.of(home)
    write(home.default_local_config, CATALOG)
    assert machine_lake(home, {}) == Lake(home.lake_dir, CATALOG)
    assert "canary" not in repr(resolve_layers(home, {}))


def test_the_file_that_the_environment_names_counts(home: HypHome, tmp_path: Path) -> None:
    write(tmp_path / "other.json", CATALOG)
    assert machine_lake(home, {"HYP_CONFIG": str(tmp_path / "other.json")}).is_shared


def test_no_server_can_have_rows_written_elsewhere(home: HypHome) -> None:
    """config-control 9: the query section is the machine's own."""
    write(home.seed_file, CATALOG)
    layers = resolve_layers(home, {})
    assert layers.central_query_ignored
    assert lake_of(home, layers.local) == machine_lake(home, {}) == Lake.of(home)


@pytest.mark.parametrize("catalog", ["x", {}, {"uri": 7}])
def test_what_cannot_be_used_is_told_in_a_line(home: HypHome, catalog: object) -> None:
    write(home.default_local_config, catalog)
    with pytest.raises(ConfigError, match=r"^local config .*: /query/cache/catalog.* must "):
        machine_lake(home, {})
