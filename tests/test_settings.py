from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.errors import ConfigError
from hypactors.paths import HypHome
from hypactors.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path)


def test_without_a_file_every_setting_has_its_default(home: HypHome) -> None:
    loaded = load_settings(home, {})
    assert loaded.settings == Settings()
    assert (loaded.settings.settle_s, loaded.settings.grace_s) == (600, 15)
    assert loaded.unknown_keys == ()


def test_the_environment_wins_over_the_file(home: HypHome) -> None:
    home.settings_file.write_text("[shutdown]\nsettle_s = 5\ngrace_s = 2\n")
    settings = load_settings(home, {"HYP_SETTLE_S": "7.5"}).settings
    assert (settings.settle_s, settings.grace_s) == (7.5, 2)


def test_an_empty_variable_counts_as_unset(home: HypHome) -> None:
    assert load_settings(home, {"HYP_SETTLE_S": ""}).settings.settle_s == 600


def test_the_import_command_is_split_without_a_shell(home: HypHome) -> None:
    settings = load_settings(
        home, {"HYP_BACKFILL_COMMAND": "node '/opt/my hyp/cli.js' $X"}
    ).settings
    assert settings.import_command == ("node", "/opt/my hyp/cli.js", "$X")


@pytest.mark.parametrize(("text", "flag"), [("false", False), ("0", False), ("True", True)])
def test_a_flag_can_come_from_the_environment(home: HypHome, text: str, *, flag: bool) -> None:
    home.settings_file.write_text(f"[otlp]\nlogs = {str(not flag).lower()}\n")
    assert load_settings(home, {}).settings.otlp_logs is not flag
    assert load_settings(home, {"HYP_OTLP_LOGS": text}).settings.otlp_logs is flag


def test_unknown_keys_are_named_and_do_no_harm(home: HypHome) -> None:
    home.settings_file.write_text('colour = "red"\n[retry]\nmin_s = 1\nmid_s = 2\n')
    loaded = load_settings(home, {})
    assert loaded.unknown_keys == ("colour", "retry.mid_s")
    assert loaded.settings.retry_min_s == 1


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[import]\nnice = 40\n", "import.nice"),
        ("[import]\nnice = true\n", "import.nice"),
        ("[import]\nnice = 1.5\n", "import.nice"),
        ('[import]\ncommand = ""\n', "import.command"),
        ("[import]\ncommand = 3\n", "import.command"),
        ("[retry]\nmin_s = -1\n", "retry.min_s"),
        ("[retry]\nmin_s = nan\n", "retry.min_s"),
        ("[log]\nfiles = 1\n", "log.files"),
        ("[otlp]\nendpoint = 4318\n", "otlp.endpoint"),
        ('[otlp]\nendpoint = ""\n', "otlp.endpoint"),
        ('[otlp]\nlogs = "perhaps"\n', "otlp.logs"),
        ("[otlp]\ntraces = 1\n", "otlp.traces"),
        ("this is not toml", "hypactors.toml"),
    ],
)
def test_a_bad_value_names_the_file_and_the_key(home: HypHome, text: str, where: str) -> None:
    home.settings_file.write_text(text)
    with pytest.raises(ConfigError, match=where) as raised:
        load_settings(home, {})
    assert str(home.settings_file) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_bad_variable_is_named(home: HypHome) -> None:
    with pytest.raises(ConfigError, match="HYP_RETRY_MAX_S expects a number"):
        load_settings(home, {"HYP_RETRY_MAX_S": "soon"})


@given(st.binary(max_size=200))
def test_no_file_makes_it_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    home = HypHome(tmp_path_factory.getbasetemp())
    home.settings_file.write_bytes(content)
    try:
        load_settings(home, {})
    except ConfigError:
        pass
    finally:
        home.settings_file.unlink()
