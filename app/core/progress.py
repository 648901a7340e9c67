"""Show how far a long command has come: a bar on a terminal, a line every tenth elsewhere."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

TENTHS = 10


@contextmanager
def shown_progress(
    console: Console, what: str, total: int, *, in_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes how many more are done; any thread may call it."""
    if console.is_terminal:
        amount: ProgressColumn = DownloadColumn() if in_bytes else MofNCompleteColumn()
        columns = (TextColumn(what), BarColumn(), amount, TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(what, total=total)
            yield lambda count: progress.advance(task, count)
        return
    lock = threading.Lock()
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        with lock:
            before, done = done, done + count
            if total and done * TENTHS // total > before * TENTHS // total:
                unit = " bytes" if in_bytes else ""
                console.print(f"{what}: {done:,} of {total:,}{unit}", highlight=False)

    yield advance
