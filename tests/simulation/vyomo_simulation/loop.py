"""An event loop whose time is virtual and whose schedule is drawn from a seed.

Nothing waits: when no callback is ready, time jumps to the next timer. Every callback belongs to the simulated process in whose
context it was made. Callbacks of different processes that are ready at once run in an order drawn from the seed; within a
process asyncio's own promise holds (first come, first run), for code may rely on it. A paused process's callbacks wait until it
is resumed, a killed one's never run: no `finally` of it does either, as after `kill -9`.

It keeps its own queue and its own timers: asyncio's ask the operating system for the time and for sockets at every turn, and
that was a fifth of a run. What it still shares with asyncio are private parts (`_run_once`, `_stopping`, the fields of a handle),
so `test_loop.py` runs on every Python the project supports.
"""

# pyright: reportPrivateUsage=false

import asyncio
import contextlib
import contextvars
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from itertools import count
from random import Random
from typing import Any, Final, NoReturn

_OWNER: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("owner", default=None)


class Process:
    """What is killed, paused and resumed as one: everything started in it, and everything that started, and so on."""

    def __init__(self, loop: "VirtualLoop", name: str) -> None:
        self.name = name
        self.is_alive = True
        self.is_paused = False
        self.held: list[_Handle] = []
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


_RESOLUTION: Final = 1e-9
"""Timers this close to each other are due together: sums of floats differ in their last digits."""


class _Handle(asyncio.TimerHandle):
    """A callback that is to run, at once or later."""

    __slots__ = ("owner",)

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:  # not asyncio's own, which looks for a debugger each time
        self._when = when
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._context = context = contextvars.copy_context() if context is None else context
        self.owner = context.get(_OWNER)

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = _nothing
        self._args = ()


class VirtualLoop(asyncio.SelectorEventLoop):
    # Private to asyncio, and what this class is about.
    _stopping: bool

    def __init__(self, seed: int) -> None:
        self._now = 0.0
        self._random = Random(f"schedule {seed}")
        self._outside = contextvars.Context()
        self._processes: list[Process] = []
        self._queue: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._number = count().__next__
        self.unheard: list[BaseException] = []
        """What tasks of processes and callbacks died of while nobody asked them."""
        super().__init__()
        self.set_exception_handler(_say_nothing)

    def time(self) -> float:
        return self._now

    def process(self, name: str) -> Process:
        process = Process(self, name)
        self._processes.append(process)
        return process

    def later(self, seconds: float, callback: Callable[..., object], *values: Any) -> None:
        """Something that happens in the world, whatever becomes of the process that caused it."""
        when = self._now + seconds
        handle = _Handle(when, callback, values, self._outside)
        heapq.heappush(self._timers, (when, self._number(), handle))

    def pause(self, seconds: float) -> "asyncio.Future[None]":
        """`asyncio.sleep` for what waits so often that its own timer to be cancelled is worth saving."""
        woken: asyncio.Future[None] = asyncio.Future(loop=self)
        self.call_at(self._now + seconds, _wake, woken)
        return woken

    # What asyncio asks of a loop

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(self._now, callback, args, context)
        self._queue.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = _Handle(when, callback, args, context)
        heapq.heappush(self._timers, (when, self._number(), handle))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: object = None, context: contextvars.Context | None = None
    ) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(
            coro, loop=self, name="" if name is None else str(name), context=context
        )
        owner = _OWNER.get() if context is None else context.get(_OWNER)
        if owner is not None:
            # Kept: a killed process's tasks must not be collected, and so closed, at a moment nobody chose.
            owner.tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:  # noqa: ARG002
        raise RuntimeError(f"no threads in a simulation: {func!r} would run in one")

    def _run_once(self) -> None:
        """One turn: move the clock if nothing is ready, decide what runs and in which order, and run it."""
        queue = self._queue
        if not queue:
            self._move_clock()
        self._take_what_is_due()
        self._decide_order()
        for _ in range(len(queue)):
            handle = queue.popleft()
            if not handle._cancelled:
                self._call(handle)

    def _move_clock(self) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if timers:
            self._now = max(self._now, timers[0][0])
        elif not self._stopping:
            raise StuckError

    def _take_what_is_due(self) -> None:
        timers, due = self._timers, self._now + _RESOLUTION
        while timers and timers[0][0] < due:
            handle = heapq.heappop(timers)[2]
            if not handle._cancelled:
                self._queue.append(handle)

    def _call(self, handle: _Handle) -> None:
        try:
            handle._context.run(handle._callback, *handle._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - what a callback dies of is a finding, as a task's is
            self.unheard.append(error)

    def _decide_order(self) -> None:
        queue = self._queue
        if len(queue) == 1:  # most turns: nobody else is there to come first
            owner = queue[0].owner
            if owner is None or (owner.is_alive and not owner.is_paused):
                return
        queues: dict[Process | None, list[_Handle]] = {}
        for handle in queue:
            owner = handle.owner
            if owner is None or (owner.is_alive and not owner.is_paused):
                queues.setdefault(owner, []).append(handle)
            elif owner.is_alive:
                owner.held.append(handle)
        queue.clear()
        if len(queues) == 1:
            queue.extend(*queues.values())
        elif queues:
            turns = [owner for owner, mine in queues.items() for _ in mine]
            self._random.shuffle(turns)
            waiting = {owner: iter(mine) for owner, mine in queues.items()}
            queue.extend(next(waiting[owner]) for owner in turns)

    def forget(self, process: Process) -> None:
        for handle in self._queue:
            if handle.owner is process:
                handle.cancel()

    def bring_back(self, handles: "list[_Handle]") -> None:
        self._queue.extend(handles)

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


def _wake(sleeper: "asyncio.Future[None]") -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def _nothing() -> None:
    """What a cancelled callback does."""
