"""The backfill handler: what it wants, and the command that brings it about."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.actions import (
    BackfillHandler,
    BackfillPolicy,
    Dispatched,
    ProviderFault,
    ProviderRef,
    backfill_argv,
    enabled_providers,
    import_environ,
    perform_safely,
    read_import_result,
    read_policy,
    request_keys,
    since_for,
)
from hypactors.config import ConfigDocument, PluginEntry
from hypactors.messages import DesiredAction, Outcome, OutcomeStatus, Undecided

if TYPE_CHECKING:
    from hypactors.paths import HypHome
    from tests.actions.fakes import PassDriver

NOW = datetime(2026, 6, 25, tzinfo=UTC)
CLAUDE = ProviderRef("claude", "@hypaware/claude")
CODEX = ProviderRef("codex", "@hypaware/codex")
KEY = "@hypaware/claude"


def plugin(backfill: object = None, *, enabled: bool = True) -> PluginEntry:
    config = None if backfill is None else {"backfill": backfill}
    return PluginEntry(KEY, enabled=enabled, config=config)


def desired(driver: PassDriver, *entries: PluginEntry) -> list[DesiredAction]:
    wishes = wishes_of(driver, *entries)
    assert not any(isinstance(wish, Undecided) for wish in wishes)
    return [wish for wish in wishes if isinstance(wish, DesiredAction)]


def wishes_of(driver: PassDriver, *entries: PluginEntry) -> list[DesiredAction | Undecided]:
    driver.config = ConfigDocument(plugins=entries)
    driver.providers = driver.providers or [CLAUDE, CODEX]
    return list(BackfillHandler().desired(driver.context()))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("@acme/aider", [Undecided("@acme/aider", "no such module")]),
        ("aider", [Undecided("aider", "no such module")]),
        ("@acme/other", []),
        (KEY, [DesiredAction(KEY, {"provider": "claude", "plugin": KEY})]),
    ],
)
def test_a_provider_that_cannot_be_loaded_leaves_its_plugin_undecided(
    driver: PassDriver, name: str, expected: list[object]
) -> None:
    """Nobody can tell what it would want; one that is loaded decides for itself."""
    driver.faults = [ProviderFault("aider", "no such module"), ProviderFault("claude", "twice")]
    assert wishes_of(driver, PluginEntry(name)) == expected
    assert wishes_of(driver, PluginEntry(name, enabled=False)) == []


def test_backfill_is_run_once() -> None:
    """client-actions E38."""
    assert BackfillHandler.kind == "backfill"
    assert not hasattr(BackfillHandler, "reverse")


def test_an_enabled_plugin_is_wanted(driver: PassDriver) -> None:
    """client-actions E39, import 47."""
    params: dict[str, Any] = {"provider": "claude", "plugin": KEY}
    assert desired(driver, plugin()) == [DesiredAction(KEY, params)]
    windowed = DesiredAction(KEY, {**params, "windowDays": 30})
    assert desired(driver, plugin({"window_days": 30})) == [windowed]


@pytest.mark.parametrize(
    "entry",
    [
        plugin({"on_join": False}),
        plugin({"on_join": "false"}),
        plugin({"on_join": 1}),
        plugin(enabled=False),
        PluginEntry("@hypaware/otel"),
    ],
)
def test_an_opt_out_is_not_wanted(driver: PassDriver, entry: PluginEntry) -> None:
    """client-actions E40, import 47."""
    assert desired(driver, entry) == []


@pytest.mark.parametrize(
    ("config", "on_join"),
    [
        (None, True),
        ({}, True),
        ({"backfill": None}, True),
        ({"backfill": "no"}, True),
        ({"backfill": []}, True),
        ({"backfill": {}}, True),
        ({"backfill": {"on_join": True}}, True),
        ({"backfill": {"on_join": False}}, False),
        ({"backfill": {"on_join": "true"}}, False),
        ({"backfill": {"on_join": 1}}, False),
        ({"backfill": {"on_join": None}}, False),
    ],
)
def test_a_malformed_opt_out_is_an_opt_out(config: dict[str, Any] | None, *, on_join: bool) -> None:
    """client-actions §5: the policy table, E40."""
    assert read_policy(config) == BackfillPolicy(on_join)


@pytest.mark.parametrize(
    ("window_days", "read"),
    [
        (30, 30),
        (30.0, 30),
        (0, None),
        (-1, None),
        (1.5, None),
        (True, None),
        ("30", None),
        (None, None),
        (float("nan"), None),
        (10**30, None),
    ],
)
def test_a_window_is_a_positive_integer(window_days: object, read: int | None) -> None:
    """client-actions §5; to the other client 30.0 is an integer."""
    assert read_policy({"backfill": {"window_days": window_days}}).window_days == read


def test_the_first_provider_of_a_plugin_keeps_its_plain_name(driver: PassDriver) -> None:
    providers = [ProviderRef("claude-web", KEY), CODEX, CLAUDE]
    assert request_keys(providers) == {
        "claude": KEY,
        "claude-web": f"{KEY}/claude-web",
        "codex": "@hypaware/codex",
    }
    driver.providers = providers
    wanted = {each.request_key: each.params["provider"] for each in desired(driver, plugin())}
    assert wanted == {f"{KEY}/claude-web": "claude-web", KEY: "claude"}


def test_an_opted_out_provider_is_still_enabled() -> None:
    config = ConfigDocument(plugins=(plugin({"on_join": False}),))
    assert enabled_providers(config, [CLAUDE, CODEX]) == [CLAUDE]


def test_the_command_names_the_provider_and_the_window() -> None:
    """client-actions E41, import 47."""
    argv = ["backfill", "claude", "--since", "2026-05-26T00:00:00.000Z", "--json"]
    assert backfill_argv("claude", since_for(30, NOW)) == argv
    assert backfill_argv("claude", since_for(None, NOW)) == ["backfill", "claude", "--json"]


@given(st.integers(min_value=1))
def test_any_window_has_a_beginning(window_days: int) -> None:
    since = since_for(window_days, NOW)
    assert since is not None
    assert "1970-01-01T00:00:00.000Z" <= since < "2026-06-25"


def test_an_import_has_the_home_of_the_daemon() -> None:
    """client-actions E42."""
    environ = import_environ({"HYP_HOME": "/elsewhere", "PATH": "/bin"}, Path("/home/u/.hyp"))
    assert environ == {"HYP_HOME": "/home/u/.hyp", "PATH": "/bin"}


@pytest.mark.parametrize("params", [{}, {"provider": ""}, {"provider": 5}])
def test_an_action_without_a_provider_fails(driver: PassDriver, params: dict[str, Any]) -> None:
    """client-actions E45: no runner is asked, so nothing is spawned."""
    outcome = perform_safely(BackfillHandler(), DesiredAction(KEY, params), driver.context())
    assert outcome == Outcome(OutcomeStatus.FAILED, reason="backfill action missing provider name")


def test_performing_hands_the_unit_to_the_provider_s_runner(driver: PassDriver) -> None:
    """client-actions §10: the key is the plugin, the word on the command line the provider."""
    (action,) = desired(driver, plugin())
    outcome = perform_safely(BackfillHandler(), action, driver.context())
    assert outcome == Dispatched("backfill:claude")


IMPORT = """
import json, os, sys
assert sys.argv[1:] == ["backfill", "claude", "--json"], sys.argv
assert not sys.stdin.read()
first = os.path.join(os.environ["HYP_HOME"], "first")
if not os.path.exists(first):
    open(first, "w").close()
    sys.exit("error: the disk was full")
print(json.dumps({"providers": [{"provider": "claude", "status": "ok", "rows_written": 42}]}))
"""


@pytest.mark.process
def test_a_failed_import_is_tried_again_and_a_done_one_is_not(
    driver: PassDriver, home: HypHome
) -> None:
    """client-actions E46, E42."""
    spawned = []

    def run_import(action: DesiredAction) -> Outcome:
        argv = backfill_argv(action.params["provider"], since_for(None, NOW))
        spawned.append(argv)
        ended = subprocess.run(
            [sys.executable, "-c", IMPORT, *argv],
            env=import_environ({"HYP_HOME": "/nonexistent"}, home.root),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=30,
        )
        return read_import_result(
            ended.returncode, ended.stdout, ended.stderr.decode(), signal=None, launch_error=None
        )

    home.root.mkdir()
    driver.config = ConfigDocument(plugins=(plugin(),))
    driver.providers = [CLAUDE]
    driver.run_dispatched = run_import
    handler = BackfillHandler()

    (first,) = driver.run(handler)
    assert (first.outcome, first.attempts) == ("failed", 1)
    assert first.reason == "hyp backfill exited with code 1: error: the disk was full"
    (second,) = driver.run(handler)
    assert (second.outcome, second.rows) == ("done", 42)
    (third,) = driver.run(handler)
    assert third.outcome == "skipped"
    assert len(spawned) == 2
    driver.config = ConfigDocument()
    assert driver.run(handler) == []
    assert driver.book().get("backfill", KEY) is not None
