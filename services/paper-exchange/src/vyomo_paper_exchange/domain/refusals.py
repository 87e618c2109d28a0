from dataclasses import dataclass

from vyomo_contracts.reasons import ReasonCode


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the exchange does not take an order or a change: a stable code, and a sentence that says what would be right."""

    code: ReasonCode
    message: str
