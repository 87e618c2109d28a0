"""Query parameters nobody here knows: refused, because a misspelt filter that is ignored shows what was not asked for."""

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import parse_qsl

from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.problems import InvalidRequestError

EVERYWHERE: Final = "userId"
"""The caller's own id may be said with every call; `Guard` sees that it is."""


def refuse_unknown_parameters(given: Iterable[str], known: Sequence[str]) -> None:
    """Raises `InvalidRequestError`, which names each of them once."""
    unknown = [name for name in dict.fromkeys(given) if name not in known and name != EVERYWHERE]
    if unknown:
        there_are = f"it takes {', '.join(known)}" if known else "it takes none"
        raise InvalidRequestError(
            [
                Problem(
                    code=ReasonCode.UNKNOWN_FIELD,
                    field=name,
                    message=f"{name} is not a query parameter of this call; {there_are}",
                )
                for name in unknown
            ]
        )


def refuse_query(query: bytes) -> None:
    """For a call that takes no query parameters, before anything was parsed."""
    if query:
        names = (name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        refuse_unknown_parameters(names, ())
