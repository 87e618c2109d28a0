"""A natural batcher: what arrived while the last batch was being served is the next batch.

No minimum size, so a lonely item waits for nothing, and a burst shares one message, one statement, one commit.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Calls `serve` with lists of submitted items, at most `in_flight` calls at once, `largest` items each.

    With `patience_seconds` a further call starts only beside calls that have lasted that long: as a rule there is one, as large as it
    can be, and a slow one holds nobody up for longer. `serve` returns one result an item, in order. If it raises, every submitter of
    that list gets the exception.
    """

    def __init__(
        self,
        serve: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        in_flight: int,
        largest: int,
        patience_seconds: float = 0,
    ) -> None:
        self._serve = serve
        self._in_flight = in_flight
        self._largest = largest
        self._patience_seconds = patience_seconds
        self._is_patient = False
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def submit(self, item: Item) -> Result:
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._start()
        return await future

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        while self._running:
            await asyncio.wait(self._running)

    def _start(self) -> None:
        if not self._waiting or len(self._running) >= self._in_flight or (self._running and self._is_patient):
            return
        # One task takes all that waits, but only when it first runs: items of the same loop turn join it.
        task = asyncio.create_task(self._run())
        self._running.add(task)
        task.add_done_callback(self._finished)
        if self._patience_seconds:
            self._is_patient = True
            asyncio.get_running_loop().call_later(self._patience_seconds, self._lose_patience, task)

    def _lose_patience(self, task: asyncio.Task[None]) -> None:
        if task in self._running:
            self._is_patient = False
            self._start()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _run(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._largest))]
        if not batch:
            return
        try:
            results = await self._serve([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(results)} results for {len(batch)} items")
        except BaseException as error:  # noqa: BLE001 - every waiter must be answered, also on cancellation
            for _, future in batch:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
