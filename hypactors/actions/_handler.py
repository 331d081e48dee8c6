"""What a handler is, and how its hooks are called so that none of them can do harm.

A handler is one kind of effect. The reconciler knows handlers through these protocols only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from hypactors.actions._json import is_json_object
from hypactors.actions._text import describe_error
from hypactors.errors import HypError
from hypactors.messages import DesiredAction, Outcome, OutcomeStatus, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from hypactors.actions._markers import Marker
    from hypactors.config import ConfigDocument

NO_OUTCOME = "handler returned no outcome"


@dataclass(frozen=True, slots=True)
class ProviderRef:
    """A provider of transcripts: the word on the command line, and the plugin that owns it."""

    name: str
    plugin: str
    has_history: Callable[[Mapping[str, str]], bool] | None = field(default=None, compare=False)
    """Says, given the environment, whether there is anything to import; costs next to nothing."""


@dataclass(frozen=True, slots=True)
class ProviderFault:
    """A provider that is installed and cannot be used; ``name`` is its entry point's."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What every hook is given: the effective config and the machine around it."""

    config: ConfigDocument
    providers: Sequence[ProviderRef]
    environ: Mapping[str, str]
    now: datetime
    faults: Sequence[ProviderFault] = ()
    cache_id: Callable[[], str | None] | None = None
    """Tells which cache there is now. Raises ``OSError`` or ``ConfigError`` when it cannot."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a handler sees that does not change while the daemon runs."""

    providers: Sequence[ProviderRef]
    environ: Mapping[str, str]
    faults: Sequence[ProviderFault] = ()
    cache_id: Callable[[], str | None] | None = None

    def context(self, config: ConfigDocument, now: datetime) -> ActionContext:
        return ActionContext(
            config, self.providers, self.environ, now, self.faults, cache_id=self.cache_id
        )


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A runner has the unit; its outcome arrives later."""

    runner: str


class Handler(Protocol):
    """One kind of effect. With no more than this it is run once and never undone."""

    @property
    def kind(self) -> str:
        """Name the marker bucket and the status rows."""
        ...

    def desired(self, ctx: ActionContext) -> Sequence[DesiredAction | Undecided]:
        """List the units wanted now, without effects, and those of which it cannot tell now.

        What is not listed is not wanted, and only that is reversed. Raising says "cannot tell" of
        all: then none of the handler's units is performed or reversed.
        """
        ...

    def perform(self, action: DesiredAction, ctx: ActionContext) -> Outcome | Dispatched:
        """Bring one unit about. Raising counts as failed, ``ActionRefused`` as refused."""
        ...


@runtime_checkable
class Reversible(Handler, Protocol):
    """A handler that can undo a unit the config stopped naming."""

    def reverse(self, request_key: str, ctx: ActionContext, marker: Marker) -> Outcome:
        """Undo from the record alone: the config no longer knows the unit."""
        ...


@runtime_checkable
class Extendable(Handler, Protocol):
    """A handler whose done units may lack something that is only done when a person asks."""

    def missing(
        self, marker: Marker, action: DesiredAction, ctx: ActionContext
    ) -> DesiredAction | None:
        """Return what is left to do of a done unit, without effects; None: nothing."""
        ...


@runtime_checkable
class ChecksFreshness(Handler, Protocol):
    """A handler whose done units may become stale."""

    def is_current(self, marker: Marker, action: DesiredAction, ctx: ActionContext) -> bool:
        """Tell, without effects, whether a done unit may stay as it is."""
        ...


class ActionRefused(HypError):  # noqa: N818 - not an error of the program: a person must act
    """Raised by a handler when only a person can remove the obstacle. Never retried by itself."""


def is_refusal(value: object) -> bool:
    """Tell whether what a hook raised states a refusal; none is ever inferred.

    An adapter that cannot import ``ActionRefused`` sets ``action_refused = True`` on its exception.
    """
    return isinstance(value, ActionRefused) or (
        isinstance(value, BaseException) and getattr(value, "action_refused", False) is True
    )


def perform_safely(
    handler: Handler, action: DesiredAction, ctx: ActionContext
) -> Outcome | Dispatched:
    """Call ``perform``; whatever goes wrong in it becomes an outcome."""
    try:
        result: object = handler.perform(action, ctx)
    except Exception as error:  # noqa: BLE001 - a handler may raise anything, and must stop nobody
        status = OutcomeStatus.REFUSED if is_refusal(error) else OutcomeStatus.FAILED
        return Outcome(status, reason=describe_error(error))
    return result if isinstance(result, Dispatched) else _checked(result)


def reverse_safely(
    handler: Reversible, request_key: str, ctx: ActionContext, marker: Marker
) -> Outcome:
    """Call ``reverse``; anything but done, a refusal too, is failed and tried again."""
    try:
        outcome = _checked(handler.reverse(request_key, ctx, marker))
    except Exception as error:  # noqa: BLE001 - a handler may raise anything, and must stop nobody
        return Outcome(OutcomeStatus.FAILED, reason=describe_error(error))
    if outcome.status is OutcomeStatus.REFUSED:
        return replace(outcome, status=OutcomeStatus.FAILED)
    return outcome


def _checked(result: object) -> Outcome:
    """Return an outcome that a marker can record, whatever the hook returned."""
    if not isinstance(result, Outcome) or not isinstance(result.status, OutcomeStatus):
        return Outcome(OutcomeStatus.FAILED, reason=NO_OUTCOME)
    if not is_json_object(result.detail):
        return Outcome(OutcomeStatus.FAILED, reason="handler returned a detail that is not JSON")
    return result
