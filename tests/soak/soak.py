"""A real daemon under a random sequence of faults, and what must hold all along and at the end."""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from hypactors import control
from hypactors.actors._names import CONFIG_CONTROL, CONTROL_ENDPOINT, MARKER_STORE, RECONCILER
from hypactors.actors._verdict import EXIT_GAVE_UP
from hypactors.errors import ControlError
from hypactors.supervision._supervisor import DEFAULT_INTENSITY
from tests.processes.lab import no_child_left
from tests.soak.world import CONCURRENCY, PLUGINS, World, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.soak.world import LiveRun

ACTORS = (
    *(MARKER_STORE, CONFIG_CONTROL, RECONCILER, CONTROL_ENDPOINT),
    *(f"backfill:{provider}" for provider in PLUGINS),
)
SETTLE_S = 90.0
MAX_RSS = 160 << 20
"""A mailbox that is full to the brim takes some memory, for as long as it is."""

REPORT_EVERY_S = 10.0

COUNTED = {
    "client_action.backfill_spawn": "imports begun",
    "import_adopted": "imports adopted",
    "import_interrupted": "imports interrupted",
    "actor_restarted": "actors restarted",
    "daemon.restart_completed": "staged restarts",
    "import_over_limit": "imports over a limit",
}
"""Of what is left in the log: it is rotated."""

REASONS = {
    "fail": "exited with code 3: OSError: the part is to fail",
    "die": "killed by SIGKILL",
    "hang": "no progress for 3 s",
    "flood stdout": "to stdout",
}


class Violated(AssertionError):  # noqa: N818 - a fact
    """Something does not hold that must; the text says what."""


@dataclass
class Figures:
    """What was done to it, and what was seen."""

    done: Counter[str] = field(default_factory=Counter)
    landed: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    rss: list[int] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)


class Soak:
    def __init__(self, root: Path, seed: int, say: Callable[[str], object]) -> None:
        self.world = World(root, seed)
        self.figures = Figures()
        self._random = random.Random(seed)
        self._say = say
        self._killed: set[str] = set()
        self._crashes = 0

    def run(self, seconds: float) -> Figures:
        """Hurt it for so long, let it come to rest, and judge what is left."""
        self._start()
        actions: list[tuple[Callable[[], None], int]] = [
            (self._kill_daemon, 3),
            (self._kill_launcher, 3),
            (self._kill_import, 4),
            (self._kill_both, 2),
            (self._crash_actor, 8),
            (self._flood_actor, 2),
            (self._pause, 4),
            (self._stage, 3),
            (self._reload, 2),
            (self._stop_and_start, 1),
            (self._forget, 12),
        ]
        choices, weights = zip(*actions, strict=True)
        began = reported = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            if now > reported + REPORT_EVERY_S:
                reported = now
                self._say(f"{now - began:4.0f} s  {self._summary()}")
            [action] = self._random.choices(choices, weights)
            action()
            self.figures.done[action.__name__.strip("_").replace("_", " ")] += 1
            self._check_all_along()
            time.sleep(self._random.uniform(0.02, 0.4))
        self._come_to_rest()
        self._judge()
        return self.figures

    # What is done to it

    def _kill_daemon(self) -> None:
        self.world.kill_daemon()
        self._start()

    def _kill_launcher(self) -> None:
        for run in self._some_run():
            self._send(run, run.launcher, signal.SIGKILL, "launcher")

    def _kill_import(self) -> None:
        for run in self._some_run():
            if run.importer is not None:
                self._send(run, run.importer, signal.SIGKILL, "import")

    def _kill_both(self) -> None:
        for run in self._some_run():
            self._send(run, run.launcher, signal.SIGKILL, "launcher")
            if run.importer is not None:
                self._send(run, run.importer, signal.SIGKILL, "import")

    def _crash_actor(self) -> None:
        self._crashes += 1
        self.world.hurt(f"crash {self._random.choice(ACTORS)}")

    def _flood_actor(self) -> None:
        self.world.hurt(f"flood {RECONCILER}")

    def _pause(self) -> None:
        """Let somebody stand still for a while."""
        assert self.world.daemon is not None
        pids = [self.world.daemon.pid]
        for run in self._some_run():
            pids += [run.launcher, *([run.importer] if run.importer is not None else [])]
        pid = self._random.choice(pids)
        try:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self._random.uniform(0.05, 0.5))
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return
        self.figures.landed["pause"] += 1

    def _stage(self) -> None:
        self.world.hurt(f"stage {self.figures.done['stage'] + 1}")

    def _reload(self) -> None:
        assert self.world.daemon is not None
        self.world.daemon.send_signal(signal.SIGHUP)

    def _stop_and_start(self) -> None:
        code = self.world.stop()
        if code != 0:
            raise Violated(f"a daemon that was told to stop exited with {code}")
        self._start()

    def _forget(self) -> None:
        """Give it something to do again: a record is dropped, and there are new transcripts."""
        provider = self._random.choice(list(PLUGINS))
        if provider == "claude":
            self.world.add_transcripts()
        units = [["backfill", PLUGINS[provider]]]
        try:
            control.request(self.world.home, "actions.forget", {"units": units}, timeout_s=5)
        except ControlError:
            return  # it stands still, or its endpoint is being restarted
        self.figures.landed["forget"] += 1

    def _some_run(self) -> list[LiveRun]:
        runs = self.world.live_runs()
        return [self._random.choice(runs)] if runs else []

    def _send(self, run: LiveRun, pid: int, number: signal.Signals, whom: str) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        self._killed.add(run.folder.run_id)
        self.figures.landed[f"kill -9 {whom}"] += 1

    # What must hold

    def _check_all_along(self) -> None:
        self.figures.checks += 1
        importing = Counter(run.provider for run in self._importing())
        for provider, count in importing.items():
            if count > 1:
                raise Violated(f"{count} imports of {provider} run at once")
        if importing.total() > CONCURRENCY:
            raise Violated(f"{importing.total()} imports run at once: {dict(importing)}")
        if self.world.daemon is not None and self.world.daemon.poll() is not None:
            self._start_anew(self.world.daemon.returncode)
        self._check_daemon_size()

    def _start_anew(self, code: int) -> None:
        """Do as a service manager does, if it was our crashes that were too many."""
        if code != EXIT_GAVE_UP or self._crashes <= DEFAULT_INTENSITY.max_restarts:
            raise Violated(f"the daemon ended with {code} after {self._crashes} crashes")
        self.figures.landed["gave up, started anew"] += 1
        self.world.kill_daemon()
        self._start()

    def _start(self) -> None:
        self._crashes = 0
        self.world.start()

    def _importing(self) -> list[LiveRun]:
        """Return the runs whose import certainly lives: seen twice, as a look takes its time."""
        first = {run.folder.run_id: run for run in self.world.live_runs() if run.importer}
        return [
            run for run in self.world.live_runs() if run.importer and run.folder.run_id in first
        ]

    def _check_daemon_size(self) -> None:
        if self.world.daemon is None:
            return
        process = psutil.Process(self.world.daemon.pid)
        self.figures.rss.append(process.memory_info().rss)
        self.figures.fds.append(process.num_fds())

    def _come_to_rest(self) -> None:
        """Let every action be done, and import what was written while an import ran already."""
        (self.world.home.root / "calm").touch()
        self._wait_for_rest()
        before = self.world.marker_of("claude")["run_id"]
        units = [["backfill", PLUGINS["claude"]]]
        control.request(self.world.home, "actions.forget", {"units": units}, timeout_s=5)
        eventually(lambda: self.world.marker_of("claude").get("run_id") not in {None, before})
        self._wait_for_rest()

    def _wait_for_rest(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        wanted = dict.fromkeys(PLUGINS.values(), "done")
        while self.world.statuses() != wanted or self.world.live_runs():
            self._check_all_along()
            if time.monotonic() > deadline:
                raise Violated(f"it did not come to rest: {self.world.statuses()}")
            time.sleep(0.2)

    def _judge(self) -> None:
        self._judge_reasons()
        self._judge_markers()
        self._count_events()
        self._judge_memory()
        if (code := self.world.stop()) != 0:
            raise Violated(f"the last daemon exited with {code}")
        try:
            eventually(lambda: not self.world.leftovers())
        except AssertionError:
            raise Violated(f"left behind: {self.world.leftovers()}") from None
        self._judge_rows()

    def _count_events(self) -> None:
        for event in self.world.machine.events():
            if event["event"] in COUNTED:
                self.figures.landed[COUNTED[event["event"]]] += 1

    def _judge_reasons(self) -> None:
        """Every failure has a true reason: that of its part, or that we killed it."""
        parts = self.world.parts()
        for event in self.world.machine.events():
            reason = str(event.get("reason") or "")
            run_id = reason.rpartition("run ")[2].rstrip(")")
            if not str(event["event"]).startswith("client_action.") or run_id not in parts:
                continue
            self.figures.checks += 1
            expected = REASONS.get(parts[run_id])
            is_true = expected is not None and expected in reason
            was_killed = run_id in self._killed and "killed by SIGKILL" in reason
            if not is_true and not was_killed:
                raise Violated(f"run {run_id} played {parts[run_id]!r} and failed with: {reason}")

    def _judge_markers(self) -> None:
        """Hold each marker against the record of its run, which must be there."""
        for key, marker in self.world.machine.markers()["backfill"].items():
            [provider] = [name for name, plugin in PLUGINS.items() if plugin == key]
            folder = self.world.home.provider_runs(provider) / marker["run_id"]
            record = json.loads((folder / "run.json").read_bytes())
            if (record["state"], record["outcome"]) != ("settled", marker["status"]):
                raise Violated(f"the marker of {key} says {marker}, its run {record}")

    def _judge_memory(self) -> None:
        rss, fds = self.figures.rss, self.figures.fds
        third = len(rss) // 3
        early, late = sorted(rss[:third])[third // 2], sorted(rss[-third:])[third // 2]
        if late > 1.5 * early or max(rss) > MAX_RSS:
            raise Violated(
                f"the daemon grew from {early >> 20} to {late >> 20} MiB, "
                f"and to {max(rss) >> 20} at most"
            )
        if max(fds) > min(fds) + 40:
            raise Violated(f"the daemon has up to {max(fds)} descriptors, from {min(fds)}")

    def _judge_rows(self) -> None:
        """Compare the cache with what one undisturbed import makes of the same transcripts."""
        count, ids = self.world.rows()
        reference = str(self.world.machine.root / "reference")
        self.world.import_anew(reference)
        expected, expected_ids = self.world.rows(HYP_HOME=reference)
        if count != len(ids):
            raise Violated(f"{count - len(ids)} rows are there more than once")
        if ids != expected_ids:
            raise Violated(f"{count} rows instead of {expected}")
        self.figures.landed["rows"] = count

    def _summary(self) -> str:
        states = Counter(self.world.statuses().values())
        return (
            f"{self.figures.done.total()} faults, {dict(states)}, {len(self._killed)} runs killed"
        )


def soak(seed: int, seconds: float, say: Callable[[str], object], *, keep: bool = False) -> Figures:
    """Run it on a throwaway machine. Raises ``Violated``; then the machine is kept."""
    root = Path(tempfile.mkdtemp(prefix="hyp-soak-"))
    is_kept = keep
    try:
        with no_child_left():
            it = Soak(root, seed, say)
            try:
                return it.run(seconds)
            except BaseException:
                is_kept = True
                if it.world.daemon is not None:
                    it.world.daemon.kill()
                    it.world.daemon.wait()
                raise
    finally:
        if is_kept:
            say(f"kept: {root}")
        else:
            import shutil  # noqa: PLC0415 - only here

            shutil.rmtree(root)
