"""What may be wrong with this machine, and the few things that can be repaired without asking.

Looking changes nothing. A repair is on a short list: modes of our files, a stale socket or pid
file, a damaged state file set aside. It needs the daemon's lock.
"""

from hypactors.doctor._examine import examine, repair
from hypactors.doctor._finding import Finding, Level, Surroundings

__all__ = ["Finding", "Level", "Surroundings", "examine", "repair"]
