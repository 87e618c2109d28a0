"""What each broker takes: forms and programs offer what will not be refused."""

from typing import Final, Literal

from fastapi import APIRouter

from vyomo_contracts.capabilities import CAPABILITIES, BrokerCapabilities, OrderRate, SignInWay
from vyomo_contracts.vocabulary import Broker, Exchange, OrderType, Product, Validity
from vyomo_gateway.accounts import examples
from vyomo_gateway.edge.documentation import PARAMETER_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse, View
from vyomo_gateway.edge.requests import GatewayRoute


class OrderRateView(View, frozen=True, kw_only=True):
    """New orders, modifications and cancellations of one account together."""

    per_second: int
    per_minute: int | None
    """null where nobody counts."""
    per_hour: int | None
    per_day: int | None
    reserved_for_cancels: int
    """Of a second: new orders never take them. A fifth of the longer windows is kept for cancellations and exits."""
    is_brokers: bool
    """False where `ordersPerSecond` of the account's risk limits can raise it."""

    @classmethod
    def of(cls, rate: OrderRate) -> "OrderRateView":
        return cls(
            per_second=rate.per_second,
            per_minute=rate.per_minute,
            per_hour=rate.per_hour,
            per_day=rate.per_day,
            reserved_for_cancels=rate.reserved_for_cancels,
            is_brokers=rate.is_brokers,
        )


class BrokerView(View, frozen=True, kw_only=True):
    broker: Broker
    exchanges: tuple[Exchange, ...]
    order_types: tuple[OrderType, ...]
    products: tuple[Product, ...]
    validities: tuple[Validity, ...]
    protected_order_types: tuple[OrderType, ...]
    """Sent with a limit near the last price; what does not fill inside it rests there."""
    takes_indices: bool
    sign_in: SignInWay
    order_rate: OrderRateView

    @classmethod
    def of(cls, broker: BrokerCapabilities) -> "BrokerView":
        return cls(
            broker=broker.broker,
            exchanges=broker.exchanges,
            order_types=broker.order_types,
            products=broker.products,
            validities=broker.validities,
            protected_order_types=broker.protected_order_types,
            takes_indices=broker.takes_indices,
            sign_in=broker.sign_in,
            order_rate=OrderRateView.of(broker.order_rate),
        )


class CapabilitiesAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    brokers: tuple[BrokerView, ...]


router = APIRouter(prefix="/api/brokers/capabilities", tags=["accounts"], route_class=GatewayRoute)
_ANSWER: Final = CapabilitiesAnswer(brokers=tuple(BrokerView.of(each) for each in CAPABILITIES.values()))


@router.get(
    "",
    summary="What each broker takes",
    response_model=None,
    responses=answers(CapabilitiesAnswer, examples.CAPABILITIES, *PARAMETER_ERRORS),
)
async def read_capabilities() -> JsonResponse:
    """Orders outside of this are refused with the field's name; what an exchange itself forbids is told when the order comes."""
    return JsonResponse(_ANSWER)
