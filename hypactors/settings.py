"""Settings of this client: ``<HYP_HOME>/hypactors.toml``, and an environment variable that wins.

The config documents keep their closed key sets, so what is ours alone lives here (contract §3).
"""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from hypactors.errors import ConfigError
from hypactors.files import read_if_present

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypactors.paths import HypHome


def _command(value: object) -> tuple[str, ...]:
    """Split a command as a shell would; no shell ever sees it."""
    words = tuple(shlex.split(value)) if isinstance(value, str) else ()
    if not words:
        raise ValueError("expects a command, such as 'hyp-other --quiet'")
    return words


def _number(least: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        number = float(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int | float) or not number >= least:
            raise ValueError(f"expects a number of at least {least:g}")
        return float(number)

    return read


def _integer(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        number = int(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise ValueError(f"expects a whole number from {least} to {most}")
        return number

    return read


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expects a text that is not empty")
    return value


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "false": False, "0": False}
    flag = words.get(value.lower()) if isinstance(value, str) else None
    if flag is None:
        raise ValueError("expects true or false")
    return flag


def _setting(key: str, variable: str, default: Any, read: Callable[[object], object]) -> Any:
    return field(default=default, metadata={"key": key, "variable": variable, "read": read})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default. Durations are in seconds, sizes in bytes."""

    import_command: tuple[str, ...] | None = _setting(
        "import.command", "HYP_BACKFILL_COMMAND", None, _command
    )
    import_concurrency: int = _setting(
        "import.concurrency", "HYP_IMPORT_CONCURRENCY", 2, _integer(1, 1000)
    )
    import_max_runtime_s: float = _setting(
        "import.max_runtime_s", "HYP_IMPORT_MAX_RUNTIME_S", 21_600.0, _number(1)
    )
    import_no_progress_s: float = _setting(
        "import.no_progress_s", "HYP_IMPORT_NO_PROGRESS_S", 900.0, _number(1)
    )
    import_memory_limit_mib: int = _setting(
        "import.memory_limit_mib", "HYP_IMPORT_MEMORY_LIMIT_MIB", 1536, _integer(64, 2**20)
    )
    import_spread_s: float = _setting("import.spread_s", "HYP_IMPORT_SPREAD_S", 0.0, _number(0))
    import_nice: int = _setting("import.nice", "HYP_IMPORT_NICE", 10, _integer(0, 19))
    settle_s: float = _setting("shutdown.settle_s", "HYP_SETTLE_S", 600.0, _number(0))
    grace_s: float = _setting("shutdown.grace_s", "HYP_GRACE_S", 15.0, _number(0))
    retry_min_s: float = _setting("retry.min_s", "HYP_RETRY_MIN_S", 30.0, _number(0.01))
    retry_max_s: float = _setting("retry.max_s", "HYP_RETRY_MAX_S", 3600.0, _number(0.01))
    resync_s: float = _setting("reconcile.resync_s", "HYP_RESYNC_S", 900.0, _number(0.01))
    log_max_bytes: int = _setting(
        "log.max_bytes", "HYP_LOG_MAX_BYTES", 10_485_760, _integer(4096, 2**40)
    )
    log_files: int = _setting("log.files", "HYP_LOG_FILES", 5, _integer(2, 1000))
    otlp_endpoint: str | None = _setting("otlp.endpoint", "HYP_OTLP_ENDPOINT", None, _text)
    otlp_logs: bool = _setting("otlp.logs", "HYP_OTLP_LOGS", True, _flag)
    otlp_traces: bool = _setting("otlp.traces", "HYP_OTLP_TRACES", True, _flag)
    otlp_headers_file: str | None = _setting(
        "otlp.headers_file", "HYP_OTLP_HEADERS_FILE", None, _text
    )


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and one line for each key in the file that nothing reads."""

    settings: Settings
    unknown_keys: tuple[str, ...]


def load_settings(home: HypHome, environ: Mapping[str, str]) -> LoadedSettings:
    """Read the file and the environment.

    Raises ``ConfigError`` with the file or variable, the key and what it expects.
    """
    in_file = _read_file(home)
    values: dict[str, object] = {}
    for setting in fields(Settings):
        key, variable = setting.metadata["key"], setting.metadata["variable"]
        read: Callable[[object], object] = setting.metadata["read"]
        found = in_file.pop(key, None)
        if environ.get(variable):
            where, found = f"environment variable {variable}", environ[variable]
        else:
            where = f"{home.settings_file}: {key}"
        if found is not None:
            try:
                values[setting.name] = read(found)
            except ValueError as error:
                raise ConfigError(f"{where} {_expectation(error)} (got {found!r})") from error
    return LoadedSettings(Settings(**values), tuple(in_file))  # type: ignore[arg-type]


def _expectation(error: ValueError) -> str:
    text = str(error)
    return text if text.startswith("expects") else "expects a number"


def _read_file(home: HypHome) -> dict[str, object]:
    """Return the file's settings by dotted key."""
    try:
        raw = read_if_present(home.settings_file)
        tables = tomllib.loads((raw or b"").decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{home.settings_file} cannot be read: {error}") from error
    flat: dict[str, object] = {}
    for name, table in tables.items():
        if isinstance(table, dict):
            flat.update({f"{name}.{key}": value for key, value in table.items()})
        else:
            flat[name] = table
    return flat
