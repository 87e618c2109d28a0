"""What may be sent, whose it is, and who tells: conditions left out."""

from typing import Final

from . import accepting, claiming, switching, telling, writing
from .mutating import SqlMutant

_W: Final = "vyomo_ledger.writing"
_ACCEPT: Final = f"{_W}.accept._ACCEPT"
_CLAIM: Final = f"{_W}.claiming._CLAIM_EXITS_FIRST"
_WRITE: Final = f"{_W}.transaction.WRITE_ORDERS"

CONDITION_MUTANTS: Final = (
    # What may be sent, and in which order.
    SqlMutant(
        "Q45",
        "the kill switch is read beside the lane's lock (M14)",
        _CLAIM,
        "claimed.trading = 'ACTIVE'",
        "(SELECT trading FROM ledger.lanes l WHERE l.account_id = o.account_id AND l.lane = 'CLAIM') = 'ACTIVE'",
        claiming.nothing_is_claimed_once_a_halt_has_committed,
    ),
    SqlMutant(
        "Q46",
        "an account that may only reduce sends anything",
        _CLAIM,
        "(claimed.trading = 'REDUCING' AND ",
        "(claimed.trading = 'REDUCING' OR ",
        claiming.account_that_may_only_reduce_sends_no_entry,
    ),
    SqlMutant(
        "Q47",
        "orders that wait before a reducing one do not count",
        _CLAIM,
        "AND state = 'NEW' AND id < o.id",
        "AND state = 'NEW' AND id < 0",
        claiming.account_that_may_only_reduce_sends_no_entry,
    ),
    SqlMutant(
        "Q48",
        "the newest order is claimed first",
        _CLAIM,
        ", id\n    LIMIT $2",
        ", id DESC\n    LIMIT $2",
        claiming.what_was_accepted_first_is_claimed_first,
    ),
    SqlMutant(
        "Q49",
        "an answer to an earlier claim settles the later one",
        f"{_W}.claiming._STANDING",
        "USING (account_id, order_id, send_deadline)",
        "USING (account_id, order_id)",
        claiming.answer_to_an_earlier_claim_does_not_stand,
    ),
    SqlMutant(
        "Q50",
        "a step forgets the send deadline",
        _WRITE,
        "coalesce(i.send_deadline, o.send_deadline)",
        "i.send_deadline",
        writing.send_deadline_outlives_what_is_learnt_later,
    ),
    # Whose it is, and what counts.
    SqlMutant(
        "Q51",
        "a key answers for another user's order",
        f"{_W}.accept._KNOWN",
        " AND l.user_id = i.wanted_user",
        "",
        accepting.key_of_another_user_tells_nothing,
    ),
    SqlMutant(
        "Q52",
        "an order for another's account takes a number there",
        _ACCEPT,
        "JOIN locked l USING (account_id, user_id, broker)",
        "JOIN locked l USING (account_id, broker)",
        accepting.order_for_anothers_account_leaves_no_trace,
    ),
    SqlMutant(
        "Q53",
        "an account that is switched off takes orders",
        _ACCEPT,
        "AND accepting AND",
        "AND",
        accepting.account_that_is_switched_off_takes_nothing,
    ),
    SqlMutant(
        "Q54",
        "a list is numbered from its end",
        _ACCEPT,
        "(PARTITION BY account_id ORDER BY place)",
        "(PARTITION BY account_id ORDER BY place DESC)",
        accepting.list_is_numbered_as_it_stands,
    ),
    SqlMutant(
        "Q55",
        "a list takes one number",
        _ACCEPT,
        "next_sequence = l.next_sequence + c.orders",
        "next_sequence = l.next_sequence + 1",
        accepting.list_is_numbered_as_it_stands,
    ),
    SqlMutant(
        "Q56",
        "the orders of a second are not added up",
        _ACCEPT,
        "u.in_second + c.sends",
        "u.in_second",
        accepting.second_counts_every_order_whatever_the_callers_clock_says,
    ),
    SqlMutant(
        "Q57",
        "a user's switch covers everybody",
        f"{_W}.controls._WORK_IN",
        "s.user_id IN ('', l.user_id)",
        "true",
        switching.switch_covers_its_users_accounts_and_no_others,
    ),
    SqlMutant(
        "Q58",
        "a real trade is replaced like an inferred one",
        f"{_W}.transaction._DELETE_DERIVED",
        " AND basis = 'derived'",
        "",
        writing.real_trade_is_never_replaced,
    ),
    # Who tells, and until when.
    SqlMutant(
        "Q59",
        "the relay clears the outbox up to what it published",
        f"{_W}.relay._DELETE",
        "id = $1",
        "id <= $1",
        telling.relay_takes_away_what_it_published_and_nothing_else,
    ),
    SqlMutant(
        "Q60",
        "publishing clears the outbox up to what it stored",
        f"{_W}.publishing._CLEAR",
        "id = ANY($1::bigint[])",
        "id <= (SELECT max(stored) FROM unnest($1::bigint[]) AS stored)",
        telling.stored_rows_are_cleared_and_no_others,
    ),
    SqlMutant(
        "Q61",
        "the relay takes what its committer is about to publish",
        f"{_W}.relay._LEFT_BEHIND",
        "now() - $1::interval",
        "now() + $1::interval",
        telling.relay_leaves_alone_what_its_committer_is_publishing,
    ),
    SqlMutant(
        "Q62",
        "the relay publishes every version of an order that was left behind once",
        f"{_W}.relay._EVENTS",
        "USING (order_id, version)",
        "USING (order_id)",
        telling.relay_publishes_the_very_versions_that_were_left_behind,
    ),
    SqlMutant(
        "Q63",
        "a lease is taken from whoever has it",
        f"{_W}.leases._TAKE",
        "WHERE l.holder = excluded.holder OR l.expires_at < now()\n",
        "",
        telling.lease_has_one_holder_until_it_runs_out,
    ),
    SqlMutant(
        "Q64",
        "a lease outlives its holder",
        f"{_W}.leases._TAKE",
        " OR l.expires_at < now()",
        "",
        telling.lease_has_one_holder_until_it_runs_out,
    ),
    SqlMutant(
        "Q65",
        "the sweeper rings for what is on its way",
        f"{_W}.sweeper._UNTAKEN",
        "state = 'NEW' AND ",
        "",
        telling.sweeper_ends_what_expired_unsent_and_rings_for_what_nobody_took,
    ),
)
