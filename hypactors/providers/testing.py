"""Checks that every provider has to pass, ours and those of other packages.

Write a function that puts some history into an empty folder, and hold the provider against it::

    def history(home: Path) -> dict[str, str]:
        (home / "notes").mkdir()
        ...
        return {"HOME": str(home)}

    def test_my_provider(tmp_path: Path) -> None:
        check_provider(PROVIDER, history, tmp_path)

The history should hold several sessions and rows of different times. Each check raises
``AssertionError`` that says what was promised and what came instead.
"""

from __future__ import annotations

import os
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.paths import HypHome
from hypactors.providers._expand import expand
from hypactors.providers._findings import Findings
from hypactors.providers._protocol import ScanContext, Window
from hypactors.providers._registry import fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from hypactors.providers._expand import Row
    from hypactors.providers._protocol import Provider, Scan

    MakeHistory: TypeAlias = Callable[[Path], Mapping[str, str]]
    """Puts history into an empty folder, and returns the environment in which it is found."""

_NOW_MS = 1_800_000_000_000
_FAR_MS = 2_000_000_000_000

ROUNDS = 40
"""How often each file is damaged in another way."""

PATIENCE_S = 5.0
GROWN_BYTES = 8_000_000
MOST_MEMORY = 12
"""How many times its size a file may take in memory while it is read."""

_NASTY = (
    b"",
    b"\n",
    b"\x00" * 4096,
    b"\xff\xfe\xfd" * 1000,
    b'null\n[]\n0\n""\ntrue\n{}\n',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"timestamp": NaN, "x": 1e999}\n',
    b'{"type": "\\ud800", "timestamp": "0000-00-00"}\n',
    b'{"timestamp": 99999999999999999999, "payload": []}\n',
)


def check_provider(provider: Provider, history: MakeHistory, folder: Path) -> None:
    """Run every check, each in an empty folder of its own below ``folder``."""
    check_shape(provider)
    for name, check in (
        ("determinism", check_determinism),
        ("window", check_window),
        ("malformed", check_malformed),
        ("memory", check_memory),
    ):
        here = folder / name
        here.mkdir(parents=True)
        check(provider, history, here)


def check_shape(provider: Provider) -> None:
    """Check names, datasets and methods, as the registry does."""
    fault = fault_of(provider)
    assert fault is None, fault


def check_determinism(provider: Provider, history: MakeHistory, home: Path) -> None:
    """Check that the same files and window make the same rows in the same order."""
    machine = _Machine(provider, home, history(home))
    rows = machine.rows()
    assert rows, "the history of this check makes no rows: nothing would be checked"
    assert machine.scan().sources == machine.scan().sources, "files come in the same order"
    assert machine.rows() == rows, "the same files make the same rows, in the same order"


def check_window(provider: Provider, history: MakeHistory, home: Path) -> None:
    """Check that a window keeps the rows from its first to its last millisecond, and no others."""
    machine = _Machine(provider, home, history(home))
    times = {row.part_id: row.message_created_at for row in machine.rows()}
    # What has no time of its own belongs into every window, even one that nothing else is in.
    timeless = {row.part_id for row in machine.rows(Window(_FAR_MS, None))}
    moments = sorted({moment for part, moment in times.items() if part not in timeless})
    assert len(moments) > 1, "no two rows of different times, or the window makes no difference"
    middle = moments[len(moments) // 2]
    for window in (
        Window(),
        Window(middle, None),
        Window(None, middle),
        Window(middle, middle),
        Window(moments[0] + 1, moments[-1] - 1),
    ):
        found = {row.part_id for row in machine.rows(window)}
        expected = {part for part, at in times.items() if part in timeless or window.keeps(at)}
        assert found == expected, f"{window} keeps {len(expected)} rows, not {len(found)}"


def check_malformed(provider: Provider, history: MakeHistory, home: Path) -> None:
    """Check that no content of a file, and nothing in its place, raises anything."""
    machine = _Machine(provider, home, history(home))
    chance = random.Random(0)  # noqa: S311 - the same on each run
    for source in machine.scan().sources:
        whole = source.read_bytes()
        damaged = [*_NASTY, *(_damage(whole, chance) for _ in range(ROUNDS))]
        for data in damaged:
            source.write_bytes(data)
            machine.rows(sources=[source])
        source.unlink()
        machine.rows(sources=[source])
        os.mkfifo(source)
        _check_pipe(machine, source)
        source.unlink()
        source.mkdir()
        machine.rows(sources=[source])
        source.rmdir()
        source.symlink_to(source.name)
        machine.rows(sources=[source])
        source.unlink()
        source.write_bytes(whole)


def _check_pipe(machine: _Machine, pipe: Path) -> None:
    """Check that a pipe that nobody writes to is not waited on."""
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(machine.rows, sources=[pipe])
        try:
            reading.result(timeout=PATIENCE_S)
        except TimeoutError:
            os.close(os.open(pipe, os.O_WRONLY))  # lets the reader go
            raise AssertionError("a pipe in the place of a file is waited on") from None


def check_memory(provider: Provider, history: MakeHistory, home: Path) -> None:
    """Check that reading a long file takes memory in proportion to it, and not much more."""
    machine = _Machine(provider, home, history(home))
    source = max(machine.scan().sources, key=lambda path: path.stat().st_size)
    whole = source.read_bytes()
    source.write_bytes(whole * (GROWN_BYTES // len(whole) + 1))
    size = source.stat().st_size
    scan = machine.scan()
    tracemalloc.start()
    try:
        for _ in machine.each_row(scan, [source]):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY * size, (
        f"{source.name} of {size:,} bytes took {peak:,} bytes of memory"
    )


@dataclass(frozen=True, slots=True)
class _Machine:
    provider: Provider
    home: Path
    environ: Mapping[str, str]

    def scan(self, window: Window | None = None) -> Scan:
        return self.provider.scan(
            ScanContext(
                window=window or Window(),
                environ=self.environ,
                home=HypHome(self.home / ".hyp"),
                is_configured=lambda _plugin: True,
                findings=Findings(),
            )
        )

    def rows(
        self, window: Window | None = None, sources: Sequence[Path] | None = None
    ) -> list[Row]:
        scan = self.scan(window)
        return list(self.each_row(scan, scan.sources if sources is None else sources))

    def each_row(self, scan: Scan, sources: Sequence[Path]) -> Iterator[Row]:
        for source in sources:
            for exchange in scan.exchanges(source):
                yield from expand(exchange, now_ms=_NOW_MS)


def _damage(whole: bytes, chance: random.Random) -> bytes:
    """Return the file cut, mixed up, overwritten in places, or repeated."""
    data = bytearray(whole)
    match chance.randrange(4):
        case 0:
            return bytes(data[: chance.randrange(len(data) + 1)])
        case 1:
            for _ in range(chance.randrange(1, 30)):
                if data:
                    data[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(data)
        case 2:
            lines = whole.splitlines(keepends=True)
            chance.shuffle(lines)
            return b"".join(lines)
        case _:
            at = chance.randrange(len(data) + 1)
            return bytes(data[:at]) + chance.randbytes(chance.randrange(2000)) + bytes(data[at:])
