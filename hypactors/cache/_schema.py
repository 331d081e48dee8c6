"""The table ``hyp.ai_gateway_messages`` (import §6.1, contract §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import pyarrow as pa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import IdentityTransform, MonthTransform
from pyiceberg.types import (
    BooleanType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

if TYPE_CHECKING:
    from pyiceberg.types import PrimitiveType

NAMESPACE = "hyp"
DATASET = "ai_gateway_messages"
TABLE = (NAMESPACE, DATASET)
INGEST_SEQ = "_hyp_ingest_seq"
SORT_COLUMNS = ("session_id", "message_index", "part_index")

Kind = Literal["string", "json", "int", "long", "time", "boolean"]


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

_ICEBERG: dict[Kind, PrimitiveType] = {
    "string": StringType(),
    "json": StringType(),
    "int": IntegerType(),
    "long": LongType(),
    "time": TimestamptzType(),
    "boolean": BooleanType(),
}
_ARROW: dict[Kind, pa.DataType] = {
    "string": pa.string(),
    "json": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "time": pa.timestamp("us", tz="UTC"),
    "boolean": pa.bool_(),
}
_STORED = (*COLUMNS, Column(INGEST_SEQ, "long", is_required=True))


def iceberg_schema() -> Schema:
    """Return the schema with field ids from 1, in column order."""
    return Schema(
        *(
            NestedField(
                field_id=number,
                name=column.name,
                field_type=_ICEBERG[column.kind],
                required=column.is_required,
                doc="json" if column.kind == "json" else None,
            )
            for number, column in enumerate(_STORED, start=1)
        )
    )


def arrow_schema() -> pa.Schema:
    """Return the same schema for the batches that are appended."""
    return pa.schema(
        [
            pa.field(column.name, _ARROW[column.kind], nullable=not column.is_required)
            for column in _STORED
        ]
    )


def partition_spec(schema: Schema) -> PartitionSpec:
    return PartitionSpec(
        PartitionField(
            source_id=schema.find_field("message_created_at").field_id,
            field_id=1000,
            transform=MonthTransform(),
            name="message_month",
        ),
        PartitionField(
            source_id=schema.find_field("client_name").field_id,
            field_id=1001,
            transform=IdentityTransform(),
            name="client_name",
        ),
    )


def sort_order(schema: Schema) -> SortOrder:
    return SortOrder(
        *(
            SortField(source_id=schema.find_field(name).field_id, transform=IdentityTransform())
            for name in SORT_COLUMNS
        )
    )
