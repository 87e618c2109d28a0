"""What a new snapshot does to the resting orders of one instrument, before anything is written."""

from collections.abc import Iterator
from dataclasses import dataclass

from vyomo_paper_exchange.domain.market.book import Snapshot
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.matching import Consumption, Execution, match, opposite_levels
from vyomo_paper_exchange.domain.queueing import QueuePlace, Waited, Waiting, wait
from vyomo_paper_exchange.domain.working import RestingOrders, WorkingOrder


@dataclass(frozen=True, slots=True)
class Triggered:
    known: WorkingOrder


@dataclass(frozen=True, slots=True)
class Filled:
    known: WorkingOrder
    execution: Execution
    place: QueuePlace


@dataclass(frozen=True, slots=True)
class Moved:
    """Nothing traded; the order's estimated place in the queue changed."""

    after: WorkingOrder


@dataclass(frozen=True, slots=True)
class Ended:
    """The order's day is over."""

    known: WorkingOrder


Change = Triggered | Filled | Moved | Ended


def look(
    resting: RestingOrders, listing: Listing, snapshot: Snapshot, consumption: Consumption
) -> Iterator[Change]:
    """Stops that trigger, then limit orders that trade or move up, in price and time order."""
    traded = resting.traded_since(listing.key, snapshot)
    if traded is None:
        return
    for stop in resting.crossed_stops(snapshot, listing.key):
        yield Triggered(stop)
    for known in resting.touchable(snapshot, listing.key):
        side = known.transaction_type
        taken = consumption.taken(listing.key, snapshot.number, side)
        waited = wait(Waiting(side, known.remaining, known.limit, known.place), snapshot, traded, taken)
        if waited.execution is None:
            if waited.place != known.place:
                yield Moved(known._replace(place=waited.place))
            continue
        traded -= waited.execution.quantity - waited.from_depth
        _consume(consumption, known, waited, listing, snapshot)
        yield Filled(known, waited.execution, waited.place)


def _consume(
    consumption: Consumption, known: WorkingOrder, waited: Waited, listing: Listing, snapshot: Snapshot
) -> None:
    """Displayed units that met the resting order are gone for everyone else."""
    side = known.transaction_type
    executions = match(
        side,
        waited.from_depth,
        known.limit,
        opposite_levels(snapshot, side),
        tick=listing.instrument.tick_size,
        taken=consumption.taken(listing.key, snapshot.number, side),
    )
    consumption.take(listing.key, snapshot.number, side, executions)
