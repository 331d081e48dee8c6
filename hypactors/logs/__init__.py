"""Reading back what the daemon and its children log: merged by time, filtered, followed.

Loads next to nothing: ``hyp logs`` is typed while somebody waits.
"""

from hypactors.logs._files import LogFiles, Stream
from hypactors.logs._follow import Follower
from hypactors.logs._lines import LogLine, parse_line
from hypactors.logs._merge import newest, oldest_first
from hypactors.logs._render import render
from hypactors.logs._wanted import Wanted, parse_level, parse_since

__all__ = [
    "Follower",
    "LogFiles",
    "LogLine",
    "Stream",
    "Wanted",
    "newest",
    "oldest_first",
    "parse_level",
    "parse_line",
    "parse_since",
    "render",
]
