"""Show how far an import is: in its run folder, or as a bar to the person who waits."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hypactors.importing import ProgressFile
from hypactors.processes import RUN_DIR_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hypactors.processes import ImportProgress

    Show = Callable[[ImportProgress], object]


@contextlib.contextmanager
def shown_progress(environ: Mapping[str, str], *, is_quiet: bool) -> Iterator[Show]:
    """Give what has to be told how far the import is; whatever is drawn is gone at the end."""
    folder = environ.get(RUN_DIR_VARIABLE)
    if folder:
        yield ProgressFile(Path(folder))
    elif is_quiet or not sys.stderr.isatty():
        yield lambda _progress: None
    else:
        with _bar() as show:
            yield show


@contextlib.contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    with Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("")

        def show(progress: ImportProgress) -> None:
            bar.update(
                task,
                total=progress.bytes_total,
                completed=progress.bytes_done,
                description=described(progress),
            )

        yield show


def described(progress: ImportProgress) -> str:
    """Return the figures in words.

    >>> from hypactors.processes import ImportProgress
    >>> described(ImportProgress(at="", phase="reading", files_done=3, files_total=10,
    ...     bytes_done=2_000_000, bytes_total=5_000_000, rows_written=1200, eta_s=70))
    '3 of 10 files, 2 of 5 MB, 1200 rows, 70 s left'
    """
    left = "" if progress.eta_s is None else f", {progress.eta_s} s left"
    return (
        f"{progress.files_done} of {progress.files_total} files, "
        f"{progress.bytes_done / 1e6:.0f} of {progress.bytes_total / 1e6:.0f} MB, "
        f"{progress.rows_written} rows{left}"
    )
