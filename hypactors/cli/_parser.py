"""How a command line that is wrong is told."""

from __future__ import annotations

import argparse
from typing import NoReturn

from hypactors.errors import UsageError


class Parser(argparse.ArgumentParser):
    """One line for a mistake, not a page."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")
