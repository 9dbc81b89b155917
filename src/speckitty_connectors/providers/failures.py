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
    """How an answer of status 2xx or 400 says in its JSON document what failed.

    Attributes:
        success_field: top-level member that is false in a failure, or empty.
        error_field: top-level member with the error code.
        errors_field: top-level member with a list of errors in a failure, also where there are data beside it, or
            empty. The code is the ``code`` in the ``extensions`` of the first one (GraphQL).
        statuses: error code → the HTTP status that says the same; 400 stands for every other code.

    >>> dialect = FailureDialect(success_field="ok", statuses={"token_revoked": 401})
    >>> dialect.status_of({"ok": False, "error": "token_revoked"}), dialect.status_of({"ok": True})
    (401, None)
    >>> graphql = FailureDialect(errors_field="errors", statuses={"FORBIDDEN": 403})
    >>> graphql.status_of({"data": None, "errors": [{"extensions": {"code": "FORBIDDEN"}}]})
    403
    """

    success_field: str = ""
    error_field: str = "error"
    errors_field: str = ""
    statuses: Mapping[str, int] = field(factory=dict, converter=_read_only)

    def status_of(self, document: object) -> int | None:
        """Return the status that the document gives, or None where it reports no failure."""
        if not isinstance(document, dict):
            return None
        errors = document.get(self.errors_field) if self.errors_field else None
        if isinstance(errors, list) and errors:
            return self._status(_code_in(errors[0]))
        if self.success_field and document.get(self.success_field) is False:
            return self._status(document.get(self.error_field))
        return None

    def _status(self, code: object) -> int:
        return self.statuses.get(code if isinstance(code, str) else "", HTTPStatus.BAD_REQUEST)


def _code_in(error: object) -> object:
    """Return the code of an error as servers of GraphQL add it ("GraphQL", section "Errors": extensions)."""
    extensions = error.get("extensions") if isinstance(error, dict) else None
    return extensions.get("code") if isinstance(extensions, dict) else None
