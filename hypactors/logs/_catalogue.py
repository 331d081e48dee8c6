"""Every event that is logged. A test holds the source against it, in both directions."""

from __future__ import annotations

from hypactors.logs._events_daemon import CONFIG, DAEMON
from hypactors.logs._events_work import SERVER, WORK

CATALOGUE = (*DAEMON, *CONFIG, *WORK, *SERVER)
