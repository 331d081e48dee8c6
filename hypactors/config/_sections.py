"""What a plugin's own ``config`` may hold: the contract of a validator, and the rules built in.

The pointers of a validator are relative to the plugin's ``config`` (config-control §1.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

from hypactors.config._document import child_pointer


@dataclass(frozen=True, slots=True)
class SectionError:
    """One thing that a plugin does not accept in its ``config``, and where (a JSON pointer)."""

    pointer: str
    message: str


SectionValidator: TypeAlias = Callable[[Mapping[str, Any]], Iterable[SectionError]]
SectionValidators: TypeAlias = Mapping[str, SectionValidator]
"""The validator of each plugin that has one, by the plugin's name."""

_Rule: TypeAlias = Callable[[object], str | None]
"""Says what a value must be when it is not."""


def _is_integer(value: object) -> TypeGuard[float]:
    # A bool is an int to Python, never a number to a config; 30.0 is 30 to the other client.
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _name(value: object) -> str | None:
    return None if isinstance(value, str) and value else "must be a non-empty string"


def _positive_integer(value: object) -> str | None:
    return None if _is_integer(value) and value >= 1 else "must be an integer, 1 or more"


def _port(value: object) -> str | None:
    is_port = _is_integer(value) and 0 <= value <= 65535  # noqa: PLR2004 - 16 bits
    return None if is_port else "must be an integer from 0 to 65535"


_BACKFILL: Mapping[str, _Rule] = {"on_join": _flag, "window_days": _positive_integer}
_ATTACH: Mapping[str, _Rule] = {"on_join": _flag}
_TELEMETRY: Mapping[str, _Rule] = {
    "listen_host": _name,
    "listen_port": _port,
    "spool_max_bytes": _positive_integer,
}


def _validate_claude(config: Mapping[str, Any]) -> Iterator[SectionError]:
    return _check(config, backfill=_BACKFILL, attach=_ATTACH, telemetry=_TELEMETRY)


def _validate_codex(config: Mapping[str, Any]) -> Iterator[SectionError]:
    return _check(config, backfill=_BACKFILL, attach=_ATTACH)


BUILT_IN_SECTIONS: SectionValidators = {
    "@hypaware/claude": _validate_claude,
    "@hypaware/codex": _validate_codex,
}


def _check(config: object, **blocks: Mapping[str, _Rule]) -> Iterator[SectionError]:
    """Check the blocks that have rules; whatever stands beside them passes."""
    if config is None:
        return
    if not isinstance(config, Mapping):
        yield SectionError("", "must be an object")
        return
    for name, block in config.items():
        if name not in blocks:
            continue
        if not isinstance(block, Mapping):
            yield SectionError(f"/{name}", "must be an object")
            continue
        for key, value in block.items():
            rule = blocks[name].get(key)
            complaint = rule(value) if rule else f"is not a known key of {name}"
            if complaint is not None:
                yield SectionError(child_pointer(f"/{name}", key), complaint)
