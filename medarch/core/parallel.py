"""Run one function over many items in worker processes, and say why when a worker dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from medarch.core.errors import MedarchError, WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: a value, or the error that stopped it."""

    item: Item
    value: Result | None
    error: MedarchError | None


def cpu_count() -> int:
    """Cores this process may use (cgroup affinity respected)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def run_parallel(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int | None = None
) -> Iterator[Outcome[Item, Result]]:
    """Yield an :class:`Outcome` for each item, in order of completion.

    A worker that dies (killed for memory, a segmentation fault) costs only the item it held: the error names the signal
    and a new worker takes its place. ``workers=0`` runs in this process.

    Args:
        function: importable, called as ``function(item)`` in a worker.
        items: picklable items.
        workers: processes; default one a core.
    """
    count = min(cpu_count() if workers is None else workers, len(items))
    if count <= 0:
        for item in items:
            yield _call(function, item)
        return
    context = multiprocessing.get_context(_start_method())
    pending = list(reversed(range(len(items))))
    crew: dict[Connection, _Worker] = {}
    try:
        while pending or crew:
            while pending and len(crew) < count:
                worker = _Worker(context, function)
                crew[worker.pipe] = worker
                worker.give(pending.pop(), items)
            for pipe in wait(list(crew)):
                worker = crew[pipe]  # type: ignore[index]
                index = worker.index
                try:
                    value, error = worker.pipe.recv()
                except (EOFError, OSError):
                    del crew[worker.pipe]
                    yield Outcome(items[index], None, worker.cause_of_death())
                    continue
                if pending:
                    worker.give(pending.pop(), items)
                else:
                    del crew[worker.pipe]
                    worker.dismiss()
                yield Outcome(items[index], value, error)
    finally:
        for worker in crew.values():
            worker.process.kill()
            worker.process.join()


class _Worker:
    """One process and our end of its pipe."""

    def __init__(self, context: Any, function: Callable[[Any], Any]) -> None:
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, self.pipe, function), daemon=True)
        self.process.start()
        theirs.close()
        self.index = -1

    def give(self, index: int, items: Sequence[Any]) -> None:
        self.index = index
        self.pipe.send((True, items[index]))

    def dismiss(self) -> None:
        # Said, not only closed: a worker forked later holds a copy of this end and keeps it open.
        with contextlib.suppress(OSError):
            self.pipe.send((False, None))
        self.process.join()
        self.pipe.close()

    def cause_of_death(self) -> WorkerError:
        self.process.join()
        code = self.process.exitcode or 0
        if code >= 0:
            return WorkerError("a worker process ended by itself", found=f"exit status {code}")
        name = signal.Signals(-code).name
        fix = (
            "the kernel kills a process this way when memory runs out: use fewer --workers or a machine "
            "with more memory"
            if name == "SIGKILL"
            else "a library crashed on this file: check it with `medarch check`"
        )
        return WorkerError("a worker process was killed", found=name, fix=fix)


def _serve(pipe: Connection, parent_end: Connection, function: Callable[[Any], Any]) -> None:
    # A forked child holds a copy of the parent's end; closing it lets it see when the parent is gone.
    parent_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    while True:
        try:
            # Siblings forked later hold copies of the parent's ends, so a killed parent closes nothing: look for it.
            while not pipe.poll(1.0):
                if os.getppid() != parent:
                    return
            more, item = pipe.recv()
        except (EOFError, OSError):
            return
        if not more:
            return
        outcome = _call(function, item)
        try:
            pipe.send((outcome.value, outcome.error))
        except BrokenPipeError:
            return


def _call(function: Callable[[Item], Result], item: Item) -> Outcome[Item, Result]:
    try:
        return Outcome(item, function(item), None)
    except MedarchError as error:
        return Outcome(item, None, error)
    except MemoryError as error:
        return Outcome(item, None, WorkerError("out of memory", found=str(error), fix="use fewer --workers"))
    except Exception as error:  # noqa: BLE001 - the one boundary where a batch isolates a case
        return Outcome(
            item,
            None,
            WorkerError(f"unexpected {type(error).__name__}", found="".join(traceback.format_exception(error))[-2000:]),
        )


def _start_method() -> str:
    # Forking costs milliseconds, but is unsafe once torch or an OpenMP pool has started threads in this process.
    if sys.platform != "linux" or "torch" in sys.modules:
        return "spawn"
    return "fork"
