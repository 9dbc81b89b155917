"""A grant that reaches several accounts, sealed while a person chooses among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from attrs import frozen

from ..credentials.secret import Secret
from ..tokens.oauth import TokenAnswer

OFFER = "offer"
"""Name of the sealed value."""


class _Document(msgspec.Struct):
    tokens: dict[str, str]
    scopes: tuple[str, ...]
    expires_at: datetime | None
    details: dict[str, object]
    claims: dict[str, object]
    offered: tuple[str, ...]
    several: bool


@frozen(kw_only=True)
class Offer:
    """What a person may choose from.

    Attributes:
        tokens: the grant that reaches the accounts.
        offered: their ids.
        several: whether more than one may be picked.

    >>> tokens = TokenAnswer(values={"access_token": Secret("t")}, scopes=(), expires_at=None, details={})
    >>> offer = Offer(tokens=tokens, offered=("1", "2"), several=False)
    >>> offer.allows(["1"]), offer.allows(["1", "2"]), offer.allows(["3"])
    (True, False, False)
    """

    tokens: TokenAnswer
    offered: tuple[str, ...]
    several: bool

    def allows(self, account_ids: Sequence[str]) -> bool:
        """Return whether these may be picked: at least one, each once, and one only where several may not be."""
        picked = set(account_ids)
        return 0 < len(picked) == len(account_ids) <= (len(self.offered) if self.several else 1) and picked <= set(
            self.offered
        )

    def to_sealed(self) -> Mapping[str, Secret]:
        """Return it as the vault takes it."""
        document = _Document(
            tokens={name: value.reveal() for name, value in self.tokens.values.items()},
            scopes=self.tokens.scopes,
            expires_at=self.tokens.expires_at,
            details=dict(self.tokens.details),
            claims=dict(self.tokens.claims),
            offered=self.offered,
            several=self.several,
        )
        return {OFFER: Secret(msgspec.json.encode(document))}

    @classmethod
    def from_sealed(cls, values: Mapping[str, Secret]) -> Offer:
        """Return it as the vault gave it back."""
        document = msgspec.json.decode(values[OFFER].reveal_bytes(), type=_Document)
        tokens = TokenAnswer(
            values={name: Secret(value) for name, value in document.tokens.items()},
            scopes=document.scopes,
            expires_at=document.expires_at,
            details=document.details,
            claims=document.claims,
        )
        return cls(tokens=tokens, offered=document.offered, several=document.several)
