"""Events of actions, imports and exports, and of the reference server."""

from __future__ import annotations

from hypactors.logs._event import Event

WORK: tuple[Event, ...] = (
    Event(
        "client_action.done",
        ("info",),
        ("kind", "request_key", "run_id", "rows"),
        "An action is done and on record.",
    ),
    Event(
        "client_action.failed",
        ("error",),
        ("kind", "request_key", "run_id", "attempts", "detail", "error_kind"),
        "An action failed; it is tried again by itself.",
    ),
    Event(
        "client_action.refused",
        ("error",),
        ("kind", "request_key", "run_id", "detail", "error_kind"),
        "An action cannot be done until a person mends the cause.",
    ),
    Event(
        "client_action.reversed",
        ("info",),
        ("kind", "request_key", "run_id"),
        "What is no longer wanted was undone.",
    ),
    Event(
        "client_action.reverse_failed",
        ("error",),
        ("kind", "request_key", "run_id", "detail", "error_kind"),
        "Undoing failed; it is tried again.",
    ),
    Event(
        "client_action.blocked",
        ("warning",),
        ("kind", "request_key", "reason"),
        "Nobody can tell now whether this is wanted.",
    ),
    Event(
        "client_action.desired_failed",
        ("error",),
        ("kind", "detail", "error_kind"),
        "A handler could not say what is wanted.",
    ),
    Event(
        "client_action.backfill_spawn",
        ("info",),
        ("hyp_plugin", "run_id", "since", "pass_id"),
        "An import is started.",
    ),
    Event(
        "import_waits",
        ("info",),
        ("waits_for",),
        "An import waits for a slot, or for another import of its provider.",
    ),
    Event(
        "import_not_started",
        ("error",),
        ("run_id", "detail"),
        "An import could not be started; it is tried again.",
    ),
    Event(
        "import_adopted",
        ("info",),
        ("run_id",),
        "An import that outlived its runner is watched again.",
    ),
    Event(
        "import_interrupted",
        ("warning",),
        ("run_id",),
        "An import ended without a result; it goes on where it was.",
    ),
    Event("import_stop_requested", ("info",), ("run_id", "at_once"), "An import was asked to end."),
    Event(
        "import_over_limit",
        ("error",),
        ("run_id", "reason"),
        "An import took too long, too much, or made no progress; it is ended.",
    ),
    Event(
        "import_not_looked_at",
        ("error",),
        ("run_id", "detail"),
        "Limits could not be checked this time.",
    ),
    Event(
        "import_stderr_cut",
        ("warning",),
        ("run_id",),
        "An import talks too much; the last 64 KiB are kept.",
    ),
    Event(
        "outcome_left_for_next_start",
        ("warning",),
        ("run_id",),
        "A stop came before an outcome was on record; the next start has it.",
    ),
    Event(
        "run_not_settled",
        ("error",),
        ("run_id", "detail"),
        "A run could not be marked as over; that is made up for later.",
    ),
    Event(
        "run_watch_look_failed",
        ("error",),
        ("run_id", "detail"),
        "A run could not be looked at; it is looked at again.",
    ),
    Event(
        "run_watch_callback_failed",
        ("error",),
        ("run_id", "detail"),
        "Who waited for the end of a run could not be told.",
    ),
    Event(
        "marker_file_set_aside",
        ("warning",),
        ("path", "kept_as", "problems"),
        "`client-actions.json` was damaged and was set aside.",
    ),
    Event(
        "marker_write_failed",
        ("error",),
        ("path", "detail"),
        "A marker could not be written; it is tried again.",
    ),
    Event("import_started", ("info",), ("provider",), "An import begins to read."),
    Event("import_finished", ("info",), ("provider", "items", "rows"), "An import is through."),
    Event(
        "import_failed",
        ("error",),
        ("provider", "reason"),
        "An import failed; what it committed stays.",
    ),
    Event(
        "import_summary_not_written",
        ("warning",),
        ("detail",),
        "What an import covered could not be noted.",
    ),
    Event(
        "batch_committed",
        ("info",),
        ("provider", "rows", "rows_total", "snapshot_id"),
        "A batch of rows is in the table.",
    ),
    Event(
        "session_ignored",
        ("info",),
        ("provider", "session_id"),
        "A session of an ignored folder was left out.",
    ),
    Event(
        "hypignore_not_understood",
        ("warning",),
        ("provider", "path", "reason"),
        "A `.hypignore` says what nobody knows; its folder is ignored.",
    ),
    Event(
        "unsupported_location",
        ("warning",),
        ("provider", "client_name", "location_kind", "path", "covered_by"),
        "History lies where it cannot be read from.",
    ),
    Event(
        "history_left_out",
        ("warning",),
        (
            "provider",
            "path",
            "reason",
            "unparseable_lines",
            "oversized_lines",
            "unreadable_files",
            "unreadable_folders",
        ),
        "Something of a file could not be read.",
    ),
    Event(
        "history_read",
        ("warning",),
        (
            "provider",
            "unparseable_lines",
            "oversized_lines",
            "unreadable_files",
            "unreadable_folders",
        ),
        "The same, summed up.",
    ),
    Event(
        "export_adopted",
        ("info",),
        ("run_id",),
        "An export that outlived its runner is watched again.",
    ),
    Event(
        "export_not_started",
        ("error",),
        ("detail",),
        "An export could not be started; it is tried again.",
    ),
    Event(
        "central.forward.chunk",
        ("debug",),
        ("signal", "dataset", "chunk_index", "rows_so_far", "bytes_so_far"),
        "A batch was acknowledged.",
    ),
    Event(
        "central.forward.backpressure",
        ("warning",),
        ("retry", "retry_after_seconds", "http_status"),
        "The server is busy; the batch is sent again.",
    ),
    Event(
        "central.forward.dropped",
        ("info",),
        ("dataset", "rows"),
        "Rows of local-only folders were passed over.",
    ),
    Event(
        "central.forward.set_aside",
        ("warning",),
        ("dataset", "rows", "rows_without_room"),
        "Rows that the server refuses went to the outbox.",
    ),
    Event(
        "central.forward.failed",
        ("warning", "error"),
        ("run_id", "dataset", "detail", "chunks_sent", "consecutive_failures"),
        "An export failed; nothing is lost, it is tried again.",
    ),
    Event(
        "central.forward.finished",
        ("info",),
        ("run_id", "status", "rows", "bytes", "batches", "withheld", "set_aside", "stopped"),
        "An export is through.",
    ),
)

SERVER: tuple[Event, ...] = (
    Event(
        "batches_stored", ("info",), ("batches", "rows"), "The server has committed these batches."
    ),
    Event(
        "batches_failed",
        ("error",),
        ("batches", "detail"),
        "The server could not commit; clients send again.",
    ),
    Event("gateway_enrolled", ("info",), ("gateway", "token"), "A machine has enrolled."),
    Event("enrolment_refused", ("warning",), ("token", "why"), "An enrolment was refused."),
    Event("request_failed", ("error",), ("detail",), "A request failed inside the server."),
    Event("state_not_reached", ("error",), ("detail",), "The server's database cannot be reached."),
    Event("server_stopped", ("info",), (), "The server has ended."),
)
