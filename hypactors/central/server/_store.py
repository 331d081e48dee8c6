"""What the server remembers besides rows: configs, tokens, gateways, and batches it has stored.

SQLAlchemy core, so that any database it speaks will do; by default a SQLite file.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SCHEMA_VERSION = 1

_METADATA = sa.MetaData()

_FACTS = sa.Table(
    "facts",
    _METADATA,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
_CONFIGS = sa.Table(
    "configs",
    _METADATA,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Column("etag", sa.String(80), nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
_TOKENS = sa.Table(
    "tokens",
    _METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("config", sa.String(128), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("revoked_at", sa.BigInteger),
)
_GATEWAYS = sa.Table(
    "gateways",
    _METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("token", sa.String(32), nullable=False),
    sa.Column("config", sa.String(128), nullable=False),
    sa.Column("enrolled_at", sa.BigInteger, nullable=False),
    sa.Column("polled_at", sa.BigInteger),
    sa.Column("running_etag", sa.String(256)),
    sa.Column("rows_received", sa.BigInteger, nullable=False, default=0),
)
_BATCHES = sa.Table(
    "batches",
    _METADATA,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("gateway", sa.String(64), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("stored_at", sa.BigInteger, nullable=False),
)


class StoreError(HypError):
    """The state cannot be used; the text never holds the address with its password."""


@dataclass(frozen=True, slots=True)
class Token:
    """A policy token: who has it may enrol, and gets this config. Times are epoch seconds."""

    id: str
    config: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None

    def state(self, now: datetime) -> str:
        if self.revoked_at is not None:
            return "revoked"
        is_past = self.expires_at is not None and self.expires_at <= now.timestamp()
        return "expired" if is_past else "valid"


@dataclass(frozen=True, slots=True)
class Config:
    """A config as it is served: the bytes, and the hash of them as a strong etag."""

    name: str
    document: bytes
    etag: str
    updated_at: int


@dataclass(frozen=True, slots=True)
class Gateway:
    """One machine. ``running_etag`` is what it said it runs; None until it said so."""

    id: str
    token: str
    config: str
    enrolled_at: int
    polled_at: int | None
    running_etag: str | None
    rows_received: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """A poll of a gateway, and the etag that it runs."""

    at: int
    etag: str | None


class Store:
    """Safe from every thread. Raises ``StoreError`` when the database cannot be used."""

    def __init__(self, url: str | sa.URL) -> None:
        try:
            self._engine = sa.create_engine(url)
            if self._engine.dialect.name == "sqlite":
                sa.event.listen(self._engine, "connect", _make_concurrent)
            with self._engine.begin() as connection:
                _METADATA.create_all(connection)
                self._check_version(connection)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise StoreError(f"the state database cannot be used ({_reason(error)})") from error

    @classmethod
    def in_folder(cls, folder: Path) -> Store:
        return cls(sa.URL.create("sqlite", database=str(folder / "state.db")))

    def close(self) -> None:
        self._engine.dispose()

    @staticmethod
    def _check_version(connection: sa.Connection) -> None:
        found = connection.scalar(
            sa.select(_FACTS.c.value).where(_FACTS.c.name == "schema_version")
        )
        if found is None:
            connection.execute(
                _FACTS.insert().values(name="schema_version", value=str(SCHEMA_VERSION))
            )
        elif found != str(SCHEMA_VERSION):
            raise StoreError(
                f"the state database has schema {found}, and this program knows"
                f" {SCHEMA_VERSION}: use the program that wrote it, or another database"
            )

    # Facts

    def fact(self, name: str) -> str | None:
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(_FACTS.c.value).where(_FACTS.c.name == name))

    def set_fact(self, name: str, value: str) -> None:
        with self._engine.begin() as connection:
            _put(connection, _FACTS, {"name": name}, {"value": value})

    # Configs

    def put_config(self, name: str, document: bytes, now: datetime) -> Config:
        config = Config(name, document, etag_of(document), int(now.timestamp()))
        with self._engine.begin() as connection:
            _put(
                connection,
                _CONFIGS,
                {"name": name},
                {
                    "document": document,
                    "etag": config.etag,
                    "updated_at": config.updated_at,
                },
            )
        return config

    def configs(self) -> Mapping[str, Config]:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_CONFIGS).order_by(_CONFIGS.c.name))
            return {row.name: Config(**row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's name

    # Tokens

    def create_token(
        self, config: str, now: datetime, *, lasts: timedelta | None = None
    ) -> tuple[Token, str]:
        """Return the token and its secret, which is kept nowhere."""
        secret = f"hyp_{secrets.token_urlsafe(32)}"
        token = Token(
            id=secrets.token_hex(4),
            config=config,
            created_at=int(now.timestamp()),
            expires_at=None if lasts is None else int((now + lasts).timestamp()),
            revoked_at=None,
        )
        with self._engine.begin() as connection:
            connection.execute(
                _TOKENS.insert().values(
                    id=token.id,
                    hash=_hash(secret),
                    config=config,
                    created_at=token.created_at,
                    expires_at=token.expires_at,
                )
            )
        return token, secret

    def tokens(self) -> Mapping[str, Token]:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_TOKENS).order_by(_TOKENS.c.created_at))
            return {row.id: _token(row) for row in rows}

    def token_of(self, secret: str) -> Token | None:
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(_TOKENS).where(_TOKENS.c.hash == _hash(secret))
            ).one_or_none()
        return None if row is None else _token(row)

    def revoke_token(self, token_id: str, now: datetime) -> bool:
        """Say whether there was such a token that was not revoked yet."""
        with self._engine.begin() as connection:
            changed = connection.execute(
                _TOKENS.update()
                .where(_TOKENS.c.id == token_id, _TOKENS.c.revoked_at.is_(None))
                .values(revoked_at=int(now.timestamp()))
            )
            return changed.rowcount > 0

    # Gateways

    def enrol(self, token: Token, now: datetime) -> Gateway:
        gateway = Gateway(
            id=f"gw-{secrets.token_hex(8)}",
            token=token.id,
            config=token.config,
            enrolled_at=int(now.timestamp()),
            polled_at=None,
            running_etag=None,
            rows_received=0,
        )
        with self._engine.begin() as connection:
            connection.execute(
                _GATEWAYS.insert().values(
                    id=gateway.id,
                    token=gateway.token,
                    config=gateway.config,
                    enrolled_at=gateway.enrolled_at,
                    rows_received=0,
                )
            )
        return gateway

    def gateway(self, gateway_id: str) -> Gateway | None:
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(_GATEWAYS).where(_GATEWAYS.c.id == gateway_id)
            ).one_or_none()
        return None if row is None else Gateway(**row._mapping)  # noqa: SLF001

    def gateways(self) -> Sequence[Gateway]:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_GATEWAYS).order_by(_GATEWAYS.c.enrolled_at))
            return [Gateway(**row._mapping) for row in rows]  # noqa: SLF001

    def saw(self, sightings: Mapping[str, Sighting]) -> None:
        """Note polls, of many gateways in one transaction."""
        if not sightings:
            return
        with self._engine.begin() as connection:
            connection.execute(
                _GATEWAYS.update()
                .where(_GATEWAYS.c.id == sa.bindparam("gateway"))
                .values(polled_at=sa.bindparam("at"), running_etag=sa.bindparam("etag")),
                [
                    {"gateway": gateway, "at": seen.at, "etag": seen.etag}
                    for gateway, seen in sightings.items()
                ],
            )

    # Batches

    def known_batches(self, batch_ids: Iterable[str]) -> set[str]:
        with self._engine.connect() as connection:
            found = connection.scalars(
                sa.select(_BATCHES.c.id).where(_BATCHES.c.id.in_(list(batch_ids)))
            )
            return set(found)

    def stored(self, batches: Sequence[tuple[str, str, int]], now: datetime) -> None:
        """Note batches whose rows are committed: id, gateway, and how many rows were new."""
        with self._engine.begin() as connection:
            for batch_id, gateway, rows in batches:
                connection.execute(
                    _BATCHES.insert().values(
                        id=batch_id, gateway=gateway, rows=rows, stored_at=int(now.timestamp())
                    )
                )
                connection.execute(
                    _GATEWAYS.update()
                    .where(_GATEWAYS.c.id == gateway)
                    .values(rows_received=_GATEWAYS.c.rows_received + rows)
                )


def etag_of(document: bytes) -> str:
    """Return the strong etag of a document: a hash of its bytes."""
    return f'"{hashlib.sha256(document).hexdigest()[:32]}"'


def utc_now() -> datetime:
    return datetime.now(UTC)


def _put(
    connection: sa.Connection, table: sa.Table, key: dict[str, Any], values: dict[str, Any]
) -> None:
    """Update or insert, in words that every database knows."""
    [(column, value)] = key.items()
    changed = connection.execute(table.update().where(table.c[column] == value).values(values))
    if changed.rowcount == 0:
        connection.execute(table.insert().values({**key, **values}))


def _token(row: Any) -> Token:
    return Token(row.id, row.config, row.created_at, row.expires_at, row.revoked_at)


def _hash(secret: str) -> str:
    # The secret is random and long: a slow hash would protect nothing more.
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _make_concurrent(connection: Any, _record: object) -> None:
    """Let the administration and the server work on one SQLite file at a time."""
    cursor = connection.cursor()
    cursor.execute("pragma journal_mode=wal")
    cursor.execute("pragma busy_timeout=10000")
    cursor.execute("pragma synchronous=normal")
    cursor.close()


def _reason(error: Exception) -> str:
    """Return why, without what a driver may say of the address."""
    if isinstance(error, ImportError):
        return f"its driver {error.name} is not installed"
    original = getattr(error, "orig", None)
    return type(original or error).__name__
