"""A signal ends an import outside the shield, and is never forgotten."""

from __future__ import annotations

import signal

import pytest

from hypactors.cli._stop_signals import Interrupted, StopSignals


def test_a_signal_is_raised_at_once() -> None:
    with pytest.raises(Interrupted) as caught, StopSignals():
        signal.raise_signal(signal.SIGTERM)

    assert (caught.value.signal_name, caught.value.exit_code) == ("SIGTERM", 143)


def commit_meanwhile(*signals: signal.Signals, error: Exception | None = None) -> None:
    """Do what a commit does while signals arrive."""
    with StopSignals() as stop, stop.shield():
        for number in signals:
            signal.raise_signal(number)
        if error is not None:
            raise error


def test_in_the_shield_the_first_signal_waits_for_the_end() -> None:
    with pytest.raises(Interrupted) as caught:
        commit_meanwhile(signal.SIGINT, signal.SIGTERM)

    assert caught.value.exit_code == 130


def test_a_failure_in_the_shield_does_not_hide_the_signal() -> None:
    with pytest.raises(Interrupted):
        commit_meanwhile(signal.SIGTERM, error=RuntimeError("disk full"))


def test_the_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as stop, stop.shield():
        assert signal.getsignal(signal.SIGTERM) != before

    assert signal.getsignal(signal.SIGTERM) == before
