"""Names that the launcher, the import and the daemon agree on (contract §5)."""

RUN_ID_VARIABLE = "HYP_RUN_ID"
RUN_DIR_VARIABLE = "HYP_RUN_DIR"
LOCK_FD_VARIABLE = "HYP_IMPORT_LOCK_FD"

LOCK_FILE = "lock"
RUN_FILE = "run.json"
PID_FILE = "pid.json"
RESULT_FILE = "result.json"
STDOUT_FILE = "stdout"
STDERR_FILE = "stderr"
PROGRESS_FILE = "progress.json"
IMPORTED_FILE = "imported.json"

WORKERS_VARIABLE = "HYP_IMPORT_WORKERS"
"""How many processes an import may use for its work."""
