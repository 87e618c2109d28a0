"""Column types that recur, and the one MetaData object."""

from sqlalchemy import MetaData, Numeric
from sqlalchemy.dialects.postgresql import TIMESTAMP

metadata = MetaData()

PRICE = Numeric(18, 4)
MONEY = Numeric(20, 4)
VALUE = Numeric(24, 4)
"""A day's traded value of one instrument."""
INSTANT = TIMESTAMP(timezone=True)
