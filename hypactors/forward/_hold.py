"""When nothing may leave yet: the first day after a join, and rows that belong to another fleet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.clock import iso_ms
from hypactors.files import ensure_private_dir, read_if_present, remove, write_atomic

if TYPE_CHECKING:
    from hypactors.paths import HypHome


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is sent before ``until``, unless its owner lets it go."""

    until: datetime


def end_of_hold(now: datetime) -> datetime:
    """Return the last second of the day, in the zone that ``now`` is in (contract §9)."""
    return now.replace(hour=23, minute=59, second=59, microsecond=0)


def write_first_sync_hold(home: HypHome, now: datetime, pid: int) -> Hold:
    """Begin a hold. ``now`` is in local time: a person's day ends by the clock on the wall.

    The file is that of central §4.2. Raises ``OSError``.
    """
    hold = Hold(end_of_hold(now))
    record = {
        "version": 1,
        "created_at": iso_ms(now),
        "deadline": iso_ms(hold.until),
        "deadline_ms": int(hold.until.timestamp() * 1000),
        "pid": pid,
    }
    ensure_private_dir(home.usage_policy_dir)
    write_atomic(home.first_sync_hold_file, msgspec.json.encode(record) + b"\n")
    return hold


def read_first_sync_hold(home: HypHome, now: datetime) -> Hold | None:
    """Return the hold that is in force. One that cannot be read is none (central §4.2)."""
    try:
        fields: Any = msgspec.json.decode(read_if_present(home.first_sync_hold_file) or b"null")
        deadline_ms = fields["deadline_ms"]
        is_hold = fields["version"] == 1 and type(deadline_ms) in {int, float}
        until = datetime.fromtimestamp(deadline_ms / 1000, UTC) if is_hold else now
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return Hold(until) if until > now else None


def drop_past_hold(home: HypHome, now: datetime) -> None:
    """Remove a hold that is over, or no hold at all."""
    if home.first_sync_hold_file.exists() and read_first_sync_hold(home, now) is None:
        remove(home.first_sync_hold_file)


def release_hold(home: HypHome) -> bool:
    """End a hold before its time; say whether there was one."""
    return remove(home.first_sync_hold_file) if home.first_sync_hold_file.exists() else False


def describe_until(until: datetime) -> str:
    """Return date, time and zone as a person reads them.

    >>> describe_until(datetime(2026, 6, 25, 23, 59, 59, tzinfo=UTC)).split()[0]
    '2026-06-25'
    """
    local = until.astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"


# Rows of another fleet


@dataclass(frozen=True, slots=True)
class ForeignRows:
    """Rows up to ``through_seq`` of a cache came in before the machine joined this fleet."""

    fleet: str
    cache_id: str
    through_seq: int


class Fleets:
    """Which fleets the machine has been in, and which rows came from before the last one.

    Kept apart from the config, which a leave takes away.
    """

    def __init__(self, home: HypHome) -> None:
        self._path = home.fleets_file

    def last_joined(self) -> str | None:
        joined = self._read().get("joined")
        return joined if isinstance(joined, str) else None

    def held(self, fleet: str, cache_id: str) -> int:
        """Return the number up to which rows are not sent to this fleet; 0 holds nothing."""
        for each in self._foreign():
            if (each.fleet, each.cache_id) == (fleet, cache_id):
                return each.through_seq
        return 0

    def joined(self, fleet: str, foreign: ForeignRows | None, now: datetime) -> None:
        """Note a join; ``foreign`` are the rows that were there before. Raises ``OSError``."""
        kept = [each for each in self._foreign() if foreign is None or each.fleet != fleet]
        self._write(fleet, [*kept, *([foreign] if foreign else [])], now)

    def release(self, fleet: str, now: datetime) -> bool:
        """Let all rows go to this fleet; say whether any were held."""
        foreign = self._foreign()
        kept = [each for each in foreign if each.fleet != fleet]
        if len(kept) == len(foreign):
            return False
        self._write(self.last_joined(), kept, now)
        return True

    def _foreign(self) -> list[ForeignRows]:
        listed = self._read().get("foreign_rows")
        found = []
        for each in listed if isinstance(listed, list) else []:
            try:
                found.append(msgspec.convert(each, ForeignRows))
            except msgspec.ValidationError:
                continue
        return found

    def _read(self) -> dict[str, Any]:
        try:
            fields: Any = msgspec.json.decode(read_if_present(self._path) or b"null")
        except (OSError, ValueError, RecursionError):
            return {}
        return fields if isinstance(fields, dict) else {}

    def _write(self, joined: str | None, foreign: list[ForeignRows], now: datetime) -> None:
        record = {"v": 1, "joined": joined, "foreign_rows": foreign, "updated_at": iso_ms(now)}
        ensure_private_dir(self._path.parent)
        write_atomic(self._path, msgspec.json.encode(record) + b"\n")


def local_now() -> datetime:
    """Return the time on the wall clock of this machine, with its zone."""
    return datetime.now(UTC).astimezone()
