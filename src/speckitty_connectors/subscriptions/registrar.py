"""Speaks to a provider about the webhooks of one installation, and writes down what came of each step.

What is to be registered is written before the provider is asked: the endpoint and its secret have to be there
when the first delivery arrives, and what a crash leaves behind is found again by its address. No transaction is
open while the provider is asked.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from sqlalchemy.exc import IntegrityError

from ..apps.endpoints import get_endpoint, open_secret
from ..apps.service import RegisteredApp
from ..credentials.secret import Secret
from ..errors import ConnectorsError
from ..installations.types import Installation
from ..loading.binding import Provider
from ..providers.api import ApiSession
from ..providers.conversations import Refused
from ..providers.subscriptions import (
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionRules,
    SubscriptionScope,
    SubscriptionStep,
    Unsubscribed,
)
from . import repository
from .ledger import Ledger
from .types import Wanted, Webhook

EndpointUrl = Callable[[str, str], str]
"""Returns the URL of an endpoint: provider key and endpoint's id."""


class SubscriptionAnswerError(ConnectorsError):
    """The plugin answered a step with something that is no answer to it."""

    code = "subscription_answer"


@frozen(kw_only=True)
class Registrar:
    """One installation's webhooks, and the way to their provider.

    Attributes:
        ledger: where everything is written down.
        provider: the plugin.
        rules: how its webhooks are registered.
        app: the app that the installation was connected through.
        installation: the installation.
        session: speaks to the API for it.
        endpoint_url: where endpoints are reached.
    """

    ledger: Ledger
    provider: Provider
    rules: SubscriptionRules
    app: RegisteredApp
    installation: Installation
    session: ApiSession
    endpoint_url: EndpointUrl

    def known(self) -> list[Webhook]:
        """Return what is written down, oldest first."""
        with self.ledger.store.reading() as connection:
            return repository.list_all(connection, self.installation)

    def register(self, wanted: Wanted) -> Webhook | Refused | None:
        """Register a webhook; None where another process is doing it at this moment.

        Raises:
            ApiError: the provider didn't answer; what was begun is looked for at the next check.
        """
        try:
            webhook = self.ledger.begin(
                self.installation, wanted, app=None if self.rules.own_endpoint else self.app, scheme=self._strongest
            )
        except IntegrityError:
            return None
        try:
            answered = self._ask(SubscriptionStep.REGISTER, webhook)
        except ConnectorsError:
            self.ledger.give_up(webhook)
            raise
        match answered:
            case Subscribed() as answer:
                return self._keep(webhook, answer, "registered")
            case Refused() as answer:
                self.ledger.forget(webhook, "refused", answer.reason)
                return answer
            case answer:
                raise self._wrong(SubscriptionStep.REGISTER, answer)

    def check(self, webhook: Webhook) -> Webhook | Unsubscribed:
        """Read a webhook back, and put off its end where that is near; what is gone is forgotten.

        Raises:
            ApiError: the provider didn't answer.
        """
        read = self._confirm(SubscriptionStep.CHECK, webhook, "" if webhook.registration else "registered")
        if isinstance(read, Webhook) and self.ledger.is_ending(read, self.rules):
            return self._confirm(SubscriptionStep.RENEW, read, "renewed")
        return read

    def remove(self, webhook: Webhook) -> None:
        """Take a webhook away at the provider, and then its endpoint.

        Raises:
            ApiError: the provider didn't answer; everything is as it was.
        """
        answer = self._ask(SubscriptionStep.REMOVE, webhook)
        if not isinstance(answer, Unsubscribed):
            raise self._wrong(SubscriptionStep.REMOVE, answer)
        self.ledger.forget(webhook, "removed", answer.reason)

    @property
    def _strongest(self) -> str:
        return next(iter(self.provider.manifest.webhooks.schemes))

    def _confirm(self, step: SubscriptionStep, webhook: Webhook, verb: str) -> Webhook | Unsubscribed:
        match self._ask(step, webhook):
            case Subscribed() as answer:
                return self._keep(self.ledger.find_again(webhook), answer, verb)
            case Unsubscribed() as answer:
                if webhook.registration:
                    self.ledger.miss(webhook, answer.reason)
                else:
                    self.ledger.forget(webhook, "abandoned", answer.reason)
                return answer
            case answer:
                raise self._wrong(step, answer)

    def _keep(self, webhook: Webhook, answer: Subscribed, verb: str) -> Webhook:
        if answer.scheme and answer.scheme not in self.provider.manifest.webhooks.schemes:
            raise self._wrong(SubscriptionStep.CHECK, answer)
        return self.ledger.keep(webhook, answer, self.rules, verb)

    def _ask(self, step: SubscriptionStep, webhook: Webhook) -> SubscriptionAnswer:
        return self.provider.subscribe(
            Subscription(
                step=step,
                app=self.app.app,
                account=self.installation.account,
                session=self.session,
                scope=SubscriptionScope(webhook.scope),
                url=self.endpoint_url(self.installation.provider, webhook.endpoint_id),
                installation=self.installation.provider_installation_id,
                resources=webhook.resources,
                secret=self._secret(webhook),
                scheme=webhook.scheme,
                registration=webhook.registration,
            )
        )

    def _secret(self, webhook: Webhook) -> Secret | None:
        with self.ledger.store.reading() as connection:
            endpoint = get_endpoint(connection, workspace=webhook.workspace, endpoint_id=webhook.endpoint_id)
            if not self.rules.own_endpoint or endpoint is None or not endpoint.secrets:
                return None
            return open_secret(connection, self.ledger.vault, endpoint, endpoint.secrets[-1].credential_id)

    def _wrong(self, step: SubscriptionStep, answer: object) -> SubscriptionAnswerError:
        return SubscriptionAnswerError(
            f"the plugin answered {step} with {type(answer).__name__}, which is no answer to it",
            subject=f"{self.installation.subject}, {self.provider.label}",
            remedy="tell the plugin's authors",
        )
