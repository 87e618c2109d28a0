"""Every message survives the wire unchanged, and each kind reads as its base promises."""

import types
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from vyomo_contracts.commands import CancelOrder, PlaceOrder, RingDoorbell
from vyomo_contracts.orders import Order, OrderRequest
from vyomo_contracts.schemas import MESSAGES
from vyomo_contracts.testing import sample_order

Limits = dict[type, Any]


def limits_of(metadata: Iterable[object]) -> Limits:
    found: Limits = {}
    for each in metadata:
        if isinstance(each, FieldInfo):
            found |= limits_of(each.metadata)
        for kind, name in (
            (Ge, "ge"),
            (Gt, "gt"),
            (Le, "le"),
            (MinLen, "min_length"),
            (MaxLen, "max_length"),
        ):
            if isinstance(each, kind):
                found[kind] = getattr(each, name)
    return found


def values_of(annotation: Any, limits: Limits | None = None) -> st.SearchStrategy[Any]:
    """Valid values of a field, from its annotation."""
    limits = limits or {}
    match get_origin(annotation), get_args(annotation):
        case origin, (inner, *metadata) if origin is Annotated:
            values = values_of(inner, limits | limits_of(metadata))
        case origin, members if origin is Literal:
            values = st.sampled_from(members)
        case origin, members if origin in {Union, types.UnionType}:
            values = st.one_of([values_of(each, limits) for each in members])
        case origin, (inner, *_) if origin is tuple:
            values = st.lists(values_of(inner), min_size=limits.get(MinLen, 0), max_size=2).map(tuple)
        case origin, _ if origin is dict:
            values = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=2)
        case _ if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            values = models_of(annotation)
        case _ if isinstance(annotation, type) and issubclass(annotation, Enum):
            values = st.sampled_from(list(annotation))
        case _:
            values = simple_values_of(annotation, limits)
    return values


def simple_values_of(annotation: Any, limits: Limits) -> st.SearchStrategy[Any]:
    low, high = limits.get(Ge, limits.get(Gt, -1)), limits.get(Le, 2**53)
    if annotation is str:
        smallest = limits.get(MinLen, 0)
        return st.text(min_size=smallest, max_size=max(smallest, min(limits.get(MaxLen, 12), 12)))
    if annotation is float:
        return st.floats(low, high, exclude_min=Gt in limits, allow_nan=False)
    if annotation is int:
        return st.integers(low + (Gt in limits), high)
    if annotation is Decimal:
        lowest = limits.get(Gt, limits.get(Ge, -(10**9)))
        values = st.decimals(lowest, limits.get(Le, 10**9), places=4, allow_nan=False)
        return values.filter(lambda value: value > lowest) if Gt in limits else values
    plain: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        date: st.dates(),
        datetime: st.datetimes(timezones=st.just(UTC)),
        type(None): st.none(),
    }
    return plain[annotation]


@cache
def models_of(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    fields = {
        name: values_of(field.annotation, limits_of(field.metadata))
        for name, field in model.model_fields.items()
    }
    return st.fixed_dictionaries(fields).map(model.model_validate)


@pytest.mark.parametrize("name", MESSAGES)
@settings(max_examples=25)
@given(data=st.data())
def test_message_survives_the_wire_unchanged(name: str, data: st.DataObject) -> None:
    message = data.draw(models_of(MESSAGES[name]))

    received = MESSAGES[name].model_validate_json(message.model_dump_json())

    assert received == message


def doorbell(**changes: object) -> dict[str, object]:
    return {
        "id": "1",
        "type": RingDoorbell.TYPE,
        "time": "2026-03-02T06:30:00Z",
        "correlation_id": "1",
        "source": "test",
        "account_ids": [1],
        **changes,
    }


def test_envelope_of_a_newer_sender_is_read_without_its_new_fields() -> None:
    message = RingDoorbell.model_validate(doorbell(urgency="high"))

    assert message.account_ids == (1,)


def test_command_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="force"):
        CancelOrder.model_validate(
            {
                "principal": {"user_id": "asha", "key_id": "k"},
                "account_id": 1,
                "order_id": "PAPER_01",
                "force": True,
            }
        )


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="time"):
        RingDoorbell.model_validate(doorbell(time="2026-03-02T06:30:00"))


def test_wire_has_utc_times_with_z_and_exact_prices() -> None:
    wire = sample_order(price=Decimal("250.10")).model_dump(mode="json")

    assert wire["created_at"] == "2026-03-02T06:30:00Z"
    assert wire["price"] == "250.10"


def test_messages_cannot_be_changed() -> None:
    order = sample_order()

    with pytest.raises(ValidationError, match="frozen"):
        order.quantity = 11  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("length", [0, 65])
def test_idempotency_key_of_a_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(ValidationError, match="idempotency_key"):
        PlaceOrder.model_validate({"idempotency_key": "k" * length})


@pytest.mark.parametrize("price", ["-1", "1.00001", "NaN", "Infinity", "123456789012345.0001"])
def test_price_that_the_record_could_not_hold_is_refused(price: str) -> None:
    with pytest.raises(ValidationError, match="price"):
        OrderRequest.model_validate({"price": price})


@pytest.mark.parametrize("quantity", [2**31, -(2**31) - 1])
def test_quantity_that_the_record_could_not_hold_is_refused(quantity: int) -> None:
    with pytest.raises(ValidationError, match="quantity"):
        OrderRequest.model_validate({"quantity": quantity})


def test_orders_of_one_state_agree_on_what_remains() -> None:
    order: Order = sample_order(filled_quantity=4, average_price=Decimal("250.10"))

    assert (order.remaining_quantity, order.filled_value) == (6, Decimal("1000.40"))
