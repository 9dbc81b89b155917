"""What the rules about connecting accounts and linking people share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import evolve

from ...providers.api import ApiError
from ...providers.codec import to_document
from ...providers.conversations import (
    Authorize,
    AwaitApproval,
    ChooseAccount,
    Connected,
    Conversation,
    Linked,
    Redirect,
    Refused,
)
from ...providers.manifest import Capability
from ...providers.oauth import OAuthRules
from ..isolation import sealed_off
from ..playing import STATE, Interference, Stage, answering, as_recorded, failing, holds, playing
from ..rules import NotApplicableError, require
from ..scenarios import Scenario
from .base import Rules

ANSWERS: dict[type, str] = {
    Redirect: "redirect",
    Authorize: "authorize",
    ChooseAccount: "choose_account",
    AwaitApproval: "await_approval",
    Connected: "connected",
    Linked: "linked",
    Refused: "refused",
}
"""Each answer's word in expectations."""

OF_CORE = frozenset(
    {"client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "scope", "state"}
)
"""Parameters of an authorisation request that only core writes (RFC 6749, section 4.1.1; RFC 7636, section 4.3)."""

GUESSES = {
    "installation_id": "42",
    "id": "42",
    "account": "42",
    "team": "42",
    "code": "x",
    "setup_action": "install",
}
"""What a stranger may put into the URL on which a browser lands."""

CODE = re.compile(r"[a-z][a-z0-9_]{1,63}")

FAILING = (401, 403, 404, 503)
"""A status for each error that core's session raises where something is wrong."""

MALFORMED: tuple[object, ...] = (None, [], {}, "text", 7, {"data": None}, b"<html>", b"\xff")
"""Bodies that aren't what the provider documents."""


class ConversationRules(Rules):
    """What `install` and `link_user` have in common."""

    def ask(
        self, scenario: Scenario, conversation: Callable[[Stage], Conversation] | None = None
    ) -> tuple[Any, Stage]:
        """Play a scenario, or another step of it; return the answer and what was asked."""
        with playing(self.subject.manifest, scenario) as stage:
            step = conversation(stage) if conversation else stage.conversation
            return self._hook(scenario.hook)(step), stage

    def ends_as_expected(self, scenario: Scenario) -> None:
        """Require the answer that the scenario expects, and exactly the requests that it lists."""
        require(
            scenario.expect.get("answer") in ANSWERS.values(), "is shown with a scenario that expects no answer"
        )
        answer, stage = self.ask(scenario)
        require(type(answer) in ANSWERS, f"answered with a {type(answer).__name__}")
        found = {**to_document(answer), "answer": ANSWERS[type(answer)]}
        expected = dict(scenario.expect)
        differing = [name for name, value in expected.items() if name not in found or not holds(found[name], value)]
        shown = ", ".join(f"{name}: {found.get(name)!r}, not {expected[name]!r}" for name in differing)
        require(not stage.unexpected, f"asked what isn't recorded: {', '.join(stage.unexpected)}")
        require(not differing, f"answered with {shown}")

    def first_step_asks_nobody(self, hook: Capability, allowed: tuple[type, ...]) -> None:
        """Require an answer to the first step that needs no request."""
        with sealed_off() as tried:
            answer, stage = self.ask(_first(hook))
        require(not stage.asked and not tried, f"asked {', '.join([*stage.asked, *tried])} at the first step")
        require(type(answer) in allowed, f"answered the first step with a {type(answer).__name__}")

    def leads_to_the_provider(self, hook: Capability, flow: OAuthRules | None) -> None:
        """Require that a browser is only sent to the provider, with the state, and by a flow that is declared."""
        answer, stage = self.ask(_first(hook))
        if isinstance(answer, Redirect):
            target, home = urlsplit(answer.url), urlsplit(stage.app.urls.web)
            require(
                (target.scheme, target.netloc) == (home.scheme, home.netloc), f"sent the browser to {answer.url!r}"
            )
            states = [value for values in parse_qs(target.query).values() for value in values]
            require(STATE in states, "sent the browser away without the state, or without quoting it")
        if isinstance(answer, Authorize):
            require(flow is not None, f"answered Authorize, but its manifest has no flow for {hook}")
            taken = sorted(OF_CORE & set(answer.parameters))
            require(not taken, f"wrote {', '.join(taken)} into the authorisation request")

    def a_url_proves_nothing(self, hook: Capability, forbidden: type) -> None:
        """Require that no parameter of a landing takes the place of a grant."""
        scenarios = self.subject.scenarios(hook)
        landings = [dict(GUESSES), {"error": "access_denied"}, {"error": "x" * 5000, "error_description": "é\x00"}]
        landings += [{**GUESSES, **scenario.given.get("parameters", {})} for scenario in scenarios]
        remembered = [scenario.given.get("remembered", {}) for scenario in scenarios] or [{}]
        for parameters in landings:
            for kept in remembered:
                scenario = evolve(_first(hook), given={"parameters": parameters, "remembered": kept})
                answer, stage = self.ask(scenario)
                require(type(answer) in ANSWERS, f"answered a landing with a {type(answer).__name__}")
                require(
                    not isinstance(answer, forbidden),
                    f"took the parameters {sorted(parameters)} of a landing for a proof",
                )
                require(not stage.asked, f"asked {', '.join(stage.asked)} without a grant")

    def failures_prove_nothing(self, scenario: Scenario, allowed: tuple[type, ...]) -> None:
        """Require that each request that fails ends in an `ApiError` or an answer that proves nothing."""
        for index in range(len(scenario.exchanges)):
            for status in FAILING:
                self._fails(scenario, failing(status, at=index), allowed, f"the status {status}")

    def malformed_answers_are_typed(self, scenario: Scenario, allowed: tuple[type, ...]) -> None:
        """Require that a body of another shape ends in an `ApiError` or an answer that proves nothing."""
        for index in range(len(scenario.exchanges)):
            for body in MALFORMED:
                self._fails(scenario, answering(body, at=index), allowed, f"the body {body!r}")

    def _fails(
        self,
        scenario: Scenario,
        interfere: Interference,
        allowed: tuple[type, ...],
        what: str,
        *,
        gave: str = "the API answered",
    ) -> None:
        with playing(self.subject.manifest, scenario, interfere) as stage:
            try:
                answer = self._hook(scenario.hook)(stage.conversation)
            except ApiError:
                return
            except Exception as error:  # noqa: BLE001 - that nothing else is raised is the rule
                answer = error
        require(isinstance(answer, allowed), f"ended with {type(answer).__name__} when {gave} {what}")

    def poor_grants_are_answered(self, scenario: Scenario) -> None:
        """Require a typed answer, or an `ApiError`, where the grant lacks what a token answer may lack."""
        grant = scenario.given.get("grant")
        if grant is None:
            raise NotApplicableError("there is no grant at this step")
        details = grant.get("details", {})
        poorer: list[dict[str, Any]] = [{"scopes": []}, {"details": {}}]
        poorer += [{"details": {**details, name: value}} for name in details for value in MALFORMED[:5]]
        for lacking in poorer:
            given = {**scenario.given, "grant": {**grant, **lacking}}
            what = f"the grant {lacking}"
            self._fails(evolve(scenario, given=given), as_recorded, tuple(ANSWERS), what, gave="it got")

    def answers_the_same_again(self, scenario: Scenario) -> None:
        """Require that a step has the same answer whenever it is asked."""
        first, _ = self.ask(scenario)
        second, _ = self.ask(scenario)
        require(first == second, "answered the same step differently the second time")

    def refusals_help(self, answer: object) -> None:
        """Require that a refusal says what to do."""
        if isinstance(answer, Refused):
            require(CODE.fullmatch(answer.code), f"refused with the code {answer.code!r}")
            require(
                answer.reason.strip() and answer.remedy.strip(), f"refused {answer.code} without reason or remedy"
            )

    def stays_in_the_session(self, scenario: Scenario) -> None:
        """Require that every request goes through the session that core handed over."""
        with playing(self.subject.manifest, scenario, as_recorded) as stage, sealed_off() as tried:
            self._hook(scenario.hook)(stage.conversation)
        outside = [*stage.outside, *tried]
        require(not outside, f"asked {', '.join(outside)} outside its session")

    def _hook(self, hook: Capability) -> Callable[[Conversation], Any]:
        found: Callable[[Conversation], Any] = getattr(self.subject.provider, hook)
        return found


def _first(hook: Capability) -> Scenario:
    return Scenario(name="first step", hook=hook)
