"""Another clock, a version or a horizon that is not looked at, a condition left out."""

from typing import Final

from asyncpg.exceptions import UniqueViolationError

from vyomo_ledger.sequence import HORIZON_SQL, TRANSACTION_SQL

from . import accepting, claiming, executing, switching, telling, writing
from .mutating import SqlMutant

_W: Final = "vyomo_ledger.writing"
_ACCEPT: Final = f"{_W}.accept._ACCEPT"
_CLAIM: Final = f"{_W}.claiming._CLAIM_EXITS_FIRST"
_WRITE: Final = f"{_W}.transaction.WRITE_ORDERS"
_PORTFOLIO: Final = f"{_W}.statements._WRITE_PORTFOLIO"
_LOAD: Final = "vyomo_paper_exchange.adapters.statements.LOAD"

CLOCK_MUTANTS: Final = (
    # A wrong clock.
    SqlMutant(
        "Q24",
        "the second is the one in which the list began to wait",
        _ACCEPT,
        "clock_timestamp()",
        "now()",
        accepting.whoever_waited_for_the_lane_counts_in_the_second_in_which_it_got_it,
    ),
    SqlMutant(
        "Q25",
        "the second is the caller's",
        _ACCEPT,
        "date_trunc('second', clock_timestamp())",
        "date_trunc('second', (SELECT max(created_at) FROM input))",
        accepting.second_counts_every_order_whatever_the_callers_clock_says,
    ),
    SqlMutant(
        "Q26",
        "a session lasts until its end as the transaction began",
        _CLAIM,
        "session_until > clock_timestamp()",
        "session_until > now() - interval '1 minute'",
        claiming.nothing_is_claimed_once_a_session_has_ended,
    ),
    SqlMutant(
        "Q27",
        "what has expired is claimed all the same",
        _CLAIM,
        "expires_at > now() AND",
        "",
        claiming.what_has_expired_is_not_claimed,
    ),
    SqlMutant(
        "Q28",
        "the sweeper ends by when an order was made",
        f"{_W}.sweeper._EXPIRED",
        "expires_at <= now()",
        "created_at <= now()",
        telling.sweeper_ends_what_expired_unsent_and_rings_for_what_nobody_took,
    ),
    SqlMutant(
        "Q29",
        "a call counts as on the wire for ever",
        f"{_W}.claiming._IN_FLIGHT",
        " AND send_deadline > clock_timestamp()",
        "",
        claiming.call_that_may_be_on_the_wire_takes_its_room_until_its_deadline,
    ),
    # A version check removed.
    SqlMutant(
        "Q30",
        "a decision on an older version is written",
        _WRITE,
        " AND o.version = i.version - 1",
        "",
        writing.decision_on_an_older_version_is_not_written,
        UniqueViolationError,
    ),
    SqlMutant(
        "Q31",
        "limits and trading state are those the decision was made under",
        _ACCEPT,
        "a.risk_version <> l.risk_version OR ",
        "",
        switching.switch_outdates_every_decision_made_before_it,
    ),
    SqlMutant(
        "Q32",
        "an order that came between does not matter",
        _ACCEPT,
        " OR a.next_sequence <> l.next_sequence",
        "",
        accepting.older_decision_is_made_again,
    ),
    SqlMutant(
        "Q33",
        "new limits are no new version",
        f"{_W}.controls._NOTE_LIMITS",
        "risk_version = l.risk_version + 1",
        "risk_version = l.risk_version",
        switching.changed_limits_outdate_every_decision_made_before_them,
    ),
    SqlMutant(
        "Q34",
        "an older position replaces a newer one",
        _PORTFOLIO,
        "WHERE p.version < excluded.version",
        "",
        writing.older_portfolio_never_replaces_a_newer_one,
    ),
    SqlMutant(
        "Q35",
        "older funds replace newer ones",
        _PORTFOLIO,
        " AND a.funds_version < i.version",
        "",
        writing.older_portfolio_never_replaces_a_newer_one,
    ),
    SqlMutant(
        "Q36",
        "an older holding replaces a newer one",
        _PORTFOLIO,
        "WHERE h.version < excluded.version",
        "",
        writing.older_portfolio_never_replaces_a_newer_one,
    ),
    SqlMutant(
        "Q37",
        "what is read beside a venue account may be older than the account",
        _LOAD,
        "l.version = (SELECT version FROM venue.accounts seen WHERE seen.account_id = l.account_id) AS is_current",
        "true AS is_current",
        executing.round_starts_from_what_the_last_one_left,
    ),
    SqlMutant(
        "Q38",
        "whoever sweeps a switch sweeps the one thrown after it, too",
        f"{_W}.halting._SWEPT",
        " AND version = $5",
        " AND $5 > 0",
        switching.halt_thrown_again_while_the_first_is_swept_is_swept_as_well,
    ),
    SqlMutant(
        "Q39",
        "a switch thrown again is the same throw",
        f"{_W}.controls._THROW",
        "version = k.version + 1",
        "version = k.version",
        switching.halt_thrown_again_while_the_first_is_swept_is_swept_as_well,
    ),
    # A horizon ignored.
    SqlMutant(
        "Q40",
        "a reader may go on from an accepted order's own number",
        _ACCEPT,
        f"{HORIZON_SQL} AS horizon",
        f"{TRANSACTION_SQL} AS horizon",
        accepting.event_says_from_where_reading_on_misses_nothing,
    ),
    SqlMutant(
        "Q41",
        "a reader may go on from a step's own number",
        _WRITE,
        f"{HORIZON_SQL} AS horizon",
        f"{TRANSACTION_SQL} AS horizon",
        accepting.event_says_from_where_reading_on_misses_nothing,
    ),
    SqlMutant(
        "Q42",
        "a reader may go on from a relayed event's own number",
        f"{_W}.relay._EVENTS",
        f"least(e.sequence, {HORIZON_SQL}) AS cursor",
        "e.sequence AS cursor",
        telling.relayed_event_says_from_where_reading_on_misses_nothing,
    ),
    # A condition the index does not know.
    SqlMutant(
        "Q43",
        "a claim asks in words of its own for what waits",
        _CLAIM,
        "(state = 'NEW' OR pending_stage = 'PREPARED')\n",
        "coalesce(pending_stage, state) IN ('NEW', 'PREPARED')\n",
        claiming.looking_for_what_waits_reads_the_small_index,
    ),
    SqlMutant(
        "Q44",
        "the look into the record asks in words of its own",
        "vyomo_broker_kit.lanes._WAITING",
        "(state = 'NEW' OR pending_stage = 'PREPARED')",
        "coalesce(pending_stage, state) IN ('NEW', 'PREPARED')",
        claiming.looking_for_what_waits_reads_the_small_index,
    ),
)
