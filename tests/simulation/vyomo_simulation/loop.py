"""An event loop whose time is virtual and whose schedule is drawn from a seed.

Nothing waits: when no callback is ready, time jumps to the next timer. Every callback belongs to the simulated process in whose
context it was made. Callbacks of different processes that are ready at once run in an order drawn from the seed; within a
process asyncio's own promise holds (first come, first run), for code may rely on it. A paused process's callbacks wait until it
is resumed, a killed one's never run: no `finally` of it does either, as after `kill -9`.

It reaches into private parts of asyncio (`_ready`, `_scheduled`, `Handle._context`), so `test_loop.py` runs on every Python the
project supports.
"""

# pyright: reportPrivateUsage=false

import asyncio
import contextlib
import contextvars
import heapq
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, NoReturn

_OWNER: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("owner", default=None)


class Process:
    """What is killed, paused and resumed as one: everything started in it, and everything that started, and so on."""

    def __init__(self, loop: "VirtualLoop", name: str) -> None:
        self.name = name
        self.is_alive = True
        self.is_paused = False
        self.held: list[asyncio.Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.context = contextvars.copy_context()
        self.context.run(_OWNER.set, self)
        self._loop = loop

    def spawn(self, main: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        return self._loop.create_task(main, context=self.context.copy())

    def kill(self) -> None:
        self.is_alive = False
        self.held.clear()
        self._loop.forget(self)

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        self._loop.bring_back(self.held)
        self.held = []


def current_process() -> Process | None:
    """The process whose code runs; None is the world outside: servers, broker, clients, faults."""
    return _OWNER.get()


class StuckError(Exception):
    """Nothing is ready and no timer is set: the simulation would wait for ever."""


class _VirtualSelector(selectors.SelectSelector):
    """Instead of waiting for sockets it moves the clock."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError
        self.loop.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    # Private to asyncio, and what this class is about.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float

    def __init__(self, seed: int) -> None:
        self._now = 0.0
        self._random = Random(f"schedule {seed}")
        self._outside = contextvars.Context()
        self._processes: list[Process] = []
        self.unheard: list[BaseException] = []
        """What tasks of processes died of while nobody asked them."""
        selector = _VirtualSelector()
        selector.loop = self
        super().__init__(selector)
        self.set_exception_handler(_say_nothing)

    def time(self) -> float:
        return self._now

    def process(self, name: str) -> Process:
        process = Process(self, name)
        self._processes.append(process)
        return process

    def later(self, seconds: float, callback: Callable[..., object], *values: Any) -> None:
        """Something that happens in the world, whatever becomes of the process that caused it."""
        self.call_later(seconds, callback, *values, context=self._outside)

    def create_task(self, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        context = options.get("context")
        owner = _OWNER.get() if context is None else context.get(_OWNER)
        if owner is not None:
            # Kept: a killed process's tasks must not be collected, and so closed, at a moment nobody chose.
            owner.tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:  # noqa: ARG002
        raise RuntimeError(f"no threads in a simulation: {func!r} would run in one")

    def advance(self, seconds: float) -> None:
        """Called once a turn: move the clock, then decide what runs in this turn and in which order."""
        self._now += seconds
        due = self._now + self._clock_resolution
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0]._when < due:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        queues: dict[Process | None, list[asyncio.Handle]] = {}
        for handle in ready:
            owner = handle._context.get(_OWNER)
            if owner is None or (owner.is_alive and not owner.is_paused):
                queues.setdefault(owner, []).append(handle)
            elif owner.is_alive:
                owner.held.append(handle)
        ready.clear()
        if len(queues) == 1:
            ready.extend(*queues.values())
        elif queues:
            turns = [owner for owner, queue in queues.items() for _ in queue]
            self._random.shuffle(turns)
            waiting = {owner: iter(queue) for owner, queue in queues.items()}
            ready.extend(next(waiting[owner]) for owner in turns)

    def forget(self, process: Process) -> None:
        for handle in self._ready:
            if handle._context.get(_OWNER) is process:
                handle.cancel()

    def bring_back(self, handles: list[asyncio.Handle]) -> None:
        self._ready.extend(handles)

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        """Run to the end of `main`, then put away what never ended."""
        try:
            return self.run_until_complete(self.create_task(main, context=contextvars.Context()))
        finally:
            self.close()
            for process in self._processes:
                for task in process.tasks:
                    self._put_away(task)

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """A killed process's generators are not closed: it has no last words."""

    def _put_away(self, task: "asyncio.Task[Any]") -> None:
        if not task.done():
            task._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue]
            # Whatever a dead process's clean-up says is of no interest.
            with contextlib.suppress(BaseException):
                task.get_coro().close()  # pyright: ignore[reportOptionalMemberAccess]
        elif task._log_traceback and (error := task.exception()) is not None:
            self.unheard.append(error)


def _say_nothing(_: asyncio.AbstractEventLoop, __: object) -> None:
    """Errors nobody asked for are kept in `unheard`, not printed when the collector happens to find them."""
