from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cli import config
from hypactors.cli import main as cli
from hypactors.cli._config_view import redact
from hypactors.errors import UsageError
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from pathlib import Path

CENTRAL = {
    "version": 2,
    "plugins": [
        {"name": "@hypaware/central"},
        {"name": "@hypaware/claude", "config": {"backfill": {"on_join": False}}},
        {"name": "@hypaware/completion-openai"},
    ],
    "sinks": {
        "central": {
            "plugin": "@hypaware/central",
            "config": {
                "url": "https://user:canary-1@example.org/v1?token=canary-2",
                "identity": {"bootstrap_token": "canary-3"},
            },
        }
    },
    "query": {},
}
LOCAL = {
    "version": 2,
    "plugins": [
        {"name": "@hypaware/claude"},
        {"name": "@hypaware/completion-anthropic", "config": {"api_key": "canary-4"}},
        {"name": "@hypaware/otel", "enabled": False, "version": "1.0.0"},
    ],
    "sinks": {"files": {"writer": "@hypaware/format-jsonl", "destination": "@hypaware/local-fs"}},
    "query": {"cache": {"retention": {"default_days": 7}}},
    "disambiguate": {"hypaware.embedder": "@hypaware/embedder-openai"},
}
CANARIES = ("canary-1", "canary-2", "canary-3", "canary-4")


class Machine:
    """A home, and ``hyp config`` run on it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.environ = {"HYP_HOME": str(root / "hyp home"), "HOME": str(root)}
        self.home = HypHome.from_environ(self.environ)
        self._capsys = capsys

    def join(self, document: object = CENTRAL) -> None:
        write(self.home.seed_file, document)

    def configure(self, document: object = LOCAL) -> None:
        write(self.home.default_local_config, document)

    def run(self, *argv: str) -> tuple[int, str]:
        code = config.main(argv, self.environ)
        captured = self._capsys.readouterr()
        assert captured.err == ""
        return code, captured.out

    def json(self, *argv: str) -> tuple[int, Any]:
        code, out = self.run(*argv, "--json")
        return code, json.loads(out)


def write(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, capsys)


def test_the_effective_config_says_where_each_part_comes_from(machine: Machine) -> None:
    """Status 17, 18, 19 and 20, as a person reads them."""
    machine.join()
    machine.configure()
    code, out = machine.run("show")
    assert code == 0
    assert (
        out
        == f"""\
effective config
  central:  {machine.home.seed_file}
  local:    {machine.home.default_local_config}
  plugins:
    - @hypaware/central  [central · locked]
    - @hypaware/claude  [central · locked]
        {{"backfill": {{"on_join": false}}}}
    - @hypaware/completion-openai  [central · locked]
    - @hypaware/otel  [local]  (disabled)  version=1.0.0
  sinks:
    - central  (@hypaware/central)  [central · locked]
        {{"url": "https://[redacted]@example.org/v1?token=[redacted]", \
"identity": {{"bootstrap_token": "[redacted]"}}}}
    - files  (@hypaware/format-jsonl to @hypaware/local-fs)  [local]
  query:    {{"cache": {{"retention": {{"default_days": 7, "datasets": {{}}}}}}}}
  disambiguate:
    - hypaware.embedder by @hypaware/embedder-openai  [local]
  not applied:
    - plugins.@hypaware/claude  (collides with central)
    - plugins.@hypaware/completion-anthropic  (invalid merge: capability_ambiguous)
    central query block: ignored (query settings are this machine's own)
"""
    )


def test_json_says_the_same(machine: Machine) -> None:
    machine.join()
    machine.configure()
    code, view = machine.json("show", "--effective")
    assert code == 0
    assert (view["layer"], view["joined"]) == ("effective", True)
    assert view["config"]["version"] == 2
    assert view["config"]["sinks"]["central"]["config"]["identity"] == {
        "bootstrap_token": "[redacted]"
    }
    assert view["provenance"]["plugins"]["@hypaware/claude"] == "central"
    assert view["provenance"]["plugins"]["@hypaware/otel"] == "local"
    assert view["provenance"]["sinks"] == {"central": "central", "files": "local"}
    assert view["provenance"]["disambiguate"] == {"hypaware.embedder": "local"}
    assert view["central_query_ignored"] is True
    assert view["not_applied"] == [
        {
            "section": "plugins",
            "key": "@hypaware/claude",
            "reason": "collides_with_central",
            "detail": None,
        },
        {
            "section": "plugins",
            "key": "@hypaware/completion-anthropic",
            "reason": "invalid_merge",
            "detail": "capability_ambiguous",
        },
    ]
    assert view["problems"] == []


@pytest.mark.parametrize("layer", ["effective", "central", "local"])
@pytest.mark.parametrize("as_json", [True, False])
def test_no_layer_is_shown_with_a_secret(machine: Machine, layer: str, *, as_json: bool) -> None:
    machine.join()
    machine.configure()
    sources = machine.home.seed_file.read_text() + machine.home.default_local_config.read_text()
    assert all(canary in sources for canary in CANARIES)
    _, out = machine.run("show", f"--{layer}", *(["--json"] if as_json else []))
    assert not [canary for canary in CANARIES if canary in out]
    assert "@hypaware/" in out


def test_one_layer_is_shown_as_it_is(machine: Machine) -> None:
    machine.join()
    machine.configure()
    code, view = machine.json("show", "--local")
    assert code == 0
    assert [entry["name"] for entry in view["config"]["plugins"]] == [
        "@hypaware/claude",
        "@hypaware/completion-anthropic",
        "@hypaware/otel",
    ]
    assert view["provenance"] is None
    assert view["not_applied"] == []
    _, out = machine.run("show", "--central")
    assert "[central" not in out
    assert str(machine.home.default_local_config) not in out


def test_a_machine_without_config_says_so(machine: Machine) -> None:
    path = machine.home.default_local_config
    expected = f"effective config\n  local:    {path}\n  nothing is configured\n"
    assert machine.run("show") == (0, expected)
    code, view = machine.json("show", "--central")
    assert code == 0
    assert view["config"] is None
    assert view["joined"] is False
    assert not machine.home.root.exists()


def test_a_layer_that_cannot_be_used_is_a_failure(machine: Machine) -> None:
    machine.join("{")
    machine.configure()
    for layer, expected in (("effective", 1), ("central", 1), ("local", 0)):
        code, view = machine.json("show", f"--{layer}")
        assert code == expected, layer
        assert [problem["kind"] for problem in view["problems"]] == (
            [] if layer == "local" else ["config_invalid_json"]
        )
    code, out = machine.run("show")
    assert code == 1
    assert "  not usable\n  problems:\n    [error] config_invalid_json: central config " in out


def test_a_config_that_stands_in_is_shown_with_the_reason(machine: Machine) -> None:
    write(machine.home.slot_file("a"), CENTRAL)
    write(machine.home.slot_file("b"), "")
    machine.home.active_link.symlink_to("config.b.json")
    code, out = machine.run("show")
    assert code == 0
    assert f"  central:  {machine.home.slot_file('a')}\n" in out
    assert "config.a.json, the config before it, is in force instead\n" in out


def test_hostile_names_do_not_reach_the_terminal(machine: Machine) -> None:
    name = "evil\n\x1b[31m\u202eplugin"
    pins = {"plugins": [{"name": name, "config": {name: name}}], "sinks": {name: {"plugin": name}}}
    machine.configure({"version": 2, **pins, "disambiguate": {name: name}})
    for argv in (["show"], ["validate"]):
        _, out = machine.run(*argv)
        assert "evil" in out
        assert all(line.isprintable() for line in out.splitlines())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"bootstrap_token": ""}, {"bootstrap_token": ""}),
        ({"apiKey": "x", "api-key": 7}, {"apiKey": "[redacted]", "api-key": "[redacted]"}),
        (
            {"credentials": {"user": "a", "on": True}},
            {"credentials": {"user": "[redacted]", "on": True}},
        ),
        ({"secrets": ["a", ["b"]]}, {"secrets": ["[redacted]", ["[redacted]"]]}),
        ({"url": "https://example.org/a@b"}, {"url": "https://example.org/a@b"}),
        ({"url": "s3://k:v@bucket/x"}, {"url": "s3://[redacted]@bucket/x"}),
        (["https://h/?a=1&api_key=x&b=2"], ["https://h/?a=1&api_key=[redacted]&b=2"]),
        ({"token": None, "tokens": False}, {"token": None, "tokens": False}),
        ({"schedule": "* * * * *", "days": 3}, {"schedule": "* * * * *", "days": 3}),
    ],
)
def test_what_a_key_or_an_address_says_is_secret_is_redacted(value: Any, shown: Any) -> None:
    assert redact(value) == shown


def test_a_good_document_is_ok(machine: Machine) -> None:
    machine.configure({**LOCAL, "sinks": {}})
    path = machine.home.default_local_config
    assert machine.run("validate") == (0, f"config ok: {path} (plugins=3, sinks=0)\n")
    assert machine.json("validate") == (0, {"ok": True, "path": str(path), "errors": []})


def test_a_document_is_found_by_its_path_or_by_hyp_config(machine: Machine, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    write(other, {"version": 2})
    expected = (0, f"config ok: {other} (plugins=0, sinks=0)\n")
    assert machine.run("validate", str(other)) == expected
    machine.environ["HYP_CONFIG"] = str(other)
    assert machine.run("validate") == expected


def test_all_errors_of_a_document_are_told_one_a_line(machine: Machine) -> None:
    """config-control 6, 25."""
    machine.configure(
        {
            "version": 2,
            "plugins": [
                {"name": "@x/gone"},
                {"name": "@hypaware/codex", "config": {"backfill": {"on_join": "false", "x": 1}}},
            ],
            "query": {"cache": {"retention": {"default_days": 1, "datasets": {"rows": 1}}}},
        }
    )
    code, out = machine.run("validate")
    assert code == 1
    assert (
        out
        == f"""\
config invalid: {machine.home.default_local_config} (4 errors)
  /plugins/0/name: no plugin @x/gone is known; correct the name, \
or install the package that brings it  [plugin_unknown]
  /query/cache/retention/datasets/rows: no provider here makes this dataset \
(known: ai_gateway_messages)  [dataset_unknown]
  /plugins/1/config/backfill/on_join: must be true or false  [config_section_invalid]
  /plugins/1/config/backfill/x: is not a known key of backfill  [config_section_invalid]
"""
    )
    code, result = machine.json("validate")
    assert code == 1
    assert result["ok"] is False
    assert result["errors"][2] == {
        "kind": "config_section_invalid",
        "pointer": "/plugins/1/config/backfill/on_join",
        "message": "must be true or false",
    }


@pytest.mark.parametrize(
    ("content", "kind", "pointers"),
    [
        ("{", "config_invalid_json", [""]),
        ('{"version": 2, "x": NaN}', "config_invalid_json", [""]),
        (
            '{"version": 1, "plugins": {}, "x": 1}',
            "config_invalid_shape",
            ["/version", "/plugins", "/x"],
        ),
        ("[]", "config_invalid_shape", [""]),
        (None, "config_missing", [""]),
    ],
)
def test_what_is_no_document_fails_with_all_that_is_wrong(
    machine: Machine, content: str | None, kind: str, pointers: list[str]
) -> None:
    # config-control 1.
    if content is not None:
        machine.configure(content)
    code, result = machine.json("validate")
    assert code == 1
    assert [(error["kind"], error["pointer"]) for error in result["errors"]] == [
        (kind, pointer) for pointer in pointers
    ]
    code, out = machine.run("validate")
    assert code == 1
    assert len(out.splitlines()) == 1 + len(pointers)


def test_a_folder_is_no_document(machine: Machine, tmp_path: Path) -> None:
    code, out = machine.run("validate", str(tmp_path))
    assert code == 1
    assert "<root>: cannot be read (Is a directory)  [config_unreadable]" in out


@pytest.mark.parametrize(
    "argv",
    [
        ["show", "extra"],
        ["show", "--central", "--local"],
        ["validate", "a", "b"],
        ["validate", "--strict"],
        ["check"],
    ],
)
def test_wrong_arguments_are_a_usage_error(machine: Machine, argv: list[str]) -> None:
    with pytest.raises(UsageError):
        machine.run(*argv)


def test_the_program_knows_the_command(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.configure({"version": 3})
    monkeypatch.setattr(os, "environ", machine.environ)
    monkeypatch.setattr(sys, "argv", ["hyp", "config", "validate"])
    assert cli.main() == 1
    assert "/version: must be 2" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["hyp", "config", "no-such"])
    assert cli.main() == 2
    assert capsys.readouterr().err.startswith("hyp config: no such command: ")
    monkeypatch.setattr(sys, "argv", ["hyp", "config"])
    assert cli.main() == 0
    assert "validate" in capsys.readouterr().out
