"""One round of the exchange: new orders, cancellations and modifications, in order, against one instant of the market.

A round works on short-lived account books and a draft of the taken liquidity. Nothing outside it changes until its transaction
committed, so a failed one leaves no trace.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Fill, Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, Validity
from vyomo_paper_exchange.domain.accounts import AccountBook
from vyomo_paper_exchange.domain.admission import admit, changed, check_means, check_trigger, open_session
from vyomo_paper_exchange.domain.market.book import Snapshot
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.matching import Consumption, Execution, match, opposite_levels
from vyomo_paper_exchange.domain.queueing import QueuePlace, joined
from vyomo_paper_exchange.domain.refusals import Refusal
from vyomo_paper_exchange.domain.rules import check_rules
from vyomo_paper_exchange.domain.view import MarketView
from vyomo_paper_exchange.domain.working import WorkingOrder, received, venue_order_id

_LOSES_PLACE: Final = ("price", "trigger_price", "order_type")


class Outcome(NamedTuple):
    """What the round decided about one order, as the record takes it."""

    order: Order
    update: OrderUpdate
    fills: tuple[Fill, ...] = ()


@dataclass(slots=True)
class Round:
    view: MarketView
    consumption: Consumption
    """A draft; merged by the caller after the commit."""
    books: Mapping[int, AccountBook]
    working: dict[str, WorkingOrder] = field(default_factory=dict[str, WorkingOrder])
    """Exchange-side rows loaded for this round, and what became of them."""
    changed: dict[str, WorkingOrder] = field(default_factory=dict[str, WorkingOrder])
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    fills: list[Fill] = field(default_factory=list[Fill])

    def place(self, order: Order, modified: Mapping[str, object] | None = None) -> None:
        """Admit a new order, with what its owner changed meanwhile, and trade what it can."""
        wanted = order.model_copy(update=dict(modified)) if modified else order
        admitted = admit(wanted, self.books[order.account_id], self.view)
        if isinstance(admitted, Refusal):
            self._reject(order, wanted, admitted)
            return
        listing = self._listing(admitted)
        if admitted.is_waiting_stop:
            self._keep(admitted.in_state(OrderState.TRIGGER_PENDING, self.view.at), listing)
            self._conclude(order, self.changed[order.order_id], (), modified)
            return
        self._trade(order, admitted, listing, modified)

    def cancel(self, order: Order) -> None:
        known = self.working.get(venue_order_id(order))
        if known is not None and known.is_working:
            self._release(known)
            known = known.in_state(OrderState.CANCELLED, self.view.at, order.reason)
            self.working[known.order_id] = self.changed[known.order_id] = known
        # The order carries the reason it was asked to be cancelled for; it stays.
        update = OrderUpdate(state=OrderState.CANCELLED, at=self.view.at, clears_pending_action=True)
        self.outcomes.append(Outcome(order, update))

    def modify(self, order: Order, changes: OrderModification) -> None:
        """Change a working order in place. A new price goes to the end of the queue and may trade at once."""
        known = self.working.get(venue_order_id(order))
        fields = changes.model_dump(exclude_none=True)
        # After its day, or the settlement of its contract, an order only waits to be ended: it must not trade in the next session.
        if known is None or not known.is_working or known.expires_at <= self.view.at:
            self._refuse_change(
                order, Refusal(ReasonCode.ORDER_NOT_PENDING, "the order is no longer working")
            )
            return
        listing = self.view.listing(known.exchange, known.symbol)
        if listing is None:
            self._refuse_change(
                order,
                Refusal(ReasonCode.NO_QUOTE, f"{known.key} is no longer listed; the order can be cancelled"),
            )
            return
        session = open_session(known.exchange, self.view)
        after = session if isinstance(session, Refusal) else changed(order, known, fields, listing, self.view)
        if isinstance(after, WorkingOrder):
            after = self._check_change(known, after, listing) or after
        if isinstance(after, Refusal):
            self._refuse_change(order, after)
            return
        self._release(known)
        is_requeued = after.quantity > known.quantity or any(
            getattr(after, name) != getattr(known, name) for name in _LOSES_PLACE
        )
        if after.is_waiting_stop or not is_requeued:
            state = OrderState.TRIGGER_PENDING if after.is_waiting_stop else known.state
            self._keep(after.in_state(state, self.view.at), listing)
            self._conclude(order, self.changed[known.order_id], (), fields)
            return
        self._trade(order, after, listing, fields)

    def trigger(self, order: Order, known: WorkingOrder) -> None:
        """The last price reached a stop: from now on it is a limit order, also if the price goes back."""
        self._release(known)
        self._trade(
            order, known._replace(triggered_at=self.view.at, updated_at=self.view.at), self._listing(known)
        )

    def fill_waiting(
        self, order: Order, known: WorkingOrder, execution: Execution, place: QueuePlace
    ) -> None:
        """A resting order's turn came."""
        listing = self._listing(known)
        self._release(known)
        fills = self._book(known, (execution,), listing)
        self._settle(order, known._replace(place=place), fills, listing)

    def expire(self, order: Order, known: WorkingOrder) -> None:
        self._release(known)
        reason = "the day ended before the order traded in full"
        known = known.in_state(OrderState.EXPIRED, self.view.at, reason)
        self.working[order.order_id] = self.changed[order.order_id] = known
        update = OrderUpdate(
            state=OrderState.EXPIRED, at=self.view.at, reason_code=ReasonCode.DAY_ENDED, reason=reason
        )
        self.outcomes.append(Outcome(order, update))

    def _trade(
        self,
        order: Order,
        working: WorkingOrder,
        listing: Listing,
        modified: Mapping[str, object] | None = None,
    ) -> None:
        snapshot = self.view.snapshot(listing)
        side = working.transaction_type
        executions = match(
            side,
            working.remaining,
            working.limit,
            opposite_levels(snapshot, side),
            tick=listing.instrument.tick_size,
            taken=self.consumption.taken(listing.key, snapshot.number, side),
        )
        self.consumption.take(listing.key, snapshot.number, side, executions)
        fills = self._book(working, executions, listing)
        self._settle(order, working, fills, listing, modified=modified, arrived=snapshot)

    def _book(
        self, working: WorkingOrder, executions: tuple[Execution, ...], listing: Listing
    ) -> tuple[Fill, ...]:
        """Enter trades into the account's position."""
        book, multiplier = self.books[working.account_id], listing.instrument.multiplier
        fills: list[Fill] = []
        for number, (price, quantity, basis) in enumerate(executions, start=working.trades + 1):
            book.fill(working.group, multiplier, working.transaction_type, quantity, price)
            fills.append(
                Fill(
                    trade_id=f"{working.order_id}-{number}",
                    order_id=working.order_id,
                    account_id=working.account_id,
                    exchange=working.exchange,
                    symbol=working.symbol,
                    product=working.product,
                    transaction_type=working.transaction_type,
                    quantity=quantity,
                    price=price,
                    filled_at=self.view.at,
                    basis=basis,
                )
            )
        return tuple(fills)

    def _settle(
        self,
        order: Order,
        working: WorkingOrder,
        fills: tuple[Fill, ...],
        listing: Listing,
        *,
        modified: Mapping[str, object] | None = None,
        arrived: Snapshot | None = None,
    ) -> None:
        """Decide what the order is now: filled, cancelled as the rest of an IOC, or waiting; `arrived` when it joins the queue."""
        filled = working.filled_quantity + sum(fill.quantity for fill in fills)
        place = working.place
        if filled == working.quantity:
            state = OrderState.FILLED
        elif working.validity is Validity.IOC:
            state = OrderState.CANCELLED
        else:
            state = OrderState.PARTIALLY_FILLED if filled else OrderState.OPEN
            if arrived is not None:
                place = joined(arrived, working.transaction_type, working.limit)
        after = working._replace(
            state=state,
            filled_quantity=filled,
            filled_value=working.filled_value + sum(fill.quantity * fill.price for fill in fills),
            trades=working.trades + len(fills),
            place=place,
            updated_at=self.view.at,
        )
        self._keep(after, listing)
        self._conclude(order, after, fills, modified)

    def _keep(self, working: WorkingOrder, listing: Listing) -> None:
        self.working[working.order_id] = self.changed[working.order_id] = working
        if working.is_working:
            self._count(working, working.remaining, listing)

    def _release(self, working: WorkingOrder) -> None:
        """Take the order's remainder out of what blocks margin, before it changes."""
        self._count(working, -working.remaining, self.view.listing(working.exchange, working.symbol))

    def _count(self, working: WorkingOrder, quantity: int, listing: Listing | None) -> None:
        # An order may outlive its contract by a moment; it must still be possible to end it.
        multiplier = listing.instrument.multiplier if listing else 1
        value = quantity * working.limit * multiplier
        self.books[working.account_id].add_order(working.group, working.transaction_type, quantity, value)

    def _conclude(
        self,
        order: Order,
        working: WorkingOrder,
        fills: tuple[Fill, ...],
        modified: Mapping[str, object] | None = None,
    ) -> None:
        is_ioc_rest = working.state is OrderState.CANCELLED and working.validity is Validity.IOC
        update = OrderUpdate(
            state=working.state,
            at=self.view.at,
            filled_quantity=working.filled_quantity,
            average_price=working.average_price,
            broker_order_id=working.order_id,
            reason_code=ReasonCode.IOC_REMAINDER if is_ioc_rest else None,
            reason=f"{working.remaining} of {working.quantity} could not trade at once"
            if is_ioc_rest
            else None,
            modified=modified,
            clears_pending_action=modified is not None,
        )
        self.fills.extend(fills)
        self.outcomes.append(Outcome(order, update, fills))

    def _check_change(self, known: WorkingOrder, after: WorkingOrder, listing: Listing) -> Refusal | None:
        book = self.books[known.account_id]
        return (
            check_rules(after, listing.instrument)
            or check_trigger(after, self.view, listing)
            or check_means(after, book, self.view, listing, replaced=known)
        )

    def _reject(self, order: Order, wanted: Order, refusal: Refusal) -> None:
        at = self.view.at
        refused = received(wanted, protection_price=None, expires_at=at, at=at)
        self.changed[order.order_id] = refused.in_state(OrderState.REJECTED, at, refusal.message)
        update = OrderUpdate(
            state=OrderState.REJECTED, at=at, reason_code=refusal.code, reason=refusal.message
        )
        self.outcomes.append(Outcome(order, update))

    def _refuse_change(self, order: Order, refusal: Refusal) -> None:
        update = OrderUpdate(
            state=order.state,
            at=self.view.at,
            reason_code=refusal.code,
            reason=refusal.message,
            clears_pending_action=True,
        )
        self.outcomes.append(Outcome(order, update))

    def _listing(self, working: WorkingOrder) -> Listing:
        listing = self.view.listing(working.exchange, working.symbol)
        if listing is None:
            raise LookupError(f"{working.key} has a working order but is no longer listed")
        return listing
