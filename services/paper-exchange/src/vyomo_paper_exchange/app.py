"""Which handler serves which subject. Commands reach the exchange through the record; the bus only rings."""

from collections.abc import Iterable

from faststream.nats import NatsBroker

from vyomo_broker_kit.doorbell import register_doorbell
from vyomo_broker_kit.lanes import Lanes
from vyomo_contracts.vocabulary import Broker


def register(broker: NatsBroker, lanes: Lanes, owned: Iterable[int]) -> None:
    register_doorbell(broker, broker=Broker.PAPER, owned=owned, ring=lanes.ring)
