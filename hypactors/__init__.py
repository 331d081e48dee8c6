"""One queryable history of a machine's AI coding agents, kept by supervised actors."""

__version__ = "0.1.0"
