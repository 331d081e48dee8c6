"""Imports of history: which files, in which order, on how many cores, and what is done already.

Loads the data plane when it has rows to write, and not before.
"""

from hypactors.importing._checkpoints import forget_before
from hypactors.importing._engine import Engine, EventLog, Imported, Surroundings
from hypactors.importing._memory import be_frugal
from hypactors.importing._progress import Progress, ProgressFile
from hypactors.importing._reasons import reason_of

__all__ = [
    "Engine",
    "EventLog",
    "Imported",
    "Progress",
    "ProgressFile",
    "Surroundings",
    "be_frugal",
    "forget_before",
    "reason_of",
]
