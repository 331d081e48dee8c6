"""Errors of what the program passed in: they are shown, and take nothing down."""

from __future__ import annotations

import threading


def show(error: Exception) -> None:
    """Hand an error to ``threading.excepthook``, as if this thread had ended of it."""
    details = (type(error), error, error.__traceback__, threading.current_thread())
    threading.excepthook(threading.ExceptHookArgs(details))
