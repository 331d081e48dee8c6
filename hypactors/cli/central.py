"""``hyp central``: run a central server of one's own, and administer it.

The administration works on the server's data, whether the server runs or not.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.central import url_fault
from hypactors.cli._parser import Parser
from hypactors.errors import HypError, UsageError
from hypactors.paths import HypHome
from hypactors.providers import find_plugins
from hypactors.status import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypactors.central.server import Config, Gateway, Place, Store

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one ``hyp central`` command."""
    parser = _parser(environ)
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 0
    if importlib.util.find_spec("starlette") is None:
        raise HypError("the server is not installed; pip install 'hypactors[server]' brings it")
    code: int = options.run(options)
    return code


def _parser(environ: Mapping[str, str]) -> Parser:
    parser = Parser(
        prog="hyp central",
        description="Run and administer a central server.",
        examples={
            "hyp central config put lab lab.json": "what the machines of lab are to run",
            "hyp central token create lab --days 30": "what they enrol with",
            "hyp central serve": "serve on loopback",
            "hyp central gateways": "the machines, and who has converged",
        },
    )
    add = parser.add_commands("command")

    serve = add(
        "serve",
        "serve until SIGTERM",
        {
            "hyp central serve": "on loopback, to try it",
            "hyp central serve --host 0.0.0.0 --behind-proxy": "a proxy brings https",
        },
    )
    _add_place(serve, environ)
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    serve.add_argument("--port", type=_port, default=8741, help="0 takes any that is free")
    serve.add_argument("--public-url", metavar="URL", help="the address that clients know")
    serve.add_argument(
        "--behind-proxy",
        action="store_true",
        help="listen on other addresses than loopback, as a proxy brings https",
    )
    serve.set_defaults(run=_serve)

    token = add(
        "token",
        "who may enrol, and which config they get",
        {"hyp central token create lab": "", "hyp central token list": ""},
    )
    add_to_token = token.add_commands("action", is_required=True)
    create = add_to_token(
        "create",
        "make a token, and print it once",
        {"hyp central token create lab --days 30 > token.txt": ""},
    )
    create.add_argument("config", help="the name of the config that its machines get")
    create.add_argument("--days", type=_days, help="how long machines may enrol with it")
    create.set_defaults(run=_create_token)
    listing = add_to_token(
        "list", "the tokens there are, without their secrets", {"hyp central token list": ""}
    )
    listing.set_defaults(run=_list_tokens)
    revoke = add_to_token(
        "revoke",
        "refuse a token and all who enrolled by it",
        {"hyp central token revoke 3f9a2c": "its id, as 'token list' has it"},
    )
    revoke.add_argument("id", help="as 'hyp central token list' has it")
    revoke.set_defaults(run=_revoke_token)

    config = add(
        "config",
        "the configs that are served",
        {"hyp central config put lab lab.json": "", "hyp central config list": ""},
    )
    add_to_config = config.add_commands("action", is_required=True)
    put = add_to_config(
        "put",
        "check a document, and serve it from now on",
        {"hyp central config put lab lab.json --url https://hyp.example.com/": ""},
    )
    put.add_argument("name", help="what tokens call it")
    put.add_argument("file", type=Path, help="the document, as JSON")
    put.add_argument("--url", help="the address that clients know, if nothing was served yet")
    put.set_defaults(run=_put_config)
    get = add_to_config(
        "get", "print a document as it is served", {"hyp central config get lab": ""}
    )
    get.add_argument("name", help="as 'hyp central config list' has it")
    get.set_defaults(run=_get_config)
    names = add_to_config("list", "the configs there are", {"hyp central config list": ""})
    names.set_defaults(run=_list_configs)

    gateways = add(
        "gateways",
        "the machines, and who has converged",
        {"hyp central gateways": "", "hyp central gateways --json": "for a program"},
    )
    gateways.add_argument("--json", action="store_true", help="print them as JSON")
    gateways.set_defaults(run=_gateways)
    for command in (create, listing, revoke, put, get, names, gateways):
        _add_place(command, environ)
    return parser


def _add_place(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    folder = environ.get("HYP_CENTRAL_DATA") or HypHome.from_environ(environ).root / "central"
    parser.add_argument("--data", type=Path, default=Path(folder), help="the folder of the server")
    parser.add_argument(
        "--database",
        default=environ.get("HYP_CENTRAL_DATABASE"),
        help="another database for its state; give one with a password in HYP_CENTRAL_DATABASE",
    )
    parser.add_argument(
        "--catalog",
        type=Path,
        default=environ.get("HYP_CENTRAL_CATALOG"),
        metavar="FILE",
        help="a TOML file with the properties of the pyiceberg catalogue that takes the rows",
    )


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:  # noqa: PLR2004 - 16 bits
        return int(text)
    raise argparse.ArgumentTypeError(f"not a port: {text}")


def _days(text: str) -> float:
    try:
        days = float(text)
        timedelta(days=days)
    except (ValueError, OverflowError):
        days = 0
    if not days > 0:
        raise argparse.ArgumentTypeError(f"not a number of days: {text}")
    return days


def _place(options: Any) -> Place:
    from hypactors.central.server import Place

    return Place(options.data.expanduser().absolute(), options.database, options.catalog)


def _store(options: Any) -> Store:
    return _place(options).open_store()


# Commands


def _serve(options: Any) -> int:
    from hypactors.central.server import serve

    if options.host not in _LOOPBACK and not options.behind_proxy:
        raise UsageError(
            f"tokens and history would cross the network in the clear on {options.host};"
            " put a proxy with https before it, and say --behind-proxy"
        )
    _check_url(options.public_url)
    return serve(
        _place(options),
        host=options.host,
        port=options.port,
        public_url=options.public_url,
        say=_print,
    )


def _check_url(url: str | None) -> None:
    fault = None if url is None else url_fault(url)
    if fault is not None:
        raise UsageError(f"{url} {fault}")


def _create_token(options: Any) -> int:
    store = _store(options)
    _check_name(options.config)
    if options.config not in store.configs():
        _complain(f"there is no config {options.config} yet: its machines will have nothing to run")
    lasts = None if options.days is None else timedelta(days=options.days)
    token, secret = store.create_token(options.config, datetime.now(UTC), lasts=lasts)
    _complain(f"token {token.id} for {token.config}; it is shown this once, keep it safe")
    _print(secret)
    return 0


def _list_tokens(options: Any) -> int:
    now = datetime.now(UTC)
    for token in _store(options).tokens().values():
        until = "" if token.expires_at is None else f", until {_time(token.expires_at)}"
        made = _time(token.created_at)
        _print(f"{token.id}  {token.config}  {token.state(now)}  made {made}{until}")
    return 0


def _revoke_token(options: Any) -> int:
    if not _store(options).revoke_token(options.id, datetime.now(UTC)):
        raise HypError(f"there is no valid token {clean(options.id)}; 'hyp central token list'")
    _print(f"{options.id} revoked: its machines are refused from now on")
    return 0


def _put_config(options: Any) -> int:
    from hypactors.central.server import PUBLIC_URL, objections

    _check_name(options.name)
    _check_url(options.url)
    try:
        raw = options.file.read_bytes()
    except OSError as error:
        raise HypError(f"{options.file}: cannot be read ({error.strerror})") from error
    store = _store(options)
    url = options.url or store.fact(PUBLIC_URL)
    installed = find_plugins()
    found = objections(
        raw, public_url=url, plugins=installed.catalogue, sections=installed.sections
    )
    for objection in found:
        _complain(f"{options.file}: {objection}")
    if found:
        _complain("nothing was changed")
        return 1
    if url is None:
        _complain("the server's address is not known yet, so the sink's url was not compared")
    config = store.put_config(options.name, raw, datetime.now(UTC))
    _print(f"{config.name} is served from now on as {config.etag}")
    return 0


def _get_config(options: Any) -> int:
    config = _store(options).configs().get(options.name)
    if config is None:
        raise HypError(f"there is no config {clean(options.name)}; 'hyp central config list'")
    sys.stdout.buffer.write(config.document)
    return 0


def _list_configs(options: Any) -> int:
    for config in _store(options).configs().values():
        _print(f"{config.name}  {config.etag}  since {_time(config.updated_at)}")
    return 0


def _gateways(options: Any) -> int:
    store = _store(options)
    configs = store.configs()
    rows = [describe_gateway(gateway, configs) for gateway in store.gateways()]
    if options.json:
        _print(json.dumps({"gateways": rows}, indent=2))
        return 0
    for row in rows:
        polled = f"polled {row['polled_at']}" if row["polled_at"] else "never polled"
        _print(
            f"{row['id']}  {row['config']}  {row['state']}  {polled}"
            f"  {row['rows_received']} rows received"
        )
    converged = sum(row["state"] == "converged" for row in rows)
    received = sum(row["rows_received"] for row in rows)
    _print(f"{converged} of {len(rows)} converged, {received} rows received")
    return 0


def describe_gateway(gateway: Gateway, configs: Mapping[str, Config]) -> dict[str, Any]:
    """Return a machine as JSON has it. It has converged when it runs what is served to it."""
    wanted = configs.get(gateway.config)
    if gateway.polled_at is None:
        state = "never polled"
    elif wanted is not None and gateway.running_etag == wanted.etag:
        state = "converged"
    else:
        state = "behind"
    return {
        "id": gateway.id,
        "config": gateway.config,
        "state": state,
        "running_etag": gateway.running_etag,
        "wanted_etag": wanted.etag if wanted else None,
        "enrolled_at": _time(gateway.enrolled_at),
        "polled_at": None if gateway.polled_at is None else _time(gateway.polled_at),
        "rows_received": gateway.rows_received,
    }


def _check_name(name: str) -> None:
    from hypactors.central.server import name_fault

    fault = name_fault(name)
    if fault is not None:
        raise UsageError(f"{clean(name)}: {fault}")


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(f"hyp central: {clean(text, len(text))}\n")
