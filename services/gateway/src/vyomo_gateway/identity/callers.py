"""Who asks."""

from dataclasses import dataclass

from vyomo_contracts.messages import Principal
from vyomo_contracts.vocabulary import Scope
from vyomo_gateway.edge.problems import ScopeMissingError


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what the key or browser used may do."""

    principal: Principal
    scopes: frozenset[str]

    @property
    def user_id(self) -> str:
        return self.principal.user_id

    def seen_at(self, address: str | None, user_agent: str | None) -> "Caller":
        """The same caller, with where this request came from."""
        known = self.principal
        principal = Principal(
            user_id=known.user_id, key_id=known.key_id, address=address, user_agent=user_agent
        )
        return Caller(principal, self.scopes)

    def require(self, scope: Scope) -> None:
        if scope not in self.scopes:
            raise ScopeMissingError(scope)
