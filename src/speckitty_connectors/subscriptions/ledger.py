"""Writes webhooks down together with the endpoints that they post to, each step with its line in the audit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, frozen
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from ..apps.endpoints import (
    Endpoint,
    add_endpoint,
    add_secret,
    forget_secret,
    get_endpoint,
    open_secret,
    remove_endpoint,
)
from ..apps.service import Apps, RegisteredApp
from ..credentials.secret import Secret, new_webhook_secret
from ..credentials.vault import Vault
from ..identifiers import new_id
from ..installations.types import Installation
from ..providers.subscriptions import Subscribed, SubscriptionRules, SubscriptionScope
from ..store.audit import record_change
from ..store.engine import Store
from . import repository
from .types import BY_HAND, Wanted, Webhook

REGISTERING: Final = timedelta(minutes=2)
"""How long a registration may take; what was begun before that is looked for at the provider."""

CHECK_EVERY: Final = timedelta(days=1)
"""How often a webhook is read back: nobody tells when one is deleted."""


MISSED_AGAIN: Final = timedelta(hours=1)
MISSED_LONG: Final = timedelta(days=1)
"""When a webhook that isn't there is looked for once more, and how long before it is forgotten."""


@frozen(kw_only=True)
class Ledger:
    """The webhooks of all installations, as they are stored.

    Attributes:
        store: the database.
        vault: seals the secrets of endpoints.
        apps: the registered apps.
    """

    store: Store
    vault: Vault
    apps: Apps

    def begin(
        self, installation: Installation, wanted: Wanted, *, app: RegisteredApp | None, scheme: str
    ) -> Webhook:
        """Write down what is to be registered, with an endpoint and a secret of its own, or at an app's.

        Raises:
            sqlalchemy.exc.IntegrityError: the installation has one for the same already.
        """
        with self.store.transaction() as connection:
            webhook = Webhook(
                workspace=installation.workspace,
                id=new_id(),
                installation_id=installation.id,
                endpoint_id=self.apps.endpoint_of(connection, app) if app else "",
                scope=wanted.scope,
                covers=wanted.covers,
                resources=wanted.resources,
                scheme="" if app else scheme,
                due_at=self.store.now() + REGISTERING,
                created_at=self.store.now(),
            )
            if app is None:
                endpoint = self._new_endpoint(connection, installation, new_webhook_secret(), scheme)
                webhook = evolve(webhook, endpoint_id=endpoint.id)
            repository.add(connection, webhook)
        return webhook

    def is_being_registered(self, webhook: Webhook) -> bool:
        """Return whether another process may be asking the provider for it at this moment."""
        return not webhook.registration and webhook.due_at is not None and webhook.due_at > self.store.now()

    def give_up(self, webhook: Webhook) -> None:
        """Note that nobody waits for the answer to a registration any more: it can be looked for at once."""
        with self.store.transaction() as connection:
            repository.save(connection, evolve(webhook, due_at=self.store.now()))

    def add_by_hand(self, installation: Installation, secret: Secret, *, scheme: str, actor: str) -> Webhook:
        """Write down a webhook that a person enters in the provider's own pages."""
        with self.store.transaction() as connection:
            endpoint = self._new_endpoint(connection, installation, secret, scheme)
            webhook = Webhook(
                workspace=installation.workspace,
                id=new_id(),
                installation_id=installation.id,
                endpoint_id=endpoint.id,
                scope=BY_HAND,
                covers=endpoint.id,
                scheme=scheme,
                created_at=self.store.now(),
            )
            repository.add(connection, webhook)
            record_change(connection, None, webhook, "added", actor=actor, at=self.store.now())
        return webhook

    def keep(self, webhook: Webhook, answer: Subscribed, rules: SubscriptionRules, verb: str) -> Webhook:
        """Write down what the provider says of a webhook.

        Which scheme it signs by is settled once, by the answer to its registration. A provider that says
        something weaker later is a fault, never a reason to accept that.
        """
        now = self.store.now()
        settled = not webhook.registration and bool(answer.scheme) and bool(webhook.scheme)
        changed = evolve(
            webhook,
            registration=answer.registration,
            scheme=answer.scheme if settled else webhook.scheme,
            expires_at=answer.expires_at,
            fault=answer.fault or ("" if settled else _weakened(webhook, answer)),
            due_at=_due_at(answer, rules, now),
        )
        with self.store.transaction() as connection:
            if changed.scheme != webhook.scheme:
                self._resign(connection, changed)
            repository.save(connection, changed)
            if verb or changed.fault != webhook.fault:
                self._record(connection, changed, verb or "changed", changed.fault)
        return changed

    def forget(self, webhook: Webhook, verb: str, reason: str) -> None:
        """Delete a webhook with its own endpoint: what is still sent there is refused."""
        with self.store.transaction() as connection:
            endpoint = get_endpoint(connection, workspace=webhook.workspace, endpoint_id=webhook.endpoint_id)
            if endpoint is not None and endpoint.installation_id == webhook.installation_id:
                remove_endpoint(connection, self.vault, endpoint)
            repository.remove(connection, webhook)
            self._record(connection, webhook, verb, reason)

    def miss(self, webhook: Webhook, reason: str) -> None:
        """Note that the provider says once that a webhook isn't there: another one may be registered in its place.

        It is forgotten when the provider has said so for a day; until then its endpoint takes what still arrives.
        """
        now = self.store.now()
        if webhook.missed_at is not None:
            if now - webhook.missed_at >= MISSED_LONG:
                self.forget(webhook, "abandoned", reason)
            return
        with self.store.transaction() as connection:
            repository.save(
                connection, evolve(webhook, missed_at=now, covers=webhook.id, due_at=now + MISSED_AGAIN)
            )
            self._record(connection, webhook, "missing", reason)

    def find_again(self, webhook: Webhook) -> Webhook:
        """Let a webhook that was missed be what it was, unless another one was registered in its place."""
        if webhook.missed_at is None:
            return webhook
        wanted = Wanted(scope=SubscriptionScope(webhook.scope), resources=webhook.resources)
        found = evolve(webhook, missed_at=None, covers=wanted.covers)
        try:
            with self.store.transaction() as connection:
                repository.save(connection, found)
        except IntegrityError:
            return webhook
        return found

    def is_ending(self, webhook: Webhook, rules: SubscriptionRules) -> bool:
        """Return whether the end of a webhook is so near that it should be renewed."""
        return webhook.expires_at is not None and _renewal(webhook.expires_at, rules) <= self.store.now()

    def _new_endpoint(
        self, connection: Connection, installation: Installation, secret: Secret, scheme: str
    ) -> Endpoint:
        now = self.store.now()
        endpoint = add_endpoint(
            connection,
            workspace=installation.workspace,
            provider=installation.provider,
            host=installation.host,
            app_id=installation.app_id,
            installation_id=installation.id,
            now=now,
        )
        add_secret(connection, self.vault, endpoint, scheme=scheme, secret=secret, now=now)
        return endpoint

    def _resign(self, connection: Connection, webhook: Webhook) -> None:
        """Accept the secret by another scheme, under a new id: receivers that know the old one look again."""
        endpoint = get_endpoint(connection, workspace=webhook.workspace, endpoint_id=webhook.endpoint_id)
        if endpoint is None:
            return
        for known in endpoint.secrets:
            secret = open_secret(connection, self.vault, endpoint, known.credential_id)
            forget_secret(connection, self.vault, endpoint, known.credential_id)
            add_secret(connection, self.vault, endpoint, scheme=webhook.scheme, secret=secret, now=self.store.now())

    def _record(self, connection: Connection, webhook: Webhook, verb: str, reason: str) -> None:
        now = self.store.now()
        record_change(connection, None, webhook, verb, actor="subscriptions", at=now, reason=reason)


def _weakened(webhook: Webhook, answer: Subscribed) -> str:
    if not answer.scheme or not webhook.scheme or answer.scheme == webhook.scheme:
        return ""
    return f"the provider no longer signs by {webhook.scheme}"


def _renewal(expires_at: datetime, rules: SubscriptionRules) -> datetime:
    return expires_at - timedelta(seconds=rules.renew_before_seconds)


def _due_at(answer: Subscribed, rules: SubscriptionRules, now: datetime) -> datetime:
    due = now + CHECK_EVERY
    return due if answer.expires_at is None else min(due, _renewal(answer.expires_at, rules))
