"""The running system: the actors, the tree they live in, and the daemon around it."""

from hypactors.actors._daemon import Daemon, Once
from hypactors.actors._home_files import own_home

__all__ = ["Daemon", "Once", "own_home"]
