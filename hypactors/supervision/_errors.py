"""What a child or a supervisor ended of, where no exception of its own says it.

ActorCrashed                the answer to who had asked an actor that died of the question
EndedWithoutAWord           found by the sweep: the thread is gone
StartTimedOut               the setup took longer than its budget
ChildHung                   a permanent child never came back from a message
RestartIntensityExceeded    children ended too often
"""


class ActorCrashed(Exception):  # noqa: N818 - a fact, told to whoever asked the actor
    """The actor died while it handled the message; the cause is attached."""


class EndedWithoutAWord(RuntimeError):  # noqa: N818 - a fact
    """The thread of a child is gone and nothing said why."""


class StartTimedOut(RuntimeError):  # noqa: N818 - a fact
    """The setup of a child took longer than its budget."""


class ChildHung(RuntimeError):  # noqa: N818 - a fact
    """A permanent child does not come back from a message, and nothing can end its thread."""


class RestartIntensityExceeded(RuntimeError):  # noqa: N818 - a fact
    """A supervisor gave up; its own supervisor, or the program, decides what follows."""
