"""Checks of our own files, and their repairs. Links are not followed; what is not ours is left."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec

from hypactors.doctor._finding import Finding
from hypactors.files import OPEN_TO_OTHERS
from hypactors.processes import is_free, is_live_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from hypactors.doctor._finding import Surroundings

_MOST_NAMED = 3


def check_home(around: Surroundings) -> Iterator[Finding]:
    root = around.home.root
    place = root if root.exists() else root.parent
    if root.exists() and not root.is_dir():
        yield Finding("home", "fail", f"{root} is not a folder", f"mv {root} {root}.aside")
    elif not os.access(place, os.W_OK | os.X_OK):
        yield Finding("home", "fail", f"{place} cannot be written", f"chmod u+rwx {place}")
    elif not root.exists():
        yield Finding("home", "ok", f"{root} is not there yet; it is made when it is needed")
    else:
        yield Finding("home", "ok", f"{root} can be written")


def check_modes(around: Surroundings) -> Iterator[Finding]:
    """Look for files of ours that others can read: what was said, and who this machine is."""
    open_ones = list(_open_to_others(around.home.state_root))
    if not open_ones:
        yield Finding("modes", "ok", "only you can read what is kept here")
        return
    named = ", ".join(map(str, open_ones[:_MOST_NAMED]))
    more = f" and {len(open_ones) - _MOST_NAMED} more" if len(open_ones) > _MOST_NAMED else ""

    def close() -> str:
        for path in open_ones:
            mode = stat.S_IMODE(path.lstat().st_mode)
            path.chmod(mode & ~OPEN_TO_OTHERS)
        return f"closed {len(open_ones)} files and folders to others"

    yield Finding(
        "modes", "fail", f"others can read {named}{more}", "hyp doctor --fix", repair=close
    )


def _open_to_others(root: Path) -> Iterator[Path]:
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            # In a folder that nobody else can enter, the modes of the files say nothing.
            if not found.st_mode & OPEN_TO_OTHERS:
                continue
            yield folder
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
            for entry in entries:
                path = folder / entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif entry.is_file(follow_symlinks=False):
                    info = entry.stat(follow_symlinks=False)
                    if info.st_uid == os.getuid() and info.st_mode & OPEN_TO_OTHERS:
                        yield path
        except OSError:
            continue


def check_leftovers(around: Surroundings) -> Iterator[Finding]:
    """Look for the socket and the pid file of a daemon that was killed."""
    home = around.home
    if not is_free(home.daemon_lock):
        yield Finding("leftovers", "ok", "a daemon runs and owns its socket")
        return
    stale = [path for path in (home.control_socket, home.control_address) if _is_there(path)]
    pid = _pid_in(home.pid_file)
    if _is_there(home.pid_file) and (pid is None or not is_live_daemon(pid)):
        stale.append(home.pid_file)
    if not stale:
        yield Finding("leftovers", "ok", "no daemon has left anything behind")
        return

    def remove() -> str:
        for path in stale:
            path.unlink(missing_ok=True)
        return f"removed {', '.join(path.name for path in stale)}"

    names = ", ".join(map(str, stale))
    message = f"a daemon that is gone has left {names}"
    yield Finding("leftovers", "warn", message, "hyp doctor --fix", repair=remove)


def check_state(around: Surroundings) -> Iterator[Finding]:
    home = around.home
    for path in (home.state_file, home.marker_file, home.identity_file):
        fault = _json_fault(path)
        if fault is None:
            continue

        def set_aside(path: Path = path) -> str:
            aside = _free_name(path, around.now)
            path.rename(aside)
            return f"set {path.name} aside as {aside.name}"

        is_identity = path == home.identity_file
        yield Finding(
            "state",
            "fail",
            f"{path} {fault}",
            "hyp join URL --token-file FILE" if is_identity else "hyp doctor --fix",
            # Without its identity a machine must enrol again, and that is a person's.
            repair=None if is_identity else set_aside,
        )
        return
    yield Finding("state", "ok", "what is remembered can be read")


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _pid_in(path: Path) -> int | None:
    try:
        found = msgspec.json.decode(path.read_bytes())
        pid = found["pid"]
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return None
    return pid if isinstance(pid, int) and not isinstance(pid, bool) else None


def _json_fault(path: Path) -> str | None:
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (ValueError, RecursionError):
        return "is not JSON"
    return None if isinstance(found, dict) else "is not a JSON object"


def _free_name(path: Path, now: datetime) -> Path:
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    names = (f"{path.name}.corrupt-{stamp}{more}" for more in ("", *(f"-{n}" for n in range(100))))
    return next(
        candidate for name in names if not os.path.lexists(candidate := path.with_name(name))
    )
