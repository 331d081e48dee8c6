"""Every error this package raises on purpose.

HypError                 a person reads the message: one line, what happened and what to do
├─ UsageError            the command line is wrong (exit 2)
├─ ConfigError           a config layer cannot be used
├─ HomeBusyError         another daemon owns this HYP_HOME (exit 5)
├─ ControlError          the control socket gave no usable answer
├─ ExportBusyError      another export of the sink runs (exit 6)
├─ ImportBusyError       another import of the provider runs (exit 6)
├─ ImportRunError        an import cannot go on
└─ QueryError            the SQL of a query is wrong, or it cannot run
"""


class HypError(Exception):
    """The root: its text is one line meant for a person, and never holds a secret."""


class UsageError(HypError):
    """The command line asks for something that does not exist or does not fit together."""


class ConfigError(HypError):
    """A config layer is there but cannot be read or is not a version 2 document."""


class HomeBusyError(HypError):
    """Another daemon, ours or the other client's, runs on the same ``HYP_HOME``."""


class ControlError(HypError):
    """No daemon answered on the control socket, or it answered with an error."""


class ImportBusyError(HypError):
    """Another import of the same provider runs, and nobody wants to wait for it."""


class ExportBusyError(HypError):
    """Another export to the same sink runs."""


class ImportRunError(HypError):
    """An import stops here: the reason is meant for the marker and for the person."""


class QueryError(HypError):
    """A statement is wrong, or was stopped.

    ``line`` is the line of the statement that is meant and ``column`` the place in it, from 1;
    empty and 0 where that is not known.
    """

    def __init__(self, message: str, *, line: str = "", column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
