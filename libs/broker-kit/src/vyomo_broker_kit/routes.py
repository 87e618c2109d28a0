"""Which transport a call takes: readings the environment's own, orders that of the account's registered address.

Each way has connections of its own, so what one relay does is no matter to the others.
"""

import ssl
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, Self

from vyomo_broker_kit.access import Access, Egress
from vyomo_broker_kit.http import OrderTransport
from vyomo_contracts.vocabulary import Environment

MOST_WAYS: Final = 64
"""Kept open, the one used longest ago closed first."""

_Way = tuple[Environment, Egress]


class Routes:
    def __init__(
        self,
        roots: Mapping[Environment, str],
        *,
        call_seconds: float,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._roots = roots
        self._call_seconds = call_seconds
        self._verify = verify
        self._direct = {
            environment: OrderTransport(root, total_seconds=call_seconds, verify=verify)
            for environment, root in roots.items()
        }
        self._ways: OrderedDict[_Way, OrderTransport] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for transport in (*self._direct.values(), *self._ways.values()):
            await transport.aclose()

    @property
    def direct(self) -> Mapping[Environment, OrderTransport]:
        return self._direct

    def of_readings(self, access: Access) -> OrderTransport | None:
        """None where this installation does not reach the account's environment."""
        return self._direct.get(access.environment)

    async def of_orders(self, access: Access) -> OrderTransport | None:
        if access.egress is None or access.environment not in self._roots:
            return self._direct.get(access.environment)
        way = (access.environment, access.egress)
        transport = self._ways.get(way)
        if transport is None:
            transport = OrderTransport(
                self._roots[access.environment],
                total_seconds=self._call_seconds,
                egress=access.egress,
                verify=self._verify,
            )
            self._ways[way] = transport
            while len(self._ways) > MOST_WAYS:
                _, oldest = self._ways.popitem(last=False)
                await oldest.aclose()
        self._ways.move_to_end(way)
        return transport
