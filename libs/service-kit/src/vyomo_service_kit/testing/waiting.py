"""Waiting for a condition instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")


async def eventually(
    predicate: Callable[[], T | Awaitable[T]],
    timeout: float = 15.0,  # noqa: ASYNC109
    interval: float = 0.02,
) -> T:
    """Call until it returns something true, and return that; an AssertionError inside counts as "not yet".

    >>> await eventually(lambda: len(received) == 3)
    """
    deadline = time.monotonic() + timeout
    while True:
        failure: AssertionError | None = None
        result: object = None
        try:
            outcome = predicate()
            result = await outcome if inspect.isawaitable(outcome) else outcome
            if result:
                return cast("T", result)
        except AssertionError as error:
            failure = error
        if time.monotonic() >= deadline:
            message = f"not true after {timeout:g} s; last answer: {result!r}"
            raise AssertionError(message) from failure
        await asyncio.sleep(interval)
