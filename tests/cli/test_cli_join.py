"""``hyp join`` and ``hyp leave`` without a daemon: what they write, and what they say."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.central import Identity, write_identity
from hypactors.cli import join, leave
from hypactors.errors import HypError, UsageError
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "https://hyp.example.com/x/"
TOKEN = "canary-token"


class Terminal(io.StringIO):
    def __init__(self, text: str = "", *, is_terminal: bool = False) -> None:
        super().__init__(text)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


class Person:
    """Somebody who types commands."""

    def __init__(
        self, home: HypHome, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.home = home
        self._capsys = capsys
        self._patch = patch
        self.environ = {"HYP_HOME": str(home.root), "HOME": str(home.root.parent)}
        self.out = self.err = ""

    def _do(self, command: Callable[..., int], *argv: str) -> int:
        code = command(argv, self.environ)
        self.out, self.err = self._capsys.readouterr()
        assert TOKEN not in self.out + self.err
        return code

    def join(self, *argv: str, stdin: str = "", is_terminal: bool = False) -> int:
        self._patch.setattr("sys.stdin", Terminal(stdin, is_terminal=is_terminal))
        return self._do(join.main, *argv, "--no-daemon")

    def leave(self) -> int:
        return self._do(leave.main)

    def seed(self) -> Any:
        return json.loads(self.home.seed_file.read_bytes())


@pytest.fixture
def person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Person:
    return Person(HypHome(tmp_path / "hyp"), capsys, monkeypatch)


def test_the_seed_is_exactly_this(person: Person) -> None:
    """central 30: for its owner alone, and nothing but the control folder is touched."""
    assert person.join(URL, stdin=f" {TOKEN}\n") == 0
    assert person.seed() == {
        "version": 2,
        "plugins": [{"name": "@hypaware/central"}],
        "sinks": {
            "central": {
                "plugin": "@hypaware/central",
                "config": {"url": URL, "identity": {"bootstrap_token": TOKEN}},
            }
        },
    }
    assert person.home.seed_file.stat().st_mode & 0o777 == 0o600
    assert person.home.control_dir.stat().st_mode & 0o777 == 0o700
    assert not person.home.default_local_config.exists()
    assert not person.home.active_link.is_symlink()
    assert str(person.home.seed_file) in person.out
    assert "daemon install skipped" in person.out


def test_the_token_from_a_file(person: Person, tmp_path: Path) -> None:
    """central 30: trimmed."""
    (tmp_path / "token").write_text(f"\n  {TOKEN}  \n")
    assert person.join(URL, "--token-file", str(tmp_path / "token")) == 0
    assert person.seed()["sinks"]["central"]["config"]["identity"]["bootstrap_token"] == TOKEN
    assert person.err == ""


@pytest.mark.parametrize("dash", [(), ("-",)])
def test_the_token_from_stdin(person: Person, dash: tuple[str, ...]) -> None:
    assert person.join(URL, *dash, stdin=TOKEN) == 0


def test_a_token_that_everybody_can_see_is_warned_of(person: Person) -> None:
    """contract §9."""
    assert person.join(URL, TOKEN) == 0
    assert "other users of this machine" in person.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "missing <url>"),
        (["nonsense"], "not a valid URL"),
        (["ftp://h/"], "http(s)"),
        (["http://hyp.example.com/"], "must be https"),
        ([URL, TOKEN, "--token-file", "x"], "not both"),
        ([URL, "  "], "token is empty"),
        ([URL, "--nonsense"], "no such option: '--nonsense'"),
    ],
)
def test_a_command_line_that_is_wrong(person: Person, argv: list[str], said: str) -> None:
    """central 30: exit 2, and nothing is written."""
    with pytest.raises(UsageError) as wrong:
        person.join(*argv)
    assert said in str(wrong.value)
    assert TOKEN not in str(wrong.value)
    assert not person.home.root.exists()


def test_no_token_at_a_terminal(person: Person) -> None:
    with pytest.raises(UsageError, match="no token given"):
        person.join(URL, is_terminal=True)
    with pytest.raises(UsageError, match="token is empty"):
        person.join(URL, stdin="")


def test_a_token_file_that_is_not_there(person: Person, tmp_path: Path) -> None:
    """central 30: exit 1."""
    with pytest.raises(HypError, match=r"--token-file: .*none.* cannot be read"):
        person.join(URL, "--token-file", str(tmp_path / "none"))
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(HypError, match="it is no text"):
        person.join(URL, "--token-file", str(tmp_path / "bytes"))


def applied(home: HypHome) -> None:
    """Leave what a machine has that runs a config of a server."""
    home.slot_file("b").write_text('{"version": 2}')
    home.slot_etag_file("b").write_text("E1\n")
    home.active_link.symlink_to("config.b.json")
    home.state_file.write_text('{"bad_etag": {"etag": "E0"}}')


def test_joining_again_begins_anew(person: Person) -> None:
    """config-control 41: pointer, slots and memory are gone; the seed is what runs."""
    person.join(URL, stdin=TOKEN)
    applied(person.home)
    assert person.join("https://other.example/", stdin=TOKEN) == 0
    assert "superseded" in person.out
    assert sorted(path.name for path in person.home.control_dir.iterdir()) == ["seed.json"]
    assert person.seed()["sinks"]["central"]["config"]["url"] == "https://other.example/"
    person.join(URL, stdin=TOKEN)
    assert "superseded" not in person.out


def test_the_first_day_is_held_unless_it_is_not(person: Person) -> None:
    """contract §9."""
    person.join(URL, "--no-hold", stdin=TOKEN)
    assert not person.home.first_sync_hold_file.exists()
    person.join(URL, stdin=TOKEN)
    assert person.home.first_sync_hold_file.exists()
    assert "no history leaves this machine before" in person.out


def identity(path: Path) -> Path:
    write_identity(path, Identity("a.b.c", 9, "gw"))
    return path


def test_a_leave_takes_config_and_identity_and_nothing_else(person: Person) -> None:
    """config-control 42 and 44."""
    person.join(URL, stdin=TOKEN)
    applied(person.home)
    identity(person.home.identity_file)
    local = {
        "version": 2,
        "plugins": [{"name": "@hypaware/central"}],
        "sinks": {"mine": {"plugin": "@hypaware/central", "config": {"url": URL, "identity": {}}}},
    }
    person.home.default_local_config.write_text(json.dumps(local))
    markers = '{"backfill": {"@hypaware/claude": {"status": "done", "rows": 7}}}'
    person.home.marker_file.write_text(markers)

    assert person.leave() == 0
    assert sorted(path.name for path in person.home.control_dir.iterdir()) == [
        "client-actions.json"
    ]
    assert not person.home.identity_file.exists()
    assert person.home.default_local_config.read_text() == json.dumps(local)
    assert person.home.marker_file.read_text() == markers
    assert "central sink mine" in person.out
    assert "has left its fleet" in person.out

    assert person.leave() == 0
    assert "nothing to leave" in person.out
    assert "central sink mine" in person.out, "config-control §7.2: always mentioned"


def test_an_identity_elsewhere_goes_as_well(person: Person, tmp_path: Path) -> None:
    """config-control 44: if it is one."""
    person.join(URL, stdin=TOKEN)
    seed = person.seed()
    where = identity(tmp_path / "elsewhere.json")
    seed["sinks"]["central"]["config"]["identity"]["persisted_path"] = str(where)
    person.home.seed_file.write_text(json.dumps(seed))
    assert person.leave() == 0
    assert not where.exists()


def test_no_config_has_another_file_deleted(person: Person, tmp_path: Path) -> None:
    person.join(URL, stdin=TOKEN)
    seed = person.seed()
    treasure = tmp_path / "treasure"
    treasure.write_text("gold")
    seed["sinks"]["central"]["config"]["identity"]["persisted_path"] = str(treasure)
    person.home.seed_file.write_text(json.dumps(seed))
    assert person.leave() == 1
    assert treasure.read_text() == "gold"
    assert "could not be removed" in person.err
    assert not person.home.seed_file.exists(), "the other steps were made"


def test_what_another_client_attached_is_named_and_kept(person: Person) -> None:
    """config-control 44, contract §1."""
    person.join(URL, stdin=TOKEN)
    markers = '{"attach": {"claude": {"status": "done", "installed_assets": ["/x"]}}}'
    person.home.marker_file.write_text(markers)
    assert person.leave() == 0
    assert "claude was attached by another client" in person.out
    assert person.home.marker_file.read_text() == markers


def test_a_link_to_nothing_is_cleaned_up(person: Person) -> None:
    """config-control 43."""
    person.home.control_dir.mkdir(parents=True)
    person.home.active_link.symlink_to("config.b.json")
    assert person.leave() == 0
    assert not person.home.active_link.is_symlink()


def test_a_folder_that_cannot_be_changed(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """config-control 43: exit 1, and the later steps are made all the same."""
    person.join(URL, stdin=TOKEN)
    identity(person.home.identity_file)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("hypactors.cli.leave.remove", refuse)
        assert person.leave() == 1
    assert "Permission denied" in person.err
    assert not person.home.identity_file.exists()
    assert person.leave() == 0


def test_a_daemon_that_does_not_answer_keeps_its_home(person: Person) -> None:
    """Somebody owns it: nothing is changed behind its back."""
    from hypactors.actors import own_home  # noqa: PLC0415 - only here

    with own_home(person.home), pytest.raises(HypError, match="another daemon"):
        person.join(URL, stdin=TOKEN)
    assert not person.home.seed_file.exists()
    assert os.listdir(person.home.control_dir.parent)  # noqa: PTH208 - that there is any


def test_a_service_that_cannot_be_started(
    person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """central 30: its code; the seed is there, and the person hears what to do."""
    monkeypatch.setattr("sys.stdin", Terminal(TOKEN))
    monkeypatch.setattr("hypactors.cli.join.service_of", lambda _environ: None)
    monkeypatch.setattr("hypactors.cli.join.install", lambda _service, **_: 1)
    assert join.main([URL], person.environ) == 1
    assert "'hyp daemon --actors' does it here" in capsys.readouterr().out
    assert person.seed()
