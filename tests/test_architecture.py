"""Who may import whom: read from the source, and from the modules that a program has loaded."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hypactors"

LAYERS = (
    {
        "",
        "messages",
        "paths",
        "errors",
        "files",
        "clock",
        "settings",
        "control",
        "supervision",
        "dataset",
        "lake",
        "usage_policy",
        "words",
    },
    {"config"},
    {"central"},
    {"actions", "processes", "providers", "cache", "forward"},
    {"status", "observability", "logs", "service", "central.server", "importing", "sql"},
    {"actors", "doctor", "report"},
    {"cli"},
    {"__main__"},
)
"""The parts of the package from the lowest layer up; "" is the package itself."""

DATA_PLANE = {"pyarrow", "pyiceberg", "duckdb"}

EXPORTING = {"opentelemetry", "requests"}
"""Packages of the optional group ``otel``."""

LONGEST_FILE_LINES = 400


class Import(NamedTuple):
    """One import that happens when the program runs, now or later."""

    importer: str
    line: int
    module: str

    @property
    def part(self) -> str:
        """The part of our package that is imported."""
        if self.module.startswith("hypactors.central.server"):
            return "central.server"
        return ".".join(self.module.split(".")[1:2])

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}"


def part_of(path: Path) -> str:
    if path.is_relative_to(PACKAGE / "central" / "server"):
        return "central.server"
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if part == "__init__" else part


def layer_of(part: str) -> int:
    [layer] = [number for number, parts in enumerate(LAYERS) if part in parts]
    return layer


def imports(path: Path) -> Iterator[Import]:
    """Yield the imports of a file, those inside functions too, those of type checkers not."""
    name = str(path.relative_to(ROOT))
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                waiting += node.orelse
                continue
            case ast.Import(names=names):
                yield from (Import(name, node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                # `from hypactors import control` imports a part of ours by its short name.
                inner = {alias.name for alias in names} if module == "hypactors" else set()
                parts = {each for each in inner if (PACKAGE / f"{each}.py").exists()}
                parts |= {each for each in inner if (PACKAGE / each).is_dir()}
                yield from (Import(name, node.lineno, f"hypactors.{part}") for part in parts)
                if not parts or parts != inner:
                    yield Import(name, node.lineno, module)
            case ast.ImportFrom():
                raise AssertionError(f"{name}:{node.lineno} has a relative import")
        waiting += ast.iter_child_nodes(node)


FILES = {path: list(imports(path)) for path in sorted(PACKAGE.rglob("*.py"))}


def ours(path: Path) -> list[Import]:
    """Return what a file imports of other parts of the package."""
    return [
        each
        for each in FILES[path]
        if each.module.split(".")[0] == "hypactors" and each.part != part_of(path)
    ]


def test_the_source_is_found() -> None:
    assert len(FILES) > 50
    assert all(layer_of(part_of(path)) >= 0 for path in FILES), "each part has its layer"
    reconciler = {each.part for each in ours(PACKAGE / "actors" / "_reconciler.py")}
    assert {"actions", "messages", "supervision"} <= reconciler
    assert "config" not in {each.part for each in ours(PACKAGE / "messages.py")}, "types only"


def test_imports_go_downwards_only() -> None:
    """Inside one layer too no sub-package imports another; plain modules of the lowest may."""
    wrong = []
    for path in FILES:
        here = layer_of(part_of(path))
        wrong += [
            str(each)
            for each in ours(path)
            if layer_of(each.part) > here or (layer_of(each.part) == here and here > 0)
        ]
    assert wrong == []


def test_supervision_knows_nothing_of_the_rest() -> None:
    assert [
        str(each) for path in FILES if part_of(path) == "supervision" for each in ours(path)
    ] == []


def test_nothing_of_the_lowest_layer_counts_on_actors() -> None:
    lowest = [path for path in FILES if layer_of(part_of(path)) == 0]
    assert [
        str(each)
        for path in lowest
        if part_of(path) != "supervision"
        for each in FILES[path]
        if each.module.split(".")[0] == "pykka" or each.part == "supervision"
    ] == []


def test_the_actors_never_import_providers_or_the_cache() -> None:
    """Not even later, inside a function."""
    actors = [path for path in FILES if part_of(path) == "actors"]
    assert len(actors) > 5
    assert [
        str(each) for path in actors for each in ours(path) if each.part in {"providers", "cache"}
    ] == []


def test_only_the_cache_imports_the_data_plane() -> None:
    users = {
        part_of(path)
        for path, found in FILES.items()
        if any(each.module.split(".")[0] in DATA_PLANE for each in found)
    }
    assert users == {"cache", "dataset", "importing", "sql"}


def test_only_the_command_line_imports_the_cache() -> None:
    """And the server, which keeps the rows of a fleet in the same way."""
    users = {part_of(path) for path in FILES if any(each.part == "cache" for each in ours(path))}
    assert users == {"cli", "central.server", "importing", "sql"}


def test_only_the_command_line_imports_the_server() -> None:
    users = {
        part_of(path) for path in FILES if any(each.part == "central.server" for each in ours(path))
    }
    assert users <= {"cli"}


def test_only_one_module_loads_opentelemetry() -> None:
    """It is loaded when something is to be exported, and is not there on every machine."""
    users = {
        str(path.relative_to(PACKAGE))
        for path, found in FILES.items()
        if any(each.module.split(".")[0] in EXPORTING for each in found)
    }
    assert users == {"observability/_otlp_collector.py"}


def test_no_file_is_too_long() -> None:
    """Above 400 lines a second subject has crept in."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE_LINES} == {}


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after a snippet."""
    tell = "import json, sys; sys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{code}\n{tell}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=30,
    )
    return set(json.loads(done.stderr))


def dependencies(loaded: set[str]) -> set[str]:
    """Return which of the packages that we depend on are among the modules."""
    known = DATA_PLANE | EXPORTING | {"msgspec", "psutil", "pykka", "sqlalchemy", "structlog"}
    return known & {name.split(".")[0] for name in loaded}


def parts(loaded: set[str]) -> set[str]:
    """Return which parts of our own package are among the modules."""
    return {name.split(".")[1] for name in loaded if name.startswith("hypactors.")}


@pytest.mark.process
def test_the_version_loads_nothing() -> None:
    loaded = loaded_by(
        "import sys; sys.argv = ['hyp', '--version']\nfrom hypactors.cli.main import main; main()"
    )
    assert dependencies(loaded) == set()
    assert parts(loaded) == {"cli"}
    assert not {"asyncio", "logging", "typing", "dataclasses"} & loaded


@pytest.mark.process
def test_a_status_that_a_daemon_answers_loads_next_to_nothing() -> None:
    loaded = loaded_by("import hypactors.cli.status")
    assert dependencies(loaded) == set()
    assert parts(loaded) <= {"cli", "control", "errors", "files", "paths", "status"}


@pytest.mark.process
def test_the_daemon_does_not_load_the_data_plane() -> None:
    loaded = loaded_by("import hypactors.cli.daemon, hypactors.actors")
    assert dependencies(loaded) <= {"msgspec", "psutil", "pykka", "structlog"}
    assert not {"providers", "cache"} & parts(loaded)


@pytest.mark.process
def test_the_providers_a_daemon_looks_up_do_not_load_the_data_plane() -> None:
    loaded = loaded_by("from hypactors.providers import find_providers; find_providers()")
    assert not DATA_PLANE & dependencies(loaded)
    assert "cache" not in parts(loaded)


@pytest.mark.process
def test_the_launcher_of_an_import_is_small() -> None:
    """It lives as long as the import; the standard library is enough for it."""
    loaded = loaded_by("import hypactors.processes._launcher")
    assert dependencies(loaded) == set()
    assert parts(loaded) == {"files", "processes"}
