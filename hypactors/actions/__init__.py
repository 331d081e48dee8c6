"""Client actions: handlers, markers, what a pass does, and the backfill policy.

Nothing here has a thread or a clock. The actors call these functions and own what they return.
"""

from hypactors.actions._backfill import (
    BackfillHandler,
    backfill_argv,
    enabled_providers,
    fault_of,
    import_environ,
    request_keys,
    runner_name,
    since_for,
)
from hypactors.actions._handler import (
    ActionContext,
    ActionRefused,
    ChecksFreshness,
    Dispatched,
    Handler,
    ProviderFault,
    ProviderRef,
    Reversible,
    is_refusal,
    perform_safely,
    reverse_safely,
)
from hypactors.actions._import_result import read_import_result, read_orphan_result
from hypactors.actions._markers import LoadedMarkers, Marker, MarkerBook
from hypactors.actions._planning import (
    JITTER_SHARE,
    ForgetUnit,
    HandlerFailure,
    PerformUnit,
    Plan,
    ReverseUnit,
    SkipReason,
    SkipUnit,
    Step,
    Unit,
    plan_pass,
    retry_delay_s,
)
from hypactors.actions._policy import BackfillPolicy, read_policy
from hypactors.actions._store import (
    clear_marker,
    read_markers,
    rearm_refusal,
    save_markers,
    set_aside,
)
from hypactors.actions._transitions import marker_after, needs_reverse, rearm

__all__ = [
    "JITTER_SHARE",
    "ActionContext",
    "ActionRefused",
    "BackfillHandler",
    "BackfillPolicy",
    "ChecksFreshness",
    "Dispatched",
    "ForgetUnit",
    "Handler",
    "HandlerFailure",
    "LoadedMarkers",
    "Marker",
    "MarkerBook",
    "PerformUnit",
    "Plan",
    "ProviderFault",
    "ProviderRef",
    "ReverseUnit",
    "Reversible",
    "SkipReason",
    "SkipUnit",
    "Step",
    "Unit",
    "backfill_argv",
    "clear_marker",
    "enabled_providers",
    "fault_of",
    "import_environ",
    "is_refusal",
    "marker_after",
    "needs_reverse",
    "perform_safely",
    "plan_pass",
    "read_import_result",
    "read_markers",
    "read_orphan_result",
    "read_policy",
    "rearm",
    "rearm_refusal",
    "request_keys",
    "retry_delay_s",
    "reverse_safely",
    "runner_name",
    "save_markers",
    "set_aside",
    "since_for",
]
