"""What the record says of positions and holdings."""

from sqlalchemy import String, bindparam, or_, select, tuple_

from vyomo_contracts.portfolio import Holding, Position
from vyomo_gateway.reading import Statement
from vyomo_ledger.tables import holdings, positions
from vyomo_service_kit.database import Row

_p, _h = positions.c, holdings.c
_AFTER = tuple(bindparam(f"after_{name}", type_=String) for name in ("exchange", "symbol", "product"))
# What was closed, or sold from the holdings, on an earlier day leaves a row of zeros, which only keeps the version: nothing to show.
_POSITION = select(*(_p[name] for name in Position.model_fields)).where(
    or_(_p.quantity != 0, _p.buy_quantity != 0, _p.sell_quantity != 0)
)
POSITION_PAGE = Statement(
    _POSITION.where(
        _p.account_id == bindparam("account_id"),
        tuple_(_p.exchange, _p.symbol, _p.product) > tuple_(*_AFTER),
    )
    .order_by(_p.exchange, _p.symbol, _p.product)
    .limit(bindparam("limit"))
)
POSITIONS_OF_USER = Statement(_POSITION.where(_p.user_id == bindparam("user_id")))

HOLDING_PAGE = Statement(
    select(*(_h[name] for name in Holding.model_fields))
    .where(
        _h.account_id == bindparam("account_id"),
        _h.quantity != 0,
        tuple_(_h.exchange, _h.symbol) > tuple_(*_AFTER[:2]),
    )
    .order_by(_h.exchange, _h.symbol)
    .limit(bindparam("limit"))
)


def position_of(row: Row) -> Position:
    return Position.model_validate(dict(row))


def holding_of(row: Row) -> Holding:
    return Holding.model_validate(dict(row))
