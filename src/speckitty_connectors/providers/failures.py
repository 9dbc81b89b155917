"""How a provider tells a failure where the HTTP status doesn't, as data."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from attrs import field, frozen


def _read_only(statuses: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(statuses))


@frozen(kw_only=True)
class FailureDialect:
    """How an answer of status 2xx says in its JSON document that it is none.

    Attributes:
        success_field: top-level member that is false in a failure.
        error_field: top-level member with the error code.
        statuses: error code → the HTTP status that says the same; 400 stands for every other code.

    >>> dialect = FailureDialect(success_field="ok", statuses={"token_revoked": 401})
    >>> dialect.status_of({"ok": False, "error": "token_revoked"}), dialect.status_of({"ok": True})
    (401, None)
    """

    success_field: str
    error_field: str = "error"
    statuses: Mapping[str, int] = field(factory=dict, converter=_read_only)

    def status_of(self, document: object) -> int | None:
        """Return the status that the document tells, or None where it tells of no failure."""
        if not isinstance(document, dict) or document.get(self.success_field) is not False:
            return None
        error = document.get(self.error_field)
        return self.statuses.get(error if isinstance(error, str) else "", HTTPStatus.BAD_REQUEST)
