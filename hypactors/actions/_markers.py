"""Markers: what became of each unit, as ``client-actions.json`` holds it (client-actions §3)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.actions._coverage import Covered
from hypactors.actions._json import decode_json, encode_json, whole_number
from hypactors.clock import iso_ms, parse_iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FILE_NAME = "client-actions.json"

DONE = "done"
FAILED = "failed"
REFUSED = "refused"

# Reserved by the format for a state that status shows as done (client-actions §3).
_APPLIED = "applied"


@dataclass(frozen=True, slots=True)
class Marker:
    """The record of one unit. The properties read ``fields`` and never raise.

    A field of the wrong type counts as absent, and a field nobody here knows is kept.
    """

    fields: Mapping[str, Any]

    @property
    def status(self) -> str | None:
        return self._text("status")

    @property
    def request_key(self) -> str | None:
        return self._text("request_key")

    @property
    def rows(self) -> int | None:
        return whole_number(self.fields.get("rows"))

    @property
    def at(self) -> str | None:
        return self._text("at")

    @property
    def reason(self) -> str | None:
        return self._text("reason")

    @property
    def last_attempt(self) -> str | None:
        return self._text("last_attempt")

    @property
    def attempts(self) -> int | None:
        """How often in a row it failed; only a failed marker has it."""
        return whole_number(self.fields.get("attempts"))

    @property
    def run_id(self) -> str | None:
        return self._text("run_id")

    @property
    def fleet(self) -> str | None:
        """The fleet in which it was done; None when none is recorded."""
        return self._text("fleet")

    @property
    def files(self) -> int | None:
        """How many files of history there were."""
        return whole_number(self.fields.get("files"))

    @property
    def cache_id(self) -> str | None:
        """The cache that it was put into; None when none is recorded."""
        return self._text("cache_id")

    @property
    def covered(self) -> Covered | None:
        return Covered.read(self.fields.get("covered"))

    @property
    def next_attempt_at(self) -> datetime | None:
        text = self._text("next_attempt_at")
        try:
            return None if text is None else parse_iso(text)
        except (ValueError, OverflowError):
            return None

    @property
    def installed_assets(self) -> tuple[str, ...]:
        """The absolute paths that ``reverse`` has to remove."""
        return asset_paths(self.fields.get("installed_assets"))

    @property
    def prior_done(self) -> bool:
        return self.fields.get("prior_done") is True

    @property
    def is_done(self) -> bool:
        return self.status in {DONE, _APPLIED}

    @property
    def has_applied_effect(self) -> bool:
        """Whether something of an earlier ``done`` may still be in place."""
        return bool(self.installed_assets) or self.prior_done

    def with_next_attempt_at(self, now: datetime, delay_s: float) -> Marker:
        """Return the marker with the time before which no timer pass tries it again."""
        moment = iso_ms(now + timedelta(seconds=delay_s))
        return Marker({**self.fields, "next_attempt_at": moment})

    def _text(self, name: str) -> str | None:
        value = self.fields.get(name)
        return value if isinstance(value, str) else None


def asset_paths(value: object) -> tuple[str, ...]:
    """Return the strings of a list; anything else counts as none."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(path for path in value if isinstance(path, str))


@dataclass(frozen=True, slots=True)
class MarkerBook:
    """All markers by kind and request key, no kind without any. Never changed in place.

    A kind that nobody touched is written back byte for byte, so that what another client recorded
    there is safe with us. Two books are equal when they hold the same markers.
    """

    buckets: Mapping[str, Mapping[str, Marker]] = field(default_factory=dict)
    untouched: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, raw: bytes | None) -> LoadedMarkers:
        """Read what is good in a marker file and name what is not. Never raises."""
        if raw is None:
            return LoadedMarkers(cls())
        try:
            document = decode_json(raw)
        except ValueError as error:
            return LoadedMarkers(cls(), (f"{FILE_NAME} is not JSON and counts as empty: {error}",))
        if not isinstance(document, dict):
            return LoadedMarkers(cls(), (f"{FILE_NAME} is no JSON object and counts as empty",))

        stored = _stored_buckets(raw)
        buckets: dict[str, Mapping[str, Marker]] = {}
        untouched: dict[str, bytes] = {}
        problems: list[str] = []
        for kind, bucket in document.items():
            if not isinstance(bucket, dict):
                problems.append(f"{FILE_NAME}: {kind!r} is no object and is left out")
                continue
            good = {key: Marker(each) for key, each in bucket.items() if isinstance(each, dict)}
            bad = [key for key in bucket if key not in good]
            problems += [
                f"{FILE_NAME}: marker {key!r} of {kind!r} is no object and is left out"
                for key in bad
            ]
            if good:
                buckets[kind] = good
                if not bad and kind in stored:
                    untouched[kind] = stored[kind]
        return LoadedMarkers(cls(buckets, untouched), tuple(problems))

    def get(self, kind: str, request_key: str) -> Marker | None:
        return self.bucket(kind).get(request_key)

    def bucket(self, kind: str) -> Mapping[str, Marker]:
        """Return the markers of one kind by request key, in the order of the file."""
        return self.buckets.get(kind, {})

    def with_marker(self, kind: str, request_key: str, marker: Marker) -> MarkerBook:
        """Return a book that holds ``marker``: this very book when it already does."""
        if self.get(kind, request_key) == marker:
            return self
        return self._with_bucket(kind, {**self.bucket(kind), request_key: marker})

    def without(self, kind: str, request_key: str) -> MarkerBook:
        """Return a book without that marker: this very book when it has none."""
        bucket = self.bucket(kind)
        if request_key not in bucket:
            return self
        rest = {key: marker for key, marker in bucket.items() if key != request_key}
        return self._with_bucket(kind, rest)

    def of_fleet(self, fleet: str | None) -> MarkerBook:
        """Return the markers that count in this fleet (contract §9).

        A machine that joins another fleet starts fresh, and finds its markers when it comes back.
        One that names no fleet, as the other client writes them, counts anywhere.
        """
        foreign = [
            (kind, key)
            for kind, bucket in self.buckets.items()
            for key, marker in bucket.items()
            if fleet is not None and marker.fleet not in {None, fleet}
        ]
        book = self
        for kind, key in foreign:
            book = book.without(kind, key)
        return book

    def as_mapping(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the markers as the plain JSON values they are."""
        return {
            kind: {key: dict(marker.fields) for key, marker in bucket.items()}
            for kind, bucket in self.buckets.items()
        }

    def encode(self) -> bytes:
        """Return the file: two-space JSON with a newline, orders as they are, no empty kind."""
        members = [
            b"  %b: %b" % (encode_json(kind), self._encode_bucket(kind, bucket))
            for kind, bucket in self.buckets.items()
        ]
        return b"{\n%b\n}\n" % b",\n".join(members) if members else b"{}\n"

    def _encode_bucket(self, kind: str, bucket: Mapping[str, Marker]) -> bytes:
        stored = self.untouched.get(kind)
        if stored is not None:
            return stored
        whole = encode_json({key: dict(marker.fields) for key, marker in bucket.items()})
        return whole.replace(b"\n", b"\n  ")  # inside a JSON string there is no raw newline

    def _with_bucket(self, kind: str, bucket: Mapping[str, Marker]) -> MarkerBook:
        buckets = {**self.buckets, kind: bucket}
        if not bucket:
            del buckets[kind]
        untouched = {each: raw for each, raw in self.untouched.items() if each != kind}
        return replace(self, buckets=buckets, untouched=untouched)


@dataclass(frozen=True, slots=True)
class LoadedMarkers:
    """The good entries of a marker file, and one line for each thing that was wrong with it."""

    book: MarkerBook
    problems: tuple[str, ...] = ()


def _stored_buckets(raw: bytes) -> Mapping[str, bytes]:
    """Return the exact bytes of each kind; none when this stricter decoder will not have them."""
    try:
        stored = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except ValueError:
        return {}
    return {kind: bytes(bucket) for kind, bucket in stored.items()}
