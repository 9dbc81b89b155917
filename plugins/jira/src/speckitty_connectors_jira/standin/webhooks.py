"""The webhooks that the app registered at the stand-in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

from attrs import field, frozen

from .documents import Document

LIFETIME = timedelta(days=30)
"""After this a webhook ends without a word ("Webhooks")."""

MOST = 5
"""How many an app may have for each person and site ("Register dynamic webhooks")."""

_FILTER = re.compile(r"project IN \(\d+(, \d+)*\)")
"""What this plugin asks for; Jira knows a few fields and operators more, and refuses all others."""


@frozen(kw_only=True)
class RegisteredWebhooks:
    """What is registered, by id; ids begin at 1 on each site."""

    now: Callable[[], datetime] = field(factory=lambda: partial(datetime.now, UTC))
    _webhooks: dict[int, Document] = field(factory=dict, init=False)
    _urls: dict[int, str] = field(factory=dict, init=False)

    def register(self, document: Document) -> Document:
        """Register webhooks; like Jira's, the answer is good also where none could be."""
        return {
            "webhookRegistrationResult": [self._register(each, document["url"]) for each in document["webhooks"]]
        }

    def urls(self) -> list[str]:
        """Return where they post to, in the order of their ids."""
        return list(self._urls.values())

    def listed(self) -> list[Document]:
        """Return what is registered, also what has ended."""
        return list(self._webhooks.values())

    def refresh(self, ids: Iterable[int]) -> Document:
        """Put the end of webhooks off; unknown ids are passed over without a word."""
        end = self._end()
        for webhook_id in ids:
            if webhook_id in self._webhooks:
                self._webhooks[webhook_id]["expirationDate"] = end
        return {"expirationDate": end}

    def remove(self, ids: Iterable[int]) -> None:
        """Forget webhooks; unknown ids are passed over without a word."""
        for webhook_id in ids:
            self._webhooks.pop(webhook_id, None)
            self._urls.pop(webhook_id, None)

    def _register(self, webhook: Document, url: str) -> Document:
        if not _FILTER.fullmatch(webhook["jqlFilter"]):
            return {"errors": ["The JQL filter is unsupported."]}
        if len(self._webhooks) >= MOST:
            return {"errors": ["The limit of webhooks is reached."]}
        webhook_id = max(self._webhooks, default=0) + 1
        details = {"jqlFilter": webhook["jqlFilter"], "events": webhook["events"]}
        self._webhooks[webhook_id] = {"id": webhook_id, **details, "expirationDate": self._end()}
        self._urls[webhook_id] = url
        return {"createdWebhookId": webhook_id}

    def _end(self) -> str:
        return (self.now() + LIFETIME).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
