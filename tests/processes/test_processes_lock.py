from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from hypactors.processes import ImportLock, is_free
from tests.processes.lab import known

if TYPE_CHECKING:
    from pathlib import Path

    from hypactors.paths import HypHome


def fail_to_wait() -> None:
    pytest.fail("nobody else holds the lock, so there is nothing to wait for")


@pytest.fixture
def path(home: HypHome) -> Path:
    return home.import_lock("claude")


def test_a_held_lock_cannot_be_taken_again(path: Path) -> None:
    """Contract §5.1."""
    with known(ImportLock.try_take(path)):
        assert ImportLock.try_take(path) is None
        assert not is_free(path)
    assert is_free(path)
    known(ImportLock.try_take(path)).close()


def test_lock_is_private_and_is_never_unlinked(path: Path) -> None:
    """Contract §5.1."""
    known(ImportLock.try_take(path)).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_locks_of_two_providers_are_apart(home: HypHome) -> None:
    with (
        known(ImportLock.try_take(home.import_lock("claude"))),
        known(ImportLock.try_take(home.import_lock("codex"))),
    ):
        pass


def test_lock_is_held_until_the_last_copy_of_its_description_is_closed(path: Path) -> None:
    """Contract §5.1: closing our copy takes nothing from those who inherited it."""
    lock = known(ImportLock.try_take(path))
    copy = os.dup(lock.fileno())
    lock.close()
    assert not is_free(path)
    os.close(copy)
    assert is_free(path)


def test_probing_creates_nothing_and_takes_nothing(path: Path) -> None:
    assert is_free(path)
    assert not path.exists()
    known(ImportLock.try_take(path)).close()
    assert is_free(path)
    assert is_free(path)
    known(ImportLock.try_take(path)).close()


def test_two_probes_at_once_both_find_a_free_lock(path: Path) -> None:
    known(ImportLock.try_take(path)).close()
    with path.open() as other_probe:
        fcntl.flock(other_probe, fcntl.LOCK_SH)
        assert is_free(path)


def test_closed_lock_has_no_descriptor_and_closes_once(path: Path) -> None:
    lock = known(ImportLock.try_take(path))
    lock.close()
    lock.close()
    with pytest.raises(ValueError, match="closed"):
        lock.fileno()


def test_symlink_in_the_place_of_the_lock_is_refused(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        ImportLock.try_take(path)


def test_import_adopts_the_inherited_lock_and_keeps_it_from_its_children(
    home: HypHome, path: Path
) -> None:
    """Contract §5.1: device and inode match, and workers do not keep it."""
    with known(ImportLock.try_take(path)) as lock:
        inherited = os.dup(lock.fileno())
        os.set_inheritable(inherited, True)
    environ = {"HYP_IMPORT_LOCK_FD": str(inherited)}
    with ImportLock.for_import(home, "claude", environ, fail_to_wait) as adopted:
        assert adopted.fileno() == inherited
        assert not os.get_inheritable(inherited)
        assert not is_free(path)
    assert is_free(path)


def test_lock_of_another_provider_is_not_adopted(home: HypHome, path: Path) -> None:
    with known(ImportLock.try_take(home.import_lock("codex"))) as other:
        environ = {"HYP_IMPORT_LOCK_FD": str(other.fileno())}
        with ImportLock.for_import(home, "claude", environ, fail_to_wait) as lock:
            assert lock.fileno() != other.fileno()
            assert not is_free(path)


@pytest.mark.parametrize("number", ["", "x", "-1", "٣", "3.0", "987654", "9" * 40])
def test_number_that_is_no_descriptor_of_ours_is_ignored(home: HypHome, number: str) -> None:
    environ = {"HYP_IMPORT_LOCK_FD": number}
    ImportLock.for_import(home, "claude", environ, fail_to_wait).close()


def test_descriptor_of_a_lock_that_somebody_else_holds_is_not_adopted(
    home: HypHome, path: Path
) -> None:
    """Contract §5.1: a number left over in the environment must not let two imports run."""
    holder = known(ImportLock.try_take(path))
    with path.open("r+") as leftover:
        environ = {"HYP_IMPORT_LOCK_FD": str(leftover.fileno())}
        # Released by the wait itself, so that the import gets on.
        with ImportLock.for_import(home, "claude", environ, holder.close) as lock:
            assert lock.fileno() != leftover.fileno()


def test_import_waits_for_another_import_and_says_so_once(home: HypHome, path: Path) -> None:
    holder = known(ImportLock.try_take(path))
    said = threading.Event()
    calls: list[str] = []
    locks: list[ImportLock] = []

    def on_wait() -> None:
        calls.append("waiting")
        said.set()

    waiting = threading.Thread(
        target=lambda: locks.append(ImportLock.for_import(home, "claude", {}, on_wait))
    )
    waiting.start()
    assert said.wait(10)
    assert locks == []
    holder.close()
    waiting.join(10)
    assert calls == ["waiting"]
    with locks[0]:
        assert not is_free(path)


@pytest.mark.process
def test_lock_is_free_when_its_last_inheritor_was_killed(path: Path) -> None:
    """Contract §5.1: however it died."""
    with known(ImportLock.try_take(path)) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"],
            stdout=subprocess.PIPE,
            pass_fds=(lock.fileno(),),
        )
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        assert not is_free(path)
        child.kill()
    assert is_free(path)
