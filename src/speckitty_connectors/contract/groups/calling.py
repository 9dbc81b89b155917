"""What every hook that calls out has to keep: each rule written once, and judged under an id of each hook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from attrs import evolve, frozen

from ...providers.api import ApiError
from ...providers.codec import to_document
from ...providers.conversations import Authorize, Redirect
from ...providers.manifest import Capability
from ..isolation import sealed_off
from ..rules import NotApplicableError, Over, require, rule
from ..scenario_player import STATE, as_recorded, difference
from ..scenarios import Scenario
from .base import MALFORMED, Rules

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

Group = TypeVar("Group", bound=Rules)

FAILING = (401, 403, 404, 503)
"""A status for each error that core's session raises where something is wrong."""


@frozen(kw_only=True)
class CallingHook:
    """A hook that calls out, as the rules for all such hooks need it.

    `answers` has the word of each type of answer in expectations, `proof` is the answer that needs a grant, and
    `words` are put into the texts of the rules.
    """

    hook: Capability
    over: Over
    answers: Mapping[type, str]
    proof: type | None = None
    first: tuple[type, ...] = ()
    unproven: tuple[type, ...] = ()
    words: Mapping[str, str]


def kept_by(hook: CallingHook, rules: Mapping[str, Callable[..., None]]) -> Callable[[type[Group]], type[Group]]:
    """Give a group the rules of this module that its hook has to keep, by their ids."""

    def add(group: type[Group]) -> type[Group]:
        for rule_id, shared in rules.items():
            test = _test(rule_id, hook, shared)
            setattr(group, test.__name__, test)
        return group

    return add


def _test(rule_id: str, hook: CallingHook, shared: Callable[..., None]) -> Callable[..., None]:
    """Return a shared rule as the test of one hook; it has the argument that the rule has."""

    def for_each(self: Rules, scenario: Scenario) -> None:
        shared(self, hook, scenario)

    def for_all(self: Rules) -> None:
        shared(self, hook)

    test: Any = for_each if "scenario" in shared.__annotations__ else for_all
    test.__name__ = f"test_{rule_id.lower()}_{shared.__name__}"
    test.__qualname__ = test.__name__
    test.__doc__ = (shared.__doc__ or "").format_map(hook.words)
    return rule(rule_id, needs=hook.hook, over=hook.over if test is for_each else Over.PLUGIN)(test)


def the_expected_answer(rules: Rules, hook: CallingHook, scenario: Scenario) -> None:
    """A recorded {step} ends as its author says it ends.

    The scenario is played; the answer has to hold what is expected, and nothing else may be asked.
    Why: an expectation written from the provider's page is the one check that knows the provider.
    Fix: correct the plugin, or the scenario if the provider's page says otherwise.
    """
    expected = scenario.expect.get("answer")
    require(expected in hook.answers.values(), "is shown with a scenario that expects no answer")
    answer, played = rules.subject.ask(scenario)
    require(type(answer) in hook.answers, f"answered with a {type(answer).__name__}")
    require(not played.unexpected, f"asked what isn't recorded: {', '.join(played.unexpected)}")
    differing = difference({**to_document(answer), "answer": hook.answers[type(answer)]}, scenario.expect)
    require(not differing, f"answered with {differing}")


def the_same_answer_again(rules: Rules, _: CallingHook, scenario: Scenario) -> None:
    """A {step} has the same answer whenever it is asked.

    The scenario is played twice.
    Why: steps come again after a crash, and each may run in another process.
    Fix: keep nothing between calls; {memory}.
    """
    first, second = (rules.subject.ask(scenario)[0] for _ in range(2))
    require(first == second, "answered the same step differently the second time")


def only_through_the_session(rules: Rules, _: CallingHook, scenario: Scenario) -> None:
    """Everything about {topic} is asked through the session that core hands over.

    Requests without the session's credential, other connections and processes are looked for.
    Why: the session is what keeps secrets hidden, waits out throttling and refuses foreign hosts.
    Fix: use {session}.
    """
    with sealed_off() as tried:
        _, played = rules.subject.ask(rules.successful(scenario))
    outside = [*played.outside, *tried]
    require(not outside, f"asked {', '.join(outside)} outside its session")


def failures_prove_nothing(rules: Rules, hook: CallingHook, scenario: Scenario) -> None:
    """A request that fails proves nothing, about {topic} too.

    Each request of the scenario is answered with 401, 403, 404 and 503 in turn.
    Why: an account would be connected, or a person linked, without the proof that didn't come.
    Fix: let the session's errors pass, or answer Refused.
    """
    for status, answer in rules.failures(scenario, FAILING):
        _proves_nothing(answer, hook.unproven, f"the API answered the status {status}")


def malformed_answers_are_typed(rules: Rules, hook: CallingHook, scenario: Scenario) -> None:
    """An answer of another shape is an error that says so, about {topic} too.

    Each answer of the scenario is replaced by lists, texts, numbers, nothing and HTML.
    Why: a KeyError tells nobody anything and stops what comes after it; a default takes the wrong one.
    Fix: decode into a typed shape, and raise ApiError where it doesn't fit.
    """
    for _, body, answer in rules.malformed(scenario):
        _proves_nothing(answer, hook.unproven, f"the API answered the body {body!r}")


def poor_grants_are_answered(rules: Rules, hook: CallingHook, scenario: Scenario) -> None:
    """A grant that lacks scopes or details ends in an answer, about {topic} too.

    The step is repeated without scopes, without details, and with each detail as null, a list, an object, a
    text or a number.
    Why: people take scopes away, and token answers leave fields out or set them to null.
    Fix: read details with a default, and refuse with a remedy where one is missing.
    """
    grant = scenario.given.get("grant")
    if grant is None:
        raise NotApplicableError("there is no grant at this step")
    details = grant.get("details", {})
    poorer: list[dict[str, Any]] = [{"scopes": []}, {"details": {}}]
    poorer += [{"details": {**details, name: value}} for name in details for value in MALFORMED[:5]]
    for lacking in poorer:
        poor = evolve(scenario, given={**scenario.given, "grant": {**grant, **lacking}})
        _proves_nothing(rules.outcome(poor, as_recorded), tuple(hook.answers), f"it got the grant {lacking}")


def the_first_step_asks_nobody(rules: Rules, hook: CallingHook) -> None:
    """The first {step} needs no request.

    It is asked with nothing known, and has to lead somewhere or refuse.
    Why: nobody has granted anything yet, and the person waits.
    Fix: answer Authorize, or Redirect to pages where an app is installed.
    """
    with sealed_off() as tried:
        answer, stage = rules.subject.ask(_first(hook))
    require(not stage.asked and not tried, f"asked {', '.join([*stage.asked, *tried])} at the first step")
    require(type(answer) in hook.first, f"answered the first step with a {type(answer).__name__}")


def it_leads_to_the_provider(rules: Rules, hook: CallingHook) -> None:
    """The first {step} sends a browser to the provider only, with the state in the URL.

    Redirects are compared with the app's web address; the state has letters that need quoting. Authorize needs
    {flow} in the manifest, and may not write what is core's.
    Why: without its state nobody finds back; to another address, it is a gift to phishers.
    Fix: answer Authorize and declare {flow}; a Redirect is built from conversation.app.urls.web, with
    quote(conversation.state, safe="").
    """
    answer, stage = rules.subject.ask(_first(hook))
    if isinstance(answer, Redirect):
        target, home = urlsplit(answer.url), urlsplit(stage.app.urls.web)
        require((target.scheme, target.netloc) == (home.scheme, home.netloc), f"sent the browser to {answer.url!r}")
        states = [value for values in parse_qs(target.query).values() for value in values]
        require(STATE in states, "sent the browser away without the state, or without quoting it")
    if isinstance(answer, Authorize):
        flow = getattr(rules.subject.manifest, hook.words["flow"])
        require(flow is not None, f"answered Authorize, but its manifest has no flow for {hook.hook}")
        taken = sorted(OF_CORE & set(answer.parameters))
        require(not taken, f"wrote {', '.join(taken)} into the authorisation request")


def a_url_proves_nothing(rules: Rules, hook: CallingHook) -> None:
    """Nothing that is in a URL proves a {step}.

    Landings with ids, codes and errors are tried, with and without what was remembered, but without a grant.
    Why: anybody can open the landing with anybody's id.
    Fix: remember an id, answer Authorize, and look for it among what the grant reaches.
    """
    scenarios = rules.subject.scenarios(hook.hook)
    landings = [dict(GUESSES), {"error": "access_denied"}, {"error": "x" * 5000, "error_description": "é\x00"}]
    landings += [{**GUESSES, **scenario.given.get("parameters", {})} for scenario in scenarios]
    remembered = [scenario.given.get("remembered", {}) for scenario in scenarios] or [{}]
    for parameters in landings:
        for kept in remembered:
            given = {"parameters": parameters, "remembered": kept}
            answer, stage = rules.subject.ask(evolve(_first(hook), given=given))
            require(type(answer) in hook.answers, f"answered a landing with a {type(answer).__name__}")
            taken = type(answer) is hook.proof
            require(not taken, f"took the parameters {sorted(parameters)} of a landing for a proof")
            require(not stage.asked, f"asked {', '.join(stage.asked)} without a grant")


def _proves_nothing(answer: object, allowed: tuple[type, ...], when: str) -> None:
    require(isinstance(answer, (ApiError, *allowed)), f"ended with {type(answer).__name__} when {when}")


def _first(hook: CallingHook) -> Scenario:
    return Scenario(name="first step", hook=hook.hook)
