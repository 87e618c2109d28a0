"""What each statement of the record does, in Python, beside the constant that holds its SQL.

The same suite runs against this and against PostgreSQL (`test_record_contract.py`). A statement missing here fails loudly.
"""

# The statements are private to their modules, and this is their second implementation.
# pyright: reportPrivateUsage=false

from collections.abc import Mapping
from functools import partial
from typing import Final

from vyomo_broker_kit import book_learning, book_merge, book_sync, lanes
from vyomo_ledger import instruments
from vyomo_ledger.writing import (
    accept,
    adopting,
    alerts,
    claiming,
    controls,
    exits,
    halting,
    leases,
    publishing,
    relay,
    sessions,
    statements,
    sweeper,
    transaction,
)
from vyomo_order_router.adapters import risk
from vyomo_service_kit import record_clock

from .book_statements import BookStatements
from .claiming_statements import ClaimingStatements
from .control_statements import ControlStatements
from .looking_statements import LookingStatements
from .order_statements import OrderStatements
from .record import Record
from .server import Statement
from .session_statements import SessionStatements

# Statements with a line taken out, for the mutants that do so.
CLAIM_OF_ANY_AGE: Final = claiming._CLAIM_EXITS_FIRST.replace("expires_at > now() AND", "")
CLAIM_WITHOUT_LANES: Final = claiming._CLAIM_EXITS_FIRST.replace(
    "ORDER BY account_id FOR UPDATE\n)", "ORDER BY account_id\n)"
)
CLAIM_WITHOUT_SESSION: Final = claiming._CLAIM_EXITS_FIRST.replace(
    "(broker = 'paper' OR session_until > clock_timestamp()) IS TRUE", "true"
)
READ_ORDERS: Final = transaction._LOCK_ORDERS.replace("FOR UPDATE", "")


def statements_of(record: Record) -> Mapping[str, Statement]:
    orders, claims, look = OrderStatements(record), ClaimingStatements(record), LookingStatements(record)
    books = BookStatements(record, orders)
    switches, signed_in = ControlStatements(record, orders, claims), SessionStatements(record)
    return {
        accept._ACCEPT: orders.accept,
        accept._KNOWN: orders.known,
        claiming._CLAIM: claims.claim,
        claiming._CLAIM_EXITS_FIRST: partial(claims.claim, exits_first=True),
        CLAIM_OF_ANY_AGE: partial(claims.claim, exits_first=True, of_any_age=True),
        CLAIM_WITHOUT_LANES: partial(claims.claim, exits_first=True, locking_lanes=False),
        CLAIM_WITHOUT_SESSION: partial(claims.claim, exits_first=True, asking_for_session=False),
        transaction._LOCK_ORDERS: orders.lock_orders,
        transaction._LOCK_FREE_ORDERS: partial(orders.lock_orders, only_free=True),
        READ_ORDERS: partial(orders.lock_orders, locking=False),
        claiming._IN_FLIGHT: claims.in_flight,
        claiming._STANDING: claims.standing_claims,
        statements.WRITE_ORDERS: orders.write_orders,
        leases._TAKE: look.take_lease,
        publishing._CLEAR: look.clear_outbox,
        relay._LEFT_BEHIND: look.left_behind,
        relay._DELETE: look.delete_outbox_row,
        relay._EVENTS: look.events,
        relay._ALERTS: look.alerts,
        relay._SESSIONS: signed_in.as_they_are,
        sweeper._EXPIRED: look.expired,
        sweeper._UNTAKEN: look.untaken,
        lanes._WAITING: look.waiting_accounts,
        book_sync.OPEN_ACCOUNTS: books.open_accounts,
        book_sync._ALL_ACCOUNTS: books.all_accounts,
        book_merge._OVERDUE: books.overdue_sends,
        book_merge._OWNER: books.owner,
        book_learning._CONCERNED: books.concerned,
        book_learning._CALLS: books.calls,
        book_learning._FILLS: books.fills_from_books,
        exits._REDUCING: books.unsent_exits,
        transaction._DELETE_DERIVED: books.delete_derived,
        adopting._ADOPT: books.adopt,
        alerts._RAISE: books.raise_alert,
        alerts._STOP_ACCEPTING: books.stop_accepting,
        sessions._LOCK_LANES: signed_in.lock_lanes,
        sessions._OPEN_LANE: signed_in.open_lane,
        sessions._SAVE: signed_in.save,
        sessions._END: signed_in.end,
        sessions._AGEING: signed_in.ageing,
        alerts._CLEAR: signed_in.clear_alert,
        controls._ALONE: switches.alone,
        controls._THROW: switches.throw,
        controls._WORK_IN: switches.work_in,
        controls._RECORD: switches.record_decisions,
        relay._DECISIONS: switches.decisions,
        halting._HELD_BACK: switches.held_back,
        halting._PENDING: switches.pending,
        halting._UNSWEPT: switches.unswept,
        halting._SWEPT: switches.swept,
        risk._STATES: switches.states,
        risk._LEVEL: switches.level,
        risk._CONTROLS: switches.controls,
        risk._ACCOUNTS: look.risk_accounts,
        record_clock._NOW: look.clock,
        instruments._BY_KEY: look.instruments,
        instruments._LISTED_ON: look.listed_on,
        instruments._LOADED: look.loaded_masters,
    }
