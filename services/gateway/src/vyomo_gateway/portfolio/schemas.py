"""Positions, holdings and margins as they are shown."""

from decimal import Decimal
from typing import Literal

from msgspec import UNSET, UnsetType

from vyomo_contracts.instruments import Quote
from vyomo_contracts.money import ZERO
from vyomo_contracts.portfolio import Funds, Holding, Position, value_position
from vyomo_contracts.vocabulary import Exchange, Product
from vyomo_gateway.edge.encoding import Time, View, number, optional_number, time_text


class PositionView(View, frozen=True, kw_only=True):
    account_id: int
    symbol: str
    exchange: Exchange
    product: Product
    quantity: int
    """Net units, negative when short, 0 once closed; shown until the day ends."""
    average_price: Decimal
    current_price: Decimal
    pnl: Decimal
    pnl_percent: Decimal
    realised: Decimal
    unrealised: Decimal
    buy_quantity: int
    buy_value: Decimal
    sell_quantity: int
    sell_value: Decimal
    overnight_quantity: int
    multiplier: int
    version: int
    price_time: Time
    """When currentPrice was seen."""
    stale: bool
    """True when the market gave no price now and an older one is shown."""

    @classmethod
    def of(cls, position: Position, quote: Quote | None, *, live: bool = False) -> "PositionView":
        """Valued at the quote, else at the price the row was written with; `live` when that was just now."""
        price = position.last_price if quote is None else quote.last_price
        value = value_position(position, price)
        return cls(
            account_id=position.account_id,
            symbol=position.symbol,
            exchange=position.exchange,
            product=position.product,
            quantity=position.quantity,
            average_price=number(position.average_price),
            current_price=number(price),
            pnl=number(value.pnl),
            pnl_percent=number(value.pnl_percent),
            realised=number(value.realised),
            unrealised=number(value.unrealised),
            buy_quantity=position.buy_quantity,
            buy_value=number(position.buy_value),
            sell_quantity=position.sell_quantity,
            sell_value=number(position.sell_value),
            overnight_quantity=position.overnight_quantity,
            multiplier=position.multiplier,
            version=position.version,
            price_time=time_text(position.updated_at if quote is None else quote.at),
            stale=quote is None and not live,
        )


class HoldingView(View, frozen=True, kw_only=True):
    account_id: int
    symbol: str
    exchange: Exchange
    quantity: int
    average_price: Decimal
    current_price: Decimal
    pnl: Decimal
    pnl_percent: Decimal
    version: int
    price_time: Time
    stale: bool

    @classmethod
    def of(cls, holding: Holding, quote: Quote | None, *, live: bool = False) -> "HoldingView":
        price = holding.last_price if quote is None else quote.last_price
        cost = holding.average_price * holding.quantity
        pnl = price * holding.quantity - cost
        return cls(
            account_id=holding.account_id,
            symbol=holding.symbol,
            exchange=holding.exchange,
            quantity=holding.quantity,
            average_price=number(holding.average_price),
            current_price=number(price),
            pnl=number(pnl),
            pnl_percent=number((pnl * 100 / cost).quantize(Decimal("0.01")) if cost else ZERO),
            version=holding.version,
            price_time=time_text(holding.updated_at if quote is None else quote.at),
            stale=quote is None and not live,
        )


class MarginsView(View, frozen=True, kw_only=True):
    available: Decimal | None
    """balance - used; null when the capital is unlimited."""
    used: Decimal
    balance: Decimal | None
    unlimited: bool
    version: int
    updated_at: Time

    @classmethod
    def of(cls, funds: Funds, *, unlimited: bool) -> "MarginsView":
        return cls(
            available=optional_number(funds.available),
            used=number(funds.used),
            balance=optional_number(funds.balance),
            unlimited=unlimited,
            version=funds.version,
            updated_at=time_text(funds.updated_at),
        )


class PositionsAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    positions: list[PositionView]
    next_cursor: str | UnsetType = UNSET


class HoldingsAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    holdings: list[HoldingView]
    next_cursor: str | UnsetType = UNSET


class MarginsAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    margins: MarginsView
