"""Every provider that we bring, and the template, keeps what the test kit asks (import 21)."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.providers import Exchange, Message
from hypactors.providers.claude import PROVIDER as CLAUDE
from hypactors.providers.codex import PROVIDER as CODEX
from hypactors.providers.files import open_regular
from hypactors.providers.testing import (
    check_determinism,
    check_malformed,
    check_memory,
    check_provider,
    check_shape,
    check_window,
)

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "transcripts"


def loaded(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def claude_history(home: Path) -> dict[str, str]:
    projects = DATA / "claude-a" / "home" / ".claude" / "projects"
    some = sorted(projects.rglob("*.jsonl"), key=lambda path: path.stat().st_size)[:3]
    for path in some:
        target = home / ".claude" / "projects" / path.relative_to(projects)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return {"HOME": str(home), "PATH": "/usr/bin:/bin"}


def codex_history(home: Path) -> dict[str, str]:
    for corpus in ("codex-a", "codex-edge"):
        shutil.copytree(DATA / corpus / "home" / ".codex", home / ".codex", dirs_exist_ok=True)
    found = sorted((home / ".codex").rglob("rollout-*"), key=lambda path: path.stat().st_size)
    for path in found[6:-2]:
        path.unlink()
    return {"HOME": str(home), "PATH": "/usr/bin:/bin"}


def test_claude_keeps_them(tmp_path: Path) -> None:
    check_provider(CLAUDE, claude_history, tmp_path)


def test_codex_keeps_them(tmp_path: Path) -> None:
    check_provider(CODEX, codex_history, tmp_path)


def test_the_template_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The template's own test, as its reader would run it."""
    template = ROOT / "examples" / "provider"
    monkeypatch.syspath_prepend(template / "src")
    tests = loaded(template / "tests" / "test_notes.py", "template_test_notes")
    tests.test_the_provider_keeps_its_promises(tmp_path)


class Careless:
    """A provider that breaks one promise."""

    name = "careless"
    plugin = "@x/careless"
    datasets: tuple[str, ...] = ("ai_gateway_messages",)
    summary = "Import something"

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.calls = 0

    def scan(self, context: Any) -> Any:
        self.calls += 1
        self.window = context.window
        self.sources = sorted(Path(context.environ["HOME"]).glob("*.txt"))
        return self

    def exchanges(self, source: Path) -> Any:
        try:
            if self.fault == "pipe":
                data = source.read_bytes()
            else:
                with open_regular(source) as stream:
                    data = stream.read()
        except OSError:
            if self.fault == "missing":
                raise
            return
        text = data.decode("utf-8" if self.fault == "bytes" else "latin-1")
        if self.fault == "memory":
            text += text[:200_000] * 1000
        name = f"{source.stem}{self.calls}" if self.fault == "random" else source.stem
        messages = [
            Message(
                role="user",
                content=text[:10] or "-",
                message_id=f"{name}{at}",
                message_created_ms=at,
            )
            for at in (1000, 2000, 3000)
            if self.fault == "window" or self.window.keeps(at)
        ]
        yield Exchange(
            provider="x", session_id=name, client_name="x", source_path=str(source),
            native_id=name, messages=messages,
        )  # fmt: skip


def careless_history(home: Path) -> dict[str, str]:
    for name in ("a", "b"):
        (home / f"{name}.txt").write_text("plain text\n" * 20)
    return {"HOME": str(home)}


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("random", check_determinism),
        ("window", check_window),
        ("bytes", check_malformed),
        ("missing", check_malformed),
        ("pipe", check_malformed),
        ("memory", check_memory),
    ],
)
def test_the_kit_catches_a_broken_promise(fault: str, check: Any, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, UnicodeDecodeError, OSError)):
        check(Careless(fault), careless_history, tmp_path)


def test_the_kit_lets_a_careful_one_pass(tmp_path: Path) -> None:
    for number, check in enumerate((check_determinism, check_window, check_malformed)):
        home = tmp_path / str(number)
        home.mkdir()
        check(Careless(""), careless_history, home)


def test_the_kit_checks_the_shape() -> None:
    shapeless = Careless("")
    shapeless.summary = ""
    with pytest.raises(AssertionError, match="'summary'"):
        check_shape(shapeless)
