"""Positions of linked accounts that their sessions have not followed to the record's version."""

from vyomo_contracts.portfolio import Position
from vyomo_service_kit.database import Connection

MOST_ROWS = 500
"""One look's worth; those that remain are found by the next."""

# From the links outwards along the positions' primary key: its cost grows with the linked positions, not with all that the record
# holds (of 200,000 positions: none linked 0.03 ms, 100 linked 0.5 ms, 10,000 linked 23 ms).
_LAGGING = """
SELECT p.account_id, p.user_id, p.broker, p.exchange, p.symbol, p.product, p.quantity, p.overnight_quantity, p.multiplier,
       p.average_price, p.buy_quantity, p.buy_value, p.sell_quantity, p.sell_value, p.realised, p.last_price, p.version,
       p.updated_at
FROM sync.session_accounts AS link
JOIN accounts.positions AS p ON (p.account_id, p.user_id) = (link.account_id, link.user_id)
LEFT JOIN sync.followed_positions AS followed
    ON (followed.session_id, followed.account_id, followed.exchange, followed.symbol, followed.product)
     = (link.session_id, p.account_id, p.exchange, p.symbol, p.product)
WHERE followed.version IS NULL OR followed.version < p.version
LIMIT $1
"""


async def lagging_positions(connection: Connection) -> list[Position]:
    """Each once, however many sessions lag behind it."""
    rows = await connection.fetch(_LAGGING, MOST_ROWS)
    return list({tuple(row): Position.model_validate(dict(row)) for row in rows}.values())
