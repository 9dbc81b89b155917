"""I: an account is connected only by proof."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import evolve

from ...providers.accounts import ExternalIdentity
from ...providers.api import ApiError
from ...providers.conversations import (
    Authorize,
    AwaitApproval,
    ChooseAccount,
    Connected,
    Linked,
    Redirect,
    Refused,
)
from ...providers.manifest import Capability
from ...providers.oauth import OAuthRules
from ..isolation import sealed_off
from ..mutations import renamed
from ..rules import NotApplicableError, Over, require, rule
from ..scenario_player import STATE, as_recorded
from ..scenarios import Exchange, Scenario
from .base import MALFORMED, Rules

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


class ConversationRules(Rules):
    """What `install` and `link_user` have in common."""

    def first_step_asks_nobody(self, hook: Capability, allowed: tuple[type, ...]) -> None:
        """Require an answer to the first step that needs no request."""
        with sealed_off() as tried:
            answer, stage = self.subject.ask(_first(hook))
        require(not stage.asked and not tried, f"asked {', '.join([*stage.asked, *tried])} at the first step")
        require(type(answer) in allowed, f"answered the first step with a {type(answer).__name__}")

    def leads_to_the_provider(self, hook: Capability, flow: OAuthRules | None) -> None:
        """Require that a browser is only sent to the provider, with the state, and by a flow that is declared."""
        answer, stage = self.subject.ask(_first(hook))
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
                answer, stage = self.subject.ask(scenario)
                require(type(answer) in ANSWERS, f"answered a landing with a {type(answer).__name__}")
                require(
                    not isinstance(answer, forbidden),
                    f"took the parameters {sorted(parameters)} of a landing for a proof",
                )
                require(not stage.asked, f"asked {', '.join(stage.asked)} without a grant")

    def failures_prove_nothing(self, scenario: Scenario, allowed: tuple[type, ...]) -> None:
        """Require that each request that fails ends in an `ApiError` or an answer that proves nothing."""
        for status, answer in self.failures(scenario, FAILING):
            _proves_nothing(answer, allowed, f"the API answered the status {status}")

    def malformed_answers_are_typed(self, scenario: Scenario, allowed: tuple[type, ...]) -> None:
        """Require that a body of another shape ends in an `ApiError` or an answer that proves nothing."""
        for _, body, answer in self.malformed(scenario):
            _proves_nothing(answer, allowed, f"the API answered the body {body!r}")

    def poor_grants_are_answered(self, scenario: Scenario) -> None:
        """Require a typed answer, or an `ApiError`, where the grant lacks what a token answer may lack."""
        grant = scenario.given.get("grant")
        if grant is None:
            raise NotApplicableError("there is no grant at this step")
        details = grant.get("details", {})
        poorer: list[dict[str, Any]] = [{"scopes": []}, {"details": {}}]
        poorer += [{"details": {**details, name: value}} for name in details for value in MALFORMED[:5]]
        for lacking in poorer:
            poor = evolve(scenario, given={**scenario.given, "grant": {**grant, **lacking}})
            _proves_nothing(self.outcome(poor, as_recorded), tuple(ANSWERS), f"it got the grant {lacking}")

    def refusals_help(self, answer: object) -> None:
        """Require that a refusal says what to do."""
        if isinstance(answer, Refused):
            require(CODE.fullmatch(answer.code), f"refused with the code {answer.code!r}")
            require(
                answer.reason.strip() and answer.remedy.strip(), f"refused {answer.code} without reason or remedy"
            )


def _proves_nothing(answer: object, allowed: tuple[type, ...], when: str) -> None:
    require(isinstance(answer, (ApiError, *allowed)), f"ended with {type(answer).__name__} when {when}")


def _first(hook: Capability) -> Scenario:
    return Scenario(name="first step", hook=hook)


INSTALLING = Capability.INSTALL

STRANGER = "an-account-of-somebody-else"

UNPROVEN = (Refused, ChooseAccount, AwaitApproval, Redirect, Authorize)


class InstallRules(ConversationRules):
    """`install`."""

    @rule("I01", needs=INSTALLING, waivable=False)
    def test_i01_connecting_is_shown(self) -> None:
        """A plugin that installs is shown with an exchange that ends connected.

        The folder of exchanges is read.
        Why: without it, every other rule about connecting would hold for nothing.
        Fix: record the step after the grant, up to Connected; see 'Recorded exchanges' in the guide.
        """
        ends = [scenario.expect.get("answer") for scenario in self.subject.scenarios(INSTALLING)]
        require("connected" in ends, "is shown with no exchange of install that ends connected")

    @rule("I02", needs=INSTALLING, over=Over.INSTALLS)
    def test_i02_the_expected_answer(self, install: Scenario) -> None:
        """A recorded step ends as its author says it ends.

        The scenario is played; the answer has to hold what is expected, and nothing else may be asked.
        Why: an expectation written from the provider's page is the one check that knows the provider.
        Fix: correct the plugin, or the scenario if the provider's page says otherwise.
        """
        self.ends_as_expected(install, ANSWERS)

    @rule("I03", needs=INSTALLING)
    def test_i03_the_first_step_asks_nobody(self) -> None:
        """The first step needs no request.

        It is asked with nothing known, and has to lead somewhere or refuse.
        Why: nobody has granted anything yet, and the person waits.
        Fix: answer Redirect or Authorize.
        """
        self.first_step_asks_nobody(INSTALLING, (Redirect, Authorize, Refused))

    @rule("I04", needs=INSTALLING)
    def test_i04_it_leads_to_the_provider(self) -> None:
        """A browser is sent to the provider only, with the state in the URL.

        Redirects are compared with the app's web address; the state has letters that need quoting. Authorize needs
        a flow in the manifest, and may not write what is core's.
        Why: without its state nobody finds back; to another address, it is a gift to phishers.
        Fix: build the URL from conversation.app.urls.web, and quote(conversation.state, safe="").
        """
        self.leads_to_the_provider(INSTALLING, self.subject.manifest.install_oauth)

    @rule("I05", needs=INSTALLING)
    def test_i05_a_url_proves_nothing(self) -> None:
        """Nothing that stands in a URL connects an account.

        Landings with ids, codes and errors are tried, with and without what was remembered, but without a grant.
        Why: anybody can open the landing with anybody's id.
        Fix: remember the id, answer Authorize, and look for it among what the grant reaches.
        """
        self.a_url_proves_nothing(INSTALLING, Connected)

    @rule("I06", needs=INSTALLING, over=Over.INSTALLS)
    def test_i06_only_what_was_offered_can_be_chosen(self, install: Scenario) -> None:
        """A choice counts only for accounts that the grant reaches.

        The step is repeated with the id of somebody else's account as the choice.
        Why: the choice comes from a browser.
        Fix: filter the grant's accounts by the choice; never build an account from it.
        """
        chosen = evolve(install, given={**install.given, "choice": [STRANGER]})
        answer, _ = self.subject.ask(chosen)
        connected = [account.id for account in answer.accounts] if isinstance(answer, Connected) else []
        require(STRANGER not in connected, "connected an account that the grant doesn't reach")

    @rule("I07", needs=INSTALLING, over=Over.INSTALLS)
    def test_i07_failures_connect_nothing(self, install: Scenario) -> None:
        """A request that fails connects nothing.

        Each request of the scenario is answered with 401, 403, 404 and 503 in turn.
        Why: an account would be connected without the proof that didn't come.
        Fix: let the session's errors pass, or answer Refused.
        """
        self.failures_prove_nothing(install, UNPROVEN)

    @rule("I08", needs=INSTALLING, over=Over.INSTALLS)
    def test_i08_malformed_answers_are_typed(self, install: Scenario) -> None:
        """An answer of another shape is an error that says so.

        Each answer of the scenario is replaced by lists, texts, numbers, nothing and HTML.
        Why: a KeyError tells a person nothing, and a default connects the wrong account.
        Fix: decode into a typed shape, and raise ApiError where it doesn't fit.
        """
        self.malformed_answers_are_typed(install, UNPROVEN)

    @rule("I09", needs=INSTALLING, over=Over.INSTALLS)
    def test_i09_the_same_answer_again(self, install: Scenario) -> None:
        """A step has the same answer whenever it is asked.

        The scenario is played twice.
        Why: each step may run in another process.
        Fix: keep nothing between calls; what has to be known later goes into `remember`.
        """
        self.answers_the_same_again(install)

    @rule("I10", needs=INSTALLING, over=Over.INSTALLS)
    def test_i10_accounts_have_ids(self, install: Scenario) -> None:
        """Connected and offered accounts have ids, each once.

        The accounts of the answer are looked at.
        Why: an account's id is what keeps its mappings over renames and re-installs.
        Fix: take the provider's immutable id as text, and leave doubles out.
        """
        answer, _ = self.subject.ask(install)
        if not isinstance(answer, Connected | ChooseAccount):
            raise NotApplicableError("this step names no account")
        ids = [account.id for account in answer.accounts]
        require(ids, "answered without any account")
        require(all(isinstance(found, str) and found.strip() for found in ids), f"named accounts by {ids}")
        require(len(set(ids)) == len(ids), f"named an account twice: {', '.join(ids)}")

    @rule("I13", needs=INSTALLING, over=Over.INSTALLS)
    def test_i13_refusals_help(self, install: Scenario) -> None:
        """A refusal has a stable code, a reason and a remedy.

        The refusals of all steps are read: the scenario's own, without a grant's details, and after a denial.
        Why: it is all that the person sees.
        Fix: fill all three; the code is one word with underscores.
        """
        bare = {**install.given, "grant": {"details": {}}} if install.given.get("grant") else install.given
        denied = {"parameters": {"error": "access_denied"}}
        for given in (install.given, denied, bare):
            scenario = evolve(install, given=given)
            if given is bare and install.exchanges:
                continue  # what this grant reaches is asked, not told
            self.refusals_help(self.subject.ask(scenario)[0])

    @rule("I14", needs=INSTALLING, over=Over.INSTALLS)
    def test_i14_only_through_the_session(self, install: Scenario) -> None:
        """Everything is asked through the grant's session.

        Requests without the session's credential, other connections and processes are looked for.
        Why: the session is what keeps secrets hidden, waits out throttling and refuses foreign hosts.
        Fix: use conversation.grant.session.
        """
        self.stays_in_the_session(install)

    @rule("I15", needs=INSTALLING, over=Over.INSTALLS)
    def test_i15_poor_grants_are_answered(self, install: Scenario) -> None:
        """A grant that lacks scopes or details ends in an answer.

        The step is repeated without scopes, without details, and with each detail as null, a list, an object, a
        text or a number.
        Why: people take scopes away, and token answers leave fields out or set them to null.
        Fix: read details with a default, and refuse with a remedy where one is missing.
        """
        self.poor_grants_are_answered(install)


LINKING = Capability.LINK_USER

LINK_UNPROVEN = (Refused, Redirect, Authorize)


class LinkRules(ConversationRules):
    """`link_user`."""

    @rule("I11", needs=LINKING, waivable=False)
    def test_i11_linking_is_shown(self) -> None:
        """A plugin that links people is shown with an exchange that ends linked.

        The folder of exchanges is read.
        Why: without it, every other rule about linking would hold for nothing.
        Fix: record the step after the grant, up to Linked; see 'Recorded exchanges' in the guide.
        """
        ends = [scenario.expect.get("answer") for scenario in self.subject.scenarios(LINKING)]
        require("linked" in ends, "is shown with no exchange of link_user that ends linked")

    @rule("I12", needs=LINKING, over=Over.LINKS)
    def test_i12_the_expected_answer(self, link: Scenario) -> None:
        """A recorded step of linking ends as its author says it ends.

        The scenario is played; the answer has to hold what is expected, and nothing else may be asked.
        Why: an expectation written from the provider's page is the one check that knows the provider.
        Fix: correct the plugin, or the scenario if the provider's page says otherwise.
        """
        self.ends_as_expected(link, ANSWERS)

    @rule("I20", needs=LINKING)
    def test_i20_the_first_step_asks_nobody(self) -> None:
        """The first step of linking needs no request.

        It is asked with nothing known, and has to lead somewhere or refuse.
        Why: nobody has granted anything yet, and the person waits.
        Fix: answer Authorize.
        """
        self.first_step_asks_nobody(LINKING, LINK_UNPROVEN)

    @rule("I21", needs=LINKING)
    def test_i21_it_leads_to_the_provider(self) -> None:
        """Linking sends a browser to the provider only, by a flow that the manifest has.

        Redirects are compared with the app's web address; Authorize needs link_oauth, and leaves core's parameters
        alone.
        Why: without its state nobody finds back; to another address, it is a gift to phishers.
        Fix: answer Authorize, and declare link_oauth.
        """
        self.leads_to_the_provider(LINKING, self.subject.manifest.link_oauth)

    @rule("I22", needs=LINKING)
    def test_i22_a_url_proves_nothing(self) -> None:
        """Nothing that stands in a URL links a person.

        Landings with ids, codes and errors are tried, without a grant.
        Why: anybody can open the landing with anybody's id.
        Fix: answer Authorize, and ask who it is with the grant.
        """
        self.a_url_proves_nothing(LINKING, Linked)

    @rule("I23", needs=LINKING, over=Over.LINKS)
    def test_i23_failures_link_nobody(self, link: Scenario) -> None:
        """A request that fails links nobody.

        Each request of the scenario is answered with 401, 403, 404 and 503 in turn.
        Why: a person would be linked without the proof that didn't come.
        Fix: let the session's errors pass, or answer Refused.
        """
        self.failures_prove_nothing(link, LINK_UNPROVEN)

    @rule("I24", needs=LINKING, over=Over.LINKS)
    def test_i24_malformed_answers_are_typed(self, link: Scenario) -> None:
        """An answer of another shape is an error that says so, in linking too.

        Each answer of the scenario is replaced by lists, texts, numbers, nothing and HTML.
        Why: a KeyError tells a person nothing, and a default links the wrong one.
        Fix: decode into a typed shape, and raise ApiError where it doesn't fit.
        """
        self.malformed_answers_are_typed(link, LINK_UNPROVEN)

    @rule("I25", needs=LINKING, over=Over.LINKS)
    def test_i25_names_and_addresses_identify_nobody(self, link: Scenario) -> None:
        """A person's id is neither a name nor an e-mail address.

        The id is read, then the person's name is changed wherever it stands in the answers and the grant.
        Why: names and addresses change hands (CVE-2024-32879, CVE-2025-61783).
        Fix: take the provider's immutable user id.
        """
        before = self._identity(link)
        require(before.id.strip() and "@" not in before.id, f"identified a person by {before.id!r}")
        names = {before.name} - {""}
        exchanges = tuple(
            Exchange(request=each.request, answer=evolve(each.answer, body=renamed(each.answer.body, names)))
            for each in link.exchanges
        )
        after = self._identity(evolve(link, given=renamed(dict(link.given), names), exchanges=exchanges))
        require(before.id == after.id, f"changed a person's id from {before.id!r} to {after.id!r} with their name")

    @rule("I26", needs=LINKING, over=Over.LINKS)
    def test_i26_only_through_the_session(self, link: Scenario) -> None:
        """Everything about a person is asked through the grant's session.

        Requests without the session's credential, other connections and processes are looked for.
        Why: the session is what keeps secrets hidden, waits out throttling and refuses foreign hosts.
        Fix: use conversation.grant.session.
        """
        self.stays_in_the_session(link)

    @rule("I27", needs=LINKING, over=Over.LINKS)
    def test_i27_poor_grants_are_answered(self, link: Scenario) -> None:
        """A person's grant that lacks scopes or details ends in an answer.

        The step is repeated without scopes, without details, and with each detail as null, a list, an object, a
        text or a number.
        Why: people take scopes away, and token answers leave fields out or set them to null.
        Fix: read details with a default, and refuse with a remedy where one is missing.
        """
        self.poor_grants_are_answered(link)

    def _identity(self, link: Scenario) -> ExternalIdentity:
        answer, _ = self.subject.ask(link)
        if not isinstance(answer, Linked):
            raise NotApplicableError("this step links nobody")
        return answer.identity
