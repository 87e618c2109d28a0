"""What brings a position closer to zero, in SQL."""

from typing import Final

from vyomo_contracts.vocabulary import WORKING_STATES

_WORKING: Final = ", ".join(f"'{state}'" for state in sorted(WORKING_STATES))


def is_exit(order: str) -> str:
    """Whether `order`, an alias (not the name) of `ledger.broker_orders`, alone makes a position smaller, as positions are known now.

    It decides who goes first, so it is asked of every order that waits.
    """
    return f"""EXISTS (
        SELECT 1 FROM accounts.positions p
        WHERE p.account_id = {order}.account_id AND p.exchange = {order}.exchange
          AND p.symbol = {order}.symbol AND p.product = {order}.product
          AND p.quantity * CASE {order}.transaction_type WHEN 'SELL' THEN 1 ELSE -1 END >= {order}.quantity
    )"""


def is_reducing(order: str) -> str:
    """Whether `order`, an alias (not the name) of `ledger.broker_orders`, reduces whatever becomes of those before it.

    Asked when an account may only reduce, so rarely.
    Orders of its side that a broker holds, an unconfirmed one too, and new ones accepted earlier may all fill first; what is left
    of the position then must still be as much as this order, as changed if a change is asked for. Shares in holdings are sold as
    CNC, so they count there.
    """
    same = f"""account_id = {order}.account_id AND exchange = {order}.exchange AND symbol = {order}.symbol"""
    same_side = f"""{same} AND product = {order}.product AND transaction_type = {order}.transaction_type"""
    return f"""(
        SELECT CASE {order}.transaction_type WHEN 'SELL' THEN net ELSE -net END
        FROM (SELECT coalesce(sum(quantity), 0) AS net FROM (
            SELECT quantity FROM accounts.positions WHERE {same} AND product = {order}.product
            UNION ALL
            SELECT quantity FROM accounts.holdings WHERE {same} AND {order}.product = 'CNC'
        ) AS held) AS position
    ) >= coalesce(({order}.pending_parameters -> 'changes' ->> 'quantity')::integer, {order}.quantity) - {order}.filled_quantity + (
        SELECT coalesce(sum(remaining), 0) FROM (
            SELECT quantity - filled_quantity AS remaining FROM ledger.broker_orders
            WHERE {same_side} AND state IN ({_WORKING}) AND id <> {order}.id
            UNION ALL
            SELECT quantity - filled_quantity FROM ledger.broker_orders
            WHERE {same_side} AND state = 'NEW' AND id < {order}.id
        ) AS before
    )"""
