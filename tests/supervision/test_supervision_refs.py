"""References and mailboxes: nobody waits on the thread of an actor, nobody waits for ever."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from pykka import ActorDeadError, ThreadingFuture
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from hypactors.supervision import (
    ActorCrashed,
    ChildCrashed,
    ChildSpec,
    RestartScheduled,
    Urgent,
)
from hypactors.supervision._mailbox import Mailbox
from tests.supervision.conftest import TRAP_S, Steady, Tree, hold, raising, steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykka import ActorRef


class Important(Urgent):
    pass


def take_all(mailbox: Mailbox) -> list[object]:
    return [mailbox.get().message for _ in range(mailbox.qsize())]


WAITS: dict[str, Callable[[Tree, ActorRef[Any], Any], object]] = {
    "ask": lambda _tree, ref, _proxy: ref.ask("who?", timeout=TRAP_S),
    "ask for later": lambda _tree, ref, _proxy: ref.ask("who?", block=False),
    "ask by name": lambda tree, _ref, _proxy: tree.ask("b", "who?"),
    "proxy": lambda _tree, ref, _proxy: ref.proxy(),
    "proxy from the edge": lambda _tree, _ref, proxy: proxy.name.get(),
    "stop": lambda _tree, ref, _proxy: ref.stop(timeout=TRAP_S),
}


@pytest.mark.parametrize("way", WAITS)
def test_an_actor_cannot_wait_for_another(tree: Tree, way: str) -> None:
    """Contract §11: enforced when the program runs."""
    tree.start_and_wait(steady("a"), steady("b"))
    ref = tree.directory._refs["b"]
    proxy = ref.proxy()
    with pytest.raises(ActorCrashed) as raised:
        tree.ask("a", lambda _actor: WAITS[way](tree, ref, proxy))
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert "an actor must not" in str(raised.value.__cause__)
    assert ref.ask("who?", timeout=TRAP_S) == ("b", 1), "the edge may"
    tree.wait_for(RestartScheduled)


def test_an_actor_may_tell_and_stop_another(tree: Tree) -> None:
    tree.start_and_wait(steady("a"), steady("b"))
    ref = tree.directory._refs["b"]
    told = threading.Event()
    tree.ask("a", lambda _actor: ref.tell(lambda _b: told.set()))
    assert told.wait(TRAP_S)
    tree.ask("a", lambda _actor: ref.stop(block=False) and None)
    assert tree.wait_for(RestartScheduled).name == "b"


class Explosive(Steady):
    def explode(self, error: BaseException) -> None:
        raise error


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(1)], ids=repr)
def test_a_call_by_a_proxy_can_be_the_crash_of_that_one_actor_too(
    tree: Tree, error: BaseException
) -> None:
    """Pykka keeps these from ``on_receive``, and stops every actor for a ``SystemExit``."""
    tree.start_and_wait(ChildSpec("a", Explosive.start), steady("b"))
    proxy = tree.directory._refs["a"].proxy()
    with pytest.raises(ActorCrashed):
        proxy.explode(error).get(timeout=TRAP_S)
    assert tree.wait_for(ChildCrashed).error is error
    tree.wait_for(RestartScheduled)
    assert tree.ask("b", "who?") == ("b", 1)


def test_what_is_urgent_goes_first_and_keeps_its_order() -> None:
    mailbox = Mailbox()
    first, second = Important(), Important()
    for message in (1, first, 2, second, 3):
        mailbox.put(Envelope(message))
    assert take_all(mailbox) == [first, second, 1, 2, 3]


def test_a_stop_is_urgent() -> None:
    mailbox = Mailbox()
    mailbox.put(Envelope("work"))
    assert not mailbox.has_stop()
    mailbox.put(Envelope(_ActorStop()))
    assert mailbox.has_stop()
    assert isinstance(mailbox.get().message, _ActorStop)


def test_a_mailbox_gives_out_what_cannot_wait() -> None:
    mailbox = Mailbox()
    wanted, other = Important(), Important()
    for message in (other, wanted, "work"):
        mailbox.put(Envelope(message))
    assert mailbox.take(lambda message: message is wanted) == [wanted]
    assert take_all(mailbox) == [other, "work"]


@pytest.mark.parametrize("is_closed_first", [True, False], ids=["came after", "was there"])
def test_a_mailbox_that_is_closed_leaves_nobody_without_an_answer(*, is_closed_first: bool) -> None:
    """Who saw the actor alive puts a message there that nobody takes out any more."""
    mailbox = Mailbox()
    asked: ThreadingFuture[Any] = ThreadingFuture()
    stopped: ThreadingFuture[Any] = ThreadingFuture()
    if is_closed_first:
        mailbox.close()
    mailbox.put(Envelope("who?", reply_to=asked))
    mailbox.put(Envelope("a tell"))
    mailbox.put(Envelope(_ActorStop(), reply_to=stopped))
    mailbox.close()
    with pytest.raises(ActorDeadError):
        asked.get(timeout=0)
    assert stopped.get(timeout=0) is None
    assert mailbox.empty()


def test_an_actor_closes_its_mailbox_when_it_ends(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    ref = tree.directory._refs["a"]
    tree.tell("a", raising(ValueError("boom")))
    tree.wait_for(RestartScheduled)
    answer: ThreadingFuture[Any] = ThreadingFuture()
    ref.actor_inbox.put(Envelope("too late", reply_to=answer))
    with pytest.raises(ActorDeadError):
        answer.get(timeout=TRAP_S)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_in_the_failure_hook_answers_who_had_asked(tree: Tree) -> None:
    class DiesTwice(Steady):
        def on_failure(self, *_error: object) -> None:
            raise SystemExit

    tree.start_and_wait(ChildSpec("a", DiesTwice.start))
    release = hold(tree, "a")
    ref = tree.directory._refs["a"]
    ref.tell(raising(ValueError("boom")))
    answer = ref.ask("who?", block=False)
    release.set()
    with pytest.raises(ActorDeadError):
        answer.get(timeout=TRAP_S)
    tree.wait_for(RestartScheduled)
