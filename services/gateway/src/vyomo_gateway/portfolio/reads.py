"""What the record says of positions and holdings."""

from sqlalchemy import bindparam, select

from vyomo_contracts.portfolio import Holding, Position
from vyomo_gateway.reading import Statement
from vyomo_ledger.tables import holdings, positions
from vyomo_service_kit.database import Row

_POSITION = select(*(positions.c[name] for name in Position.model_fields))
POSITIONS = Statement(
    _POSITION.where(positions.c.account_id == bindparam("account_id")).order_by(
        positions.c.exchange, positions.c.symbol, positions.c.product
    )
)
POSITIONS_OF_USER = Statement(_POSITION.where(positions.c.user_id == bindparam("user_id")))

HOLDINGS = Statement(
    select(*(holdings.c[name] for name in Holding.model_fields))
    .where(holdings.c.account_id == bindparam("account_id"))
    .order_by(holdings.c.exchange, holdings.c.symbol)
)


def position_of(row: Row) -> Position:
    return Position.model_validate(dict(row))


def holding_of(row: Row) -> Holding:
    return Holding.model_validate(dict(row))
