"""Whether a request still waits for an owner, asked in the app's own name.

GitHub lists only what waits. Of what was approved it tells by webhook alone who had asked for it, so nothing is
concluded from an installation that is there by now: its owner may have meant somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from speckitty_connectors.plugin import Account, ApiSession, AwaitApproval, PendingApproval, read_answer

from .answers import Request
from .manifest import PAGE_SIZE

REQUESTS = "/app/installation-requests"
"""What waits for an owner: "List installation requests for the authenticated app"."""


def still_waits(pending: PendingApproval) -> AwaitApproval | None:
    """Return what waits, with its account, or None where GitHub doesn't list it (any more)."""
    if pending.session is None or pending.requester is None:
        return None
    for request in _requests(pending.session):
        is_theirs = str(request.requester.id) == pending.requester.id
        account = request.account
        if is_theirs and (pending.account is None or str(account.id) == pending.account.id):
            named = Account(
                id=str(account.id), name=account.login, kind=account.type.lower(), url=account.html_url or ""
            )
            return AwaitApproval(requester=pending.requester, account=named)
    return None


def _requests(session: ApiSession) -> Iterator[Request]:
    response = session.get(REQUESTS, parameters={"per_page": str(PAGE_SIZE)})
    while True:
        yield from read_answer(response, list[Request])
        if not response.next_link:
            return
        response = session.get(response.next_link)
