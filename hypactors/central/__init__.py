"""The wire to a central server: enrolment, identity, config polls, and the posts of rows.

Everything here is light; ``hypactors.central.client`` loads httpx, and is imported when there is
something to send.
"""

from hypactors.central._backoff import LADDER_S, ladder_s, parse_retry_after, wait_s
from hypactors.central._identity import (
    Identity,
    IdentityError,
    Step,
    delete_identity,
    read_identity,
    write_identity,
)
from hypactors.central._keeper import IdentityKeeper
from hypactors.central._poll import (
    Failure,
    PollFailure,
    PollResult,
    Served,
    Unchanged,
    judge,
    next_poll_s,
    poll,
)
from hypactors.central._reply import LARGEST_BODY, CentralUnreachableError, Reply
from hypactors.central._seed import seed_document, write_seed
from hypactors.central._sinks import (
    CENTRAL_PLUGIN,
    DEFAULT_POLL_S,
    CentralSink,
    SinkFault,
    central_sinks,
    link_sink,
    sink_faults,
)
from hypactors.central._urls import endpoint, fleet_of, url_fault

__all__ = [
    "CENTRAL_PLUGIN",
    "DEFAULT_POLL_S",
    "LADDER_S",
    "LARGEST_BODY",
    "CentralSink",
    "CentralUnreachableError",
    "Failure",
    "Identity",
    "IdentityError",
    "IdentityKeeper",
    "PollFailure",
    "PollResult",
    "Reply",
    "Served",
    "SinkFault",
    "Step",
    "Unchanged",
    "central_sinks",
    "delete_identity",
    "endpoint",
    "fleet_of",
    "judge",
    "ladder_s",
    "link_sink",
    "next_poll_s",
    "parse_retry_after",
    "poll",
    "read_identity",
    "seed_document",
    "sink_faults",
    "url_fault",
    "wait_s",
    "write_identity",
    "write_seed",
]
