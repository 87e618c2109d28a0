"""Ending a broker's subscriptions without dropping what has arrived.

FastStream unsubscribes and lets running handlers finish, but throws away what waits behind them in its own process: requests nobody
answers, and stored messages that are delivered a second time.
"""

import asyncio
from typing import Any

from faststream.nats import NatsBroker
from nats.aio.subscription import Subscription

_LOOK_SECONDS = 0.005


async def drain(broker: NatsBroker) -> None:
    """Returns when every message that the server has sent us is handled; it sends no more."""
    ending: list[Any] = []
    for subscriber in broker.subscribers:
        subscription: Any = getattr(subscriber, "subscription", None)
        if isinstance(subscription, Subscription):
            ending.append(subscriber)
    await asyncio.gather(*(each.subscription.drain() for each in ending))
    for each in ending:
        each.subscription = None  # or FastStream gives back once more what is given back
    # Those that work on several messages at once have a queue of their own behind the subscription. Asked twice: between two looks
    # a message may be on its way from the queue to its handler.
    idle_looks = 0
    while idle_looks < 2:
        idle_looks = 0 if any(map(_is_busy, ending)) else idle_looks + 1
        await asyncio.sleep(_LOOK_SECONDS)


def _is_busy(subscriber: Any) -> bool:
    limiter, queue = getattr(subscriber, "limiter", None), getattr(subscriber, "receive_stream", None)
    if limiter is None or queue is None:
        return False
    waiting = queue.statistics()
    return bool(
        limiter.value < subscriber.max_workers or waiting.current_buffer_used or waiting.tasks_waiting_send
    )
