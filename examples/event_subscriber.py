"""Follow every order from outside Vyomo, with nothing but `vyomo-contracts` and a NATS client.

    VYOMO_EVENTS_URL=$(./vyomo events-url) .vyomo/venv/bin/python examples/event_subscriber.py

The URL is in the environment because it holds a password, and command lines are for all to see. Its user may listen to events and
do nothing else. In containers it is `nats://subscriber:$VYOMO_SUBSCRIBER_PASSWORD@nats:4222`. Events are snapshots with a version: keep the newest of each order and drop the rest, and
it does not matter that the bus may repeat or reorder them. A program that must not miss any reads `GET /api/events?since=` at
start and after each reconnect.
"""

import asyncio
import os
import sys

import nats
from nats.aio.msg import Msg

from vyomo_contracts import subjects
from vyomo_contracts.events import BrokerEvents, OrderChanged
from vyomo_contracts.orders import Order

newest_versions: dict[str, int] = {}


def show(order: Order) -> None:
    reason = f"  {order.reason}" if order.reason else ""
    print(
        f"{order.updated_at:%H:%M:%S.%f}  account {order.account_id}  {order.order_id} v{order.version}  "
        f"{order.transaction_type} {order.filled_quantity}/{order.quantity} {order.exchange}:{order.symbol} "
        f"@ {order.average_price}  {order.status} ({order.state}){reason}",
        flush=True,
    )


async def on_message(message: Msg) -> None:
    """One message holds everything that one commit changed."""
    for event in BrokerEvents.model_validate_json(message.data).items:
        if not isinstance(event, OrderChanged):
            continue
        order = event.order
        if order.version > newest_versions.get(order.order_id, 0):
            newest_versions[order.order_id] = order.version
            show(order)


async def main(url: str) -> None:
    client = await nats.connect(url, name="event-subscriber", max_reconnect_attempts=-1)
    await client.subscribe(subjects.ALL_EVENTS, cb=on_message)
    await client.flush()
    print(f"listening on {subjects.ALL_EVENTS}; Ctrl-C ends", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main(os.environ["VYOMO_EVENTS_URL"]))
    except KeyboardInterrupt:
        sys.exit(0)
