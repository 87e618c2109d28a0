"""For tests: instruments, and a row of Angel One's order book."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OptionType

RELIANCE: Final = Instrument(
    exchange=Exchange.NSE,
    symbol="RELIANCE",
    name="Reliance Industries",
    kind=InstrumentKind.EQUITY,
    lot_size=1,
    tick_size=Decimal("0.10"),
    reference_price=Decimal(1400),
    band_percent=Decimal(10),
)
CHAIN: Final = Instrument(
    exchange=Exchange.NFO,
    symbol="NIFTY26NOV25000CE",
    name="NIFTY",
    kind=InstrumentKind.OPTION,
    underlying="NSE:NIFTY",
    expiry=date(2026, 11, 24),
    strike=Decimal("25000.0000"),
    option_type=OptionType.CE,
    lot_size=65,
    tick_size=Decimal("0.05"),
    reference_price=Decimal(150),
    band_percent=Decimal(0),
)
ROW: Final[dict[str, Any]] = {
    "variety": "NORMAL",
    "ordertype": "LIMIT",
    "ordertag": "T1",
    "producttype": "INTRADAY",
    "price": Decimal("1400.5"),
    "triggerprice": 0,
    "quantity": "10",
    "duration": "DAY",
    "tradingsymbol": "RELIANCE-EQ",
    "transactiontype": "BUY",
    "exchange": "NSE",
    "symboltoken": "2885",
    "averageprice": 0,
    "filledshares": "0",
    "unfilledshares": "10",
    "orderid": "250411000548062",
    "text": "",
    "status": "open",
    "updatetime": "11-Apr-2025 12:15:21",
    "exchorderupdatetime": "11-Apr-2025 12:15:22",
    "a_column_of_tomorrow": {"x": 1},
}
