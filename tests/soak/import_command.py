"""What the soak's daemon starts as its import: Claude's real one, or one that plays a part.

A part is drawn from the seed and the run id, and written down, so that the soak can tell whether
the reason of a failure is the true one. When ``calm`` is there every part is to succeed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

PARTS = (
    *("succeed", "succeed", "slow", "slow", "fail", "die", "rubbish"),
    *("hang", "deaf", "flood stdout", "flood stderr", "grandchild"),
)
OK = '{"providers": [{"status": "ok", "rows_written": 1}]}'


def main() -> int:
    provider = sys.argv[2]
    if provider == "claude":
        words = [sys.executable, "-P", "-m", "hypactors", *sys.argv[1:]]
        os.execv(sys.executable, words)  # noqa: S606 - none is wanted
    home = Path(os.environ["HYP_HOME"])
    run_id = os.environ["HYP_RUN_ID"]
    part = random.Random(f"{os.environ['SOAK_SEED']} {run_id}").choice(PARTS)
    if (home / "calm").exists():
        part = "succeed"
    parts = home / "parts"
    parts.mkdir(exist_ok=True)
    (parts / run_id).write_text(part)
    return play(part)


def play(part: str) -> int:  # noqa: C901, PLR0912 - one case a part
    match part:
        case "slow":
            time.sleep(1.0)
        case "fail":
            print("OSError: the part is to fail", file=sys.stderr)
            return 3
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "rubbish":
            print('{"providers": [[[[')
            return 0
        case "hang":
            time.sleep(3600)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(2.0)
        case "flood stdout":
            for _ in range(17):
                print(" " * (1 << 20))
        case "flood stderr":
            for _ in range(4):
                print("x" * (1 << 20), file=sys.stderr)
        case "grandchild":
            if os.fork() == 0:
                os.setsid()
                time.sleep(3600)
        case _:
            pass
    print(OK)
    return 0


if __name__ == "__main__":
    sys.exit(main())
