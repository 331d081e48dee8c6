"""The table ``hyp.ai_gateway_messages`` (import §6.1, contract §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

from hypactors.dataset import COLUMNS, DATASET, Column
from hypactors.dataset.arrow import ARROW_TYPES, FIELDS

if TYPE_CHECKING:
    from pyiceberg.types import PrimitiveType

    from hypactors.dataset import Kind

NAMESPACE = "hyp"
TABLE = (NAMESPACE, DATASET)
INGEST_SEQ = "_hyp_ingest_seq"
SORT_COLUMNS = ("session_id", "message_index", "part_index")

LONG_COLUMNS = frozenset(
    {
        "system_text",
        "tools",
        "content_text",
        "tool_args",
        "thinking_signature",
        "compact_metadata",
        "attributes",
        "raw_frame",
    }
)
"""Text of any length, which nobody looks for by its first letters."""

UNIQUE_COLUMNS = frozenset(
    {
        "message_id",
        "previous_message_id",
        "provider_uuid",
        "parent_uuid",
        "logical_parent_uuid",
        "source_tool_assistant_uuid",
        "request_id",
        "message_index",
        "message_created_at",
        "part_id",
        "tool_call_id",
        "tool_result_for",
        INGEST_SEQ,
    }
)
"""As a rule no two rows have the same."""

_ICEBERG: dict[Kind, PrimitiveType] = {
    "string": StringType(),
    "json": StringType(),
    "int": IntegerType(),
    "long": LongType(),
    "time": TimestamptzType(),
    "boolean": BooleanType(),
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
    return pa.schema([*FIELDS, pa.field(INGEST_SEQ, ARROW_TYPES["long"], nullable=False)])


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
