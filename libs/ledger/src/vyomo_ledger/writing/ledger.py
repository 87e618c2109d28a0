"""The ledger as its users hold it: accept a list, or open a transaction; both publish after their commit."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from vyomo_contracts.messages import Principal
from vyomo_contracts.orders import Order
from vyomo_ledger.writing.accept import Acceptance, KeyUse, NewOrder, Replayed, accept_orders, look_up
from vyomo_ledger.writing.adopting import Adoption, adopt_orders
from vyomo_ledger.writing.publishing import EventPublisher
from vyomo_ledger.writing.trails import by
from vyomo_ledger.writing.transaction import LedgerTransaction
from vyomo_service_kit import failpoints
from vyomo_service_kit.database import Database


class Ledger:
    """What it writes is recorded as done by the publisher's source."""

    def __init__(self, database: Database, publisher: EventPublisher, *, partitions: int) -> None:
        self.database = database
        self._publisher = publisher
        self._partitions = partitions

    async def accept(self, orders: Sequence[NewOrder]) -> list[Acceptance]:
        """Record the orders durably, one commit for all, and tell what became of each.

        Raises:
            RecordUnavailableError: nothing is known to be recorded; the idempotency keys decide on a repeat.
        """
        failpoints.reach("accept.waiting")
        async with self.database.connection() as connection:
            answers, publications = await accept_orders(
                connection, orders, partitions=self._partitions, component=self._publisher.source
            )
        failpoints.reach("accept.committed")
        self._publisher.publish(publications)
        return answers

    async def replays(self, uses: Sequence[KeyUse]) -> list[Replayed | None]:
        """The orders that these keys were used for; None for keys not used yet."""
        async with self.database.connection() as connection:
            answers = await look_up(connection, uses)
        return [answer if isinstance(answer, Replayed) else None for answer in answers]

    async def adopt(self, account_id: int, adoptions: Sequence[Adoption]) -> list[Order]:
        """Record orders of the account that were placed elsewhere; those that were not known yet."""
        async with self.database.connection() as connection:
            adopted, publications = await adopt_orders(
                connection,
                account_id,
                adoptions,
                partitions=self._partitions,
                component=self._publisher.source,
            )
        self._publisher.publish(publications)
        return adopted

    @asynccontextmanager
    async def transaction(
        self, *, principal: Principal | None = None, part: str | None = None
    ) -> AsyncGenerator[LedgerTransaction]:
        """Lock, decide, and leave: the decisions are written, committed and then published. An exception undoes all.

        Its events are recorded as caused by `principal`, or by this service alone, `part` of it.

        Raises:
            RecordUnavailableError: the server cannot be reached; an ambiguous commit is settled by the next lock.
            LostRaceError: somebody wrote without locking.
        """
        async with self.database.transaction() as connection:
            component = self._publisher.source if part is None else f"{self._publisher.source}/{part}"
            transaction = LedgerTransaction(
                connection, partitions=self._partitions, trail=by(component, principal)
            )
            yield transaction
            publications = await transaction.flush()
        self._publisher.publish(publications)
