"""W: a webhook is there, or isn't, only where the provider says so."""

from __future__ import annotations

from ...providers.api import ApiError
from ...providers.codec import to_document
from ...providers.conversations import Refused
from ...providers.manifest import Capability
from ...providers.subscriptions import Subscribed, SubscriptionStep, Unsubscribed
from ..rules import NotApplicableError, Over, require, rule
from ..scenario_player import WEBHOOK_SECRET
from ..scenarios import Scenario
from . import calling
from .base import Rules
from .calling import CallingHook, kept_by

ANSWERS: dict[type, str] = {Subscribed: "subscribed", Unsubscribed: "unsubscribed", Refused: "refused"}
"""Each answer's word in expectations."""

SUBSCRIBE = CallingHook(
    hook=Capability.SUBSCRIBE,
    over=Over.SUBSCRIPTIONS,
    answers=ANSWERS,
    unproven=tuple(ANSWERS),
    words={
        "step": "step about a webhook",
        "topic": "webhooks",
        "memory": "core remembers what is registered",
        "session": "subscription.session",
    },
)

FAILING = (401, 503)
"""The statuses that say nothing about a webhook; 403 and 404 may say that there are none here."""


@kept_by(
    SUBSCRIBE,
    {
        "W02": calling.the_expected_answer,
        "W04": calling.malformed_answers_are_typed,
        "W05": calling.only_through_the_session,
        "W08": calling.the_same_answer_again,
    },
)
class SubscribingRules(Rules):
    """`subscribe`."""

    @rule("W01", needs=SUBSCRIBE.hook, waivable=False)
    def test_w01_subscribing_is_shown(self) -> None:
        """A plugin that makes webhooks is shown making, checking and removing one.

        The folder of exchanges is read.
        Why: without them, every other rule about webhooks would hold for nothing.
        Fix: record a step of each kind: register, check, remove; see 'Recorded exchanges' in the guide.
        """
        steps = {scenario.given.get("step", "register") for scenario in self.subject.scenarios(SUBSCRIBE.hook)}
        missing = {"register", "check", "remove"} - steps
        require(not missing, f"is shown with no exchange of subscribe that does {', '.join(sorted(missing))}")

    @rule("W03", needs=SUBSCRIBE.hook, over=Over.SUBSCRIPTIONS)
    def test_w03_failures_say_nothing(self, subscription: Scenario) -> None:
        """A request that fails says neither that a webhook is well nor that it is gone.

        Each request of the scenario is answered with 401 and 503 in turn.
        Why: core would forget a webhook that still delivers, or trust one that was never made.
        Fix: let the session's errors pass.
        """
        for status, answer in self.failures(subscription, FAILING):
            known = isinstance(answer, ApiError | Refused) or (isinstance(answer, Subscribed) and answer.fault)
            require(known, f"ended with {type(answer).__name__} when the API answered {status}")

    @rule("W06", needs=SUBSCRIBE.hook, over=Over.SUBSCRIPTIONS)
    def test_w06_the_secret_is_for_the_provider_alone(self, subscription: Scenario) -> None:
        """The secret of a webhook stands in the body of a request, and nowhere else.

        The answer, its representation and the addresses of all requests are searched for it.
        Why: anyone who has the secret can make up deliveries.
        Fix: put subscription.secret into the document as it is, and keep it out of URLs and answers.
        """
        answer, stage = self.subject.ask(subscription)
        shown = [repr(answer), str(to_document(answer)), *stage.asked]
        require(not any(WEBHOOK_SECRET in text for text in shown), "showed the webhook's secret")

    @rule("W07", needs=SUBSCRIBE.hook, over=Over.SUBSCRIPTIONS)
    def test_w07_a_registration_hands_over_the_secret(self, subscription: Scenario) -> None:
        """A webhook that is made is made with core's secret, and with core's address.

        The bodies of the requests of a registration are searched for both.
        Why: deliveries would be refused, or accepted without a proof.
        Fix: write subscription.url and subscription.secret into the request that makes the webhook.
        """
        step = SubscriptionStep(subscription.given.get("step", "register"))
        rules = self.subject.manifest.webhooks.subscriptions
        made = step is SubscriptionStep.REGISTER and subscription.expect.get("answer") == "subscribed"
        if not made or not subscription.exchanges or rules is None or not rules.own_endpoint:
            raise NotApplicableError("this step makes no webhook of its own address through an API")
        _, stage = self.subject.ask(subscription)
        sent = "".join(stage.sent)
        require(WEBHOOK_SECRET in sent, "made a webhook without the secret that core made for it")
        require(stage.subscription.url in sent, "made a webhook for another address")
