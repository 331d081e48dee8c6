"""What ``hyp config show`` says: one value, printed as JSON or as text. It holds no secret."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hypactors.config import plain_document
from hypactors.lake.redaction import GONE, SECRET_KEY
from hypactors.status import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hypactors.config import ConfigDocument, Layers

LAYERS = {
    "effective": "what both layers come to (default)",
    "central": "the layer of the server",
    "local": "the layer of this machine's user",
}

_URL_USER = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?#]*@")
_URL_SECRET = re.compile(
    r"([?&][^=&#\s]*(?:token|secret|passw|key|sig)[^=&#\s]*=)[^&#\s]+", re.IGNORECASE
)


def describe(layers: Layers, layer: str) -> dict[str, Any]:
    """Return the chosen layer, and what was left out of it or cannot be used."""
    document = _document(layers, layer)
    is_effective = layer == "effective"
    return {
        "layer": layer,
        "joined": layers.is_joined,
        "central_path": str(layers.central_path) if layers.central_path else None,
        "local_path": str(layers.local_path),
        "config": None if document is None else _without_secrets(document),
        "provenance": _provenance(layers, document) if is_effective and document else None,
        "not_applied": [
            {
                "section": entry.section,
                "key": entry.key,
                "reason": entry.reason,
                "detail": entry.detail,
            }
            for entry in (layers.dropped if is_effective else ())
        ],
        "central_query_ignored": is_effective and layers.central_query_ignored,
        "problems": [
            {
                "layer": problem.layer,
                "severity": problem.severity,
                "kind": problem.kind,
                "path": str(problem.path),
                "pointer": problem.pointer,
                "message": problem.message,
            }
            for problem in layers.problems
            if layer in {"effective", problem.layer}
        ],
    }


def redact(value: Any, *, is_secret: bool = False) -> Any:
    """Return a config value without what its keys, or an address in it, say is a secret."""
    if isinstance(value, dict):
        return {
            key: redact(item, is_secret=is_secret or SECRET_KEY.search(key) is not None)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [redact(item, is_secret=is_secret) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    if is_secret:
        return GONE
    if isinstance(value, str):
        return _URL_SECRET.sub(rf"\1{GONE}", _URL_USER.sub(rf"\1{GONE}@", value))
    return value


def render_text(view: Mapping[str, Any]) -> str:
    """Return the text, without a newline at its end."""
    return "\n".join(_lines(view))


def _document(layers: Layers, layer: str) -> ConfigDocument | None:
    match layer:
        case "central":
            return layers.central
        case "local":
            return layers.local
        case _:
            return layers.effective


def _without_secrets(document: ConfigDocument) -> dict[str, Any]:
    """Redact where values are a plugin's own: the names of a document are no secrets."""
    plain = plain_document(document)
    for entry in (*plain.get("plugins", ()), *plain.get("sinks", {}).values()):
        for key in entry.keys() & {"config", "source"}:
            entry[key] = redact(entry[key])
    for remote in plain.get("query", {}).get("remotes", {}).values():
        remote["url"] = redact(remote["url"])
    cache = plain.get("query", {}).get("cache", {})
    if "catalog" in cache:
        cache["catalog"] = redact(cache["catalog"])
    return plain


def _provenance(layers: Layers, document: ConfigDocument) -> dict[str, Any] | None:
    if not layers.is_joined:
        return None
    pins = layers.central.disambiguate if layers.central else {}
    return {
        "plugins": {entry.name: layers.provenance(entry.name) for entry in document.plugins},
        "sinks": {name: layers.sink_provenance(name) for name in document.sinks},
        "disambiguate": {
            name: "central" if name in pins else "local" for name in document.disambiguate
        },
    }


def _lines(view: Mapping[str, Any]) -> Iterator[str]:
    yield f"{view['layer']} config"
    if view["layer"] != "local" and view["joined"]:
        yield f"  central:  {_shown(view['central_path'])}"
    if view["layer"] != "central":
        yield f"  local:    {_shown(view['local_path'])}"
    if view["config"] is None:
        yield "  nothing is configured" if not view["problems"] else "  not usable"
    else:
        yield from _config_lines(view["config"], view["provenance"] or {})
    if view["not_applied"] or view["central_query_ignored"]:
        yield "  not applied:"
    for entry in view["not_applied"]:
        why = entry["reason"].replace("_", " ")
        detail = f": {entry['detail']}" if entry["detail"] else ""
        yield f"    - {entry['section']}.{_shown(entry['key'])}  ({why}{detail})"
    if view["central_query_ignored"]:
        yield "    central query block: ignored (query settings are this machine's own)"
    if view["problems"]:
        yield "  problems:"
    for problem in view["problems"]:
        yield f"    [{problem['severity']}] {problem['kind']}: {_shown(problem['message'])}"


def _config_lines(
    config: Mapping[str, Any], provenance: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    plugins, sinks = config.get("plugins", []), config.get("sinks", {})
    yield "  plugins:" if plugins else "  plugins:  (none)"
    for entry in plugins:
        tag = _tag(provenance, "plugins", entry["name"])
        state = "" if entry.get("enabled", True) else "  (disabled)"
        pins = "".join(
            f"  {key}={_shown(entry[key])}"
            for key in ("version", "artifact_hash", "source")
            if key in entry
        )
        yield f"    - {_shown(entry['name'])}{tag}{state}{pins}"
        yield from _own_config(entry)
    yield "  sinks:" if sinks else "  sinks:    (none)"
    for name, sink in sinks.items():
        how = sink.get("plugin") or f"{sink.get('writer')} to {sink.get('destination')}"
        yield f"    - {_shown(name)}  ({_shown(how)}){_tag(provenance, 'sinks', name)}"
        yield from _own_config(sink)
    if "query" in config:
        yield f"  query:    {_shown_json(config['query'])}"
    if "disambiguate" in config:
        yield "  disambiguate:"
    for name, plugin in config.get("disambiguate", {}).items():
        tag = _tag(provenance, "disambiguate", name)
        yield f"    - {_shown(name)} by {_shown(plugin)}{tag}"


def _own_config(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry.get("config"):
        yield f"        {_shown_json(entry['config'])}"


def _tag(provenance: Mapping[str, Mapping[str, str]], section: str, name: str) -> str:
    match provenance.get(section, {}).get(name):
        case "central":
            return "  [central · locked]"
        case "local":
            return "  [local]"
        case _:
            return ""


def _shown_json(value: object) -> str:
    return _shown(json.dumps(value, ensure_ascii=False))


def _shown(text: str) -> str:
    """Return all of ``text`` that a terminal can be trusted with."""
    return clean(text, len(text))
