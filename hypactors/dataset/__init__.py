"""The dataset ``ai_gateway_messages``: its columns as queries see them (import §6.1).

Loads nothing; ``hypactors.dataset.arrow`` has the same as Arrow sees it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

DATASET = "ai_gateway_messages"

Kind = Literal["string", "json", "int", "long", "time", "boolean"]

JSON_TYPE = "JSON"
SQL_TYPES: dict[Kind, str] = {
    "string": "VARCHAR",
    "json": JSON_TYPE,
    "int": "INTEGER",
    "long": "BIGINT",
    "time": "TIMESTAMPTZ",
    "boolean": "BOOLEAN",
}
"""DuckDB's names."""


class Column(NamedTuple):
    """A column as queries see it; ``json`` is a string that holds JSON text."""

    name: str
    kind: Kind
    is_required: bool = False


COLUMNS: tuple[Column, ...] = (
    Column("gateway_id", "string", is_required=True),
    Column("schema_version", "int", is_required=True),
    Column("session_id", "string", is_required=True),
    Column("conversation_id", "string"),
    Column("user_id", "string"),
    Column("provider", "string", is_required=True),
    Column("model", "string"),
    Column("system_text", "string"),
    Column("tools", "json"),
    Column("conversation_started_at", "time", is_required=True),
    Column("conversation_source", "string"),
    Column("client_name", "string"),
    Column("cwd", "string"),
    Column("git_branch", "string"),
    Column("git_remote", "string"),
    Column("head_sha", "string"),
    Column("repo_root", "string"),
    Column("client_version", "string"),
    Column("entrypoint", "string"),
    Column("user_type", "string"),
    Column("permission_mode", "string"),
    Column("is_sidechain", "boolean"),
    Column("agent_id", "string"),
    Column("parent_thread_id", "string"),
    Column("message_id", "string", is_required=True),
    Column("previous_message_id", "json"),
    Column("provider_uuid", "string"),
    Column("parent_uuid", "string"),
    Column("logical_parent_uuid", "string"),
    Column("source_tool_assistant_uuid", "string"),
    Column("request_id", "string"),
    Column("prompt_id", "string"),
    Column("message_index", "int", is_required=True),
    Column("message_created_at", "time", is_required=True),
    Column("role", "string", is_required=True),
    Column("part_id", "string", is_required=True),
    Column("part_index", "int", is_required=True),
    Column("part_type", "string", is_required=True),
    Column("provider_type", "string"),
    Column("provider_subtype", "string"),
    Column("content_text", "string"),
    Column("tool_name", "string"),
    Column("tool_call_id", "string"),
    Column("tool_args", "json"),
    Column("caller_type", "string"),
    Column("tool_result_for", "string"),
    Column("thinking_signature", "string"),
    Column("attachment_type", "string"),
    Column("hook_event", "string"),
    Column("is_error", "boolean"),
    Column("is_compact_summary", "boolean"),
    Column("compact_metadata", "json"),
    Column("status", "json"),
    Column("attributes", "json"),
    Column("raw_frame", "json"),
    Column("date", "string", is_required=True),
)
PART_ID = next(index for index, column in enumerate(COLUMNS) if column.name == "part_id")
