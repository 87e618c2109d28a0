"""What request bodies are made of."""

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from vyomo_contracts.money import Price


class Body(BaseModel):
    """Base of request bodies: camelCase, nothing unknown, nothing coerced, secrets never in an error's text."""

    model_config = ConfigDict(
        alias_generator=to_camel, frozen=True, extra="forbid", hide_input_in_errors=True
    )


def only_numbers(value: Any) -> Any:
    """Prices are JSON numbers; `"250.5"` and `true` are refused instead of guessed at."""
    if isinstance(value, bool | str):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


Text = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
# Pydantic's own description would allow text.
JsonPrice = Annotated[Price, BeforeValidator(only_numbers), WithJsonSchema({"type": "number", "minimum": 0})]
WholeNumber = Annotated[int, Strict(), Field(ge=-2_147_483_648, le=2_147_483_647)]
