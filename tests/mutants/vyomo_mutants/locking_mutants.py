"""Locks left out, taken in another order or of another kind, and conflicts that are met in the wrong way."""

from typing import Final

from asyncpg.exceptions import CardinalityViolationError, UniqueViolationError

from . import accepting, claiming, executing, switching, telling, writing
from .mutating import SqlMutant

_W: Final = "vyomo_ledger.writing"
_ACCEPT: Final = f"{_W}.accept._ACCEPT"
_CLAIM: Final = f"{_W}.claiming._CLAIM_EXITS_FIRST"
_LOCK_ORDERS: Final = f"{_W}.transaction._LOCK_ORDERS"
_WRITE: Final = f"{_W}.transaction.WRITE_ORDERS"
_PORTFOLIO: Final = f"{_W}.statements._WRITE_PORTFOLIO"
_LOAD: Final = "vyomo_paper_exchange.adapters.statements.LOAD"

LOCKING_MUTANTS: Final = (
    # A lock dropped, or of the wrong kind.
    SqlMutant(
        "Q01",
        "accepting does not lock the lane before it judges",
        _ACCEPT,
        "ORDER BY account_id\n    FOR UPDATE",
        "ORDER BY account_id",
        accepting.decision_is_judged_by_the_lane_as_it_is_after_the_wait,
    ),
    SqlMutant(
        "Q02",
        "a claim does not lock its lane",
        _CLAIM,
        "ORDER BY account_id FOR UPDATE",
        "ORDER BY account_id",
        claiming.nothing_is_claimed_once_a_halt_has_committed,
    ),
    SqlMutant(
        "Q03",
        "a claim skips a lane that is busy",
        _CLAIM,
        "ORDER BY account_id FOR UPDATE",
        "ORDER BY account_id FOR UPDATE SKIP LOCKED",
        claiming.claimer_waits_for_the_lane_and_takes_what_is_left,
    ),
    SqlMutant(
        "Q04",
        "a claim does not lock its orders",
        _CLAIM,
        "    FOR UPDATE OF o\n",
        "",
        claiming.order_taken_while_a_claim_waited_drops_out_of_it,
    ),
    SqlMutant(
        "Q05",
        "a claim skips an order that is busy, and takes the next one first",
        _CLAIM,
        "FOR UPDATE OF o\n",
        "FOR UPDATE OF o SKIP LOCKED\n",
        claiming.order_that_somebody_looks_at_is_not_overtaken,
    ),
    SqlMutant(
        "Q06",
        "an order is read, not locked, before it is decided upon",
        _LOCK_ORDERS,
        "FOR UPDATE",
        "",
        writing.whoever_locks_an_order_sees_it_as_its_last_holder_left_it,
    ),
    SqlMutant(
        "Q07",
        "an order that is busy counts as unknown",
        _LOCK_ORDERS,
        "FOR UPDATE",
        "FOR UPDATE SKIP LOCKED",
        writing.whoever_locks_an_order_sees_it_as_its_last_holder_left_it,
    ),
    SqlMutant(
        "Q08",
        "two switches may be thrown at once",
        f"{_W}.controls._ALONE",
        "FOR UPDATE",
        "",
        switching.switches_thrown_at_once_both_count,
    ),
    SqlMutant(
        "Q09",
        "an account is opened beside a switch that is being thrown",
        "vyomo_order_router.adapters.accounts.OPENING_AN_ACCOUNT",
        "FOR SHARE",
        "",
        switching.account_opened_meanwhile_inherits_the_switch,
    ),
    SqlMutant(
        "Q10",
        "the paper venue reads an account without locking it",
        _LOAD,
        "ORDER BY account_id FOR UPDATE",
        "ORDER BY account_id",
        executing.round_starts_from_what_the_last_one_left,
    ),
    # Locked in another order: whoever waits already holds what the other one wants next.
    SqlMutant(
        "Q11",
        "accepting locks lanes from the last account to the first",
        _ACCEPT,
        "ORDER BY account_id\n    FOR UPDATE",
        "ORDER BY account_id DESC\n    FOR UPDATE",
        accepting.whoever_waits_for_a_lane_holds_no_later_one,
    ),
    SqlMutant(
        "Q12",
        "claiming locks lanes from the last account to the first",
        _CLAIM,
        "ORDER BY account_id FOR UPDATE",
        "ORDER BY account_id DESC FOR UPDATE",
        claiming.whoever_waits_for_a_claim_lane_holds_no_later_one,
    ),
    SqlMutant(
        "Q13",
        "orders are locked from the newest to the oldest",
        _LOCK_ORDERS,
        "ORDER BY account_id, id",
        "ORDER BY account_id, id DESC",
        writing.whoever_waits_for_an_order_holds_no_later_one,
    ),
    SqlMutant(
        "Q14",
        "positions are written in the order in which they come",
        _PORTFOLIO,
        "    ORDER BY account_id, exchange, symbol, product\n",
        "",
        writing.whoever_waits_for_a_position_holds_no_later_one,
    ),
    SqlMutant(
        "Q15",
        "a switch locks account by account instead of lane by lane",
        f"{_W}.controls._WORK_IN",
        "ORDER BY l.lane, l.account_id",
        "ORDER BY l.account_id, l.lane",
        switching.whoever_waits_for_an_accept_lane_holds_no_claim_lane,
    ),
    SqlMutant(
        "Q16",
        "the paper venue locks accounts from the last to the first",
        _LOAD,
        "ORDER BY account_id FOR UPDATE",
        "ORDER BY account_id DESC FOR UPDATE",
        executing.whoever_waits_for_a_venue_account_holds_no_later_one,
    ),
    # A conflict clause removed, or one that overwrites.
    SqlMutant(
        "Q17",
        "a used key is an error of the whole list",
        _ACCEPT,
        "ON CONFLICT (account_id, idempotency_key) DO NOTHING",
        "",
        accepting.used_key_stands_for_its_order,
        UniqueViolationError,
    ),
    SqlMutant(
        "Q18",
        "a used key puts the new order in the old one's place",
        _ACCEPT,
        "ON CONFLICT (account_id, idempotency_key) DO NOTHING",
        "ON CONFLICT (account_id, idempotency_key) DO UPDATE SET order_id = excluded.order_id, quantity = excluded.quantity",
        accepting.used_key_stands_for_its_order,
        CardinalityViolationError,
    ),
    SqlMutant(
        "Q19",
        "a trade told twice keeps an order from being changed",
        _WRITE,
        "ON CONFLICT (account_id, trade_id) DO NOTHING",
        "",
        writing.trade_told_twice_is_one_fill,
        UniqueViolationError,
    ),
    SqlMutant(
        "Q20",
        "a trade told twice is added up",
        _WRITE,
        "ON CONFLICT (account_id, trade_id) DO NOTHING",
        "ON CONFLICT (account_id, trade_id) DO UPDATE SET quantity = fills.quantity + excluded.quantity",
        writing.trade_told_twice_is_one_fill,
    ),
    SqlMutant(
        "Q21",
        "an alert that stands already is an error",
        f"{_W}.alerts._RAISE",
        "ON CONFLICT (account_id, code, subject) WHERE cleared_at IS NULL DO NOTHING",
        "",
        telling.exit_that_ends_unsent_alerts_once,
        UniqueViolationError,
    ),
    SqlMutant(
        "Q22",
        "an order that was adopted is adopted again",
        f"{_W}.adopting._ADOPT",
        "    ON CONFLICT DO NOTHING\n",
        "",
        accepting.adopting_twice_is_adopting_once,
        UniqueViolationError,
    ),
    SqlMutant(
        "Q23",
        "two workers cannot open one venue account",
        "vyomo_paper_exchange.adapters.statements.OPEN_ACCOUNTS",
        "ON CONFLICT (account_id) DO NOTHING",
        "",
        executing.account_opened_by_two_at_once_is_opened_once,
    ),
)
