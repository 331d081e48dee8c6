"""What Pykka does by itself when actors fail: nothing here is supervised.

python examples/supervision/pykka_alone.py
"""

from __future__ import annotations

import logging
from typing import Any

import pykka

logging.disable()


class BreaksAsItStarts(pykka.ThreadingActor):
    def on_start(self) -> None:
        raise OSError("no such luck")

    def on_failure(self, *_error: object) -> None:
        print("never printed: no hook is called when on_start raises")


class Divides(pykka.ThreadingActor):
    def on_receive(self, message: Any) -> Any:
        return 100 // message


class Exits(pykka.ThreadingActor):
    def on_receive(self, _message: Any) -> Any:
        raise SystemExit


def main() -> None:
    broken = BreaksAsItStarts.start()
    broken.actor_stopped.wait(5)
    print("dies in on_start: alive", broken.is_alive(), "- and nobody was told")

    divides = Divides.start()
    try:
        divides.ask(0)
    except ZeroDivisionError:
        print("an error in an ask: alive", divides.is_alive(), "- with whatever state that left")

    exits = Exits.start()
    exits.tell("go")
    divides.actor_stopped.wait(5)
    print("SystemExit in one actor: another one is alive", divides.is_alive())


if __name__ == "__main__":
    main()
