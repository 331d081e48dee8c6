"""The running system: the actors, the tree they live in, and the daemon around it."""

from hypactors.actors._daemon import Daemon, Once

__all__ = ["Daemon", "Once"]
