"""How Kite names futures and options, which are our symbols. Source: Kite Connect v3, instruments.

Never read back: `NIFTY2610...` may go on as a day or as a strike. A contract is looked up by its name, expiry, strike and side.
"""

from datetime import date
from decimal import Decimal
from typing import Final

from vyomo_contracts.vocabulary import OptionType

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKLY_MONTH: Final = "123456789OND"


def monthly_series(day: date) -> str:
    """`26NOV`: the series that is the last of its month, by any day of it."""
    return f"{day.year % 100:02d}{_MONTHS[day.month - 1]}"


def weekly_series(expiry: date) -> str:
    """`26N03`: any other, by the day on which it expires: year, one character of the month, day."""
    return f"{expiry.year % 100:02d}{_WEEKLY_MONTH[expiry.month - 1]}{expiry.day:02d}"


def future_symbol(name: str, series: str) -> str:
    return f"{name}{series}FUT"


def option_symbol(name: str, series: str, strike: Decimal, option_type: OptionType) -> str:
    return f"{name}{series}{strike.normalize():f}{option_type}"
