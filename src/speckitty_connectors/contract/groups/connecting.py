"""I: an account is connected, and a person linked, only by proof."""

from __future__ import annotations

import re

from attrs import evolve

from ...providers.accounts import ExternalIdentity
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
from ..mutations import renamed
from ..rules import NotApplicableError, Over, require, rule
from ..scenarios import Scenario
from . import calling
from .base import Rules, with_renamed
from .calling import CallingHook, kept_by

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

REMEMBER = "what has to be known later goes into `remember`"

INSTALL = CallingHook(
    hook=Capability.INSTALL,
    over=Over.INSTALLS,
    answers=ANSWERS,
    proof=Connected,
    first=(Redirect, Authorize, Refused),
    unproven=(Refused, ChooseAccount, AwaitApproval, Redirect, Authorize),
    words={
        "step": "step of connecting",
        "topic": "connecting",
        "memory": REMEMBER,
        "session": "conversation.grant.session",
        "flow": "install_oauth",
    },
)

LINK = CallingHook(
    hook=Capability.LINK_USER,
    over=Over.LINKS,
    answers=ANSWERS,
    proof=Linked,
    first=(Refused, Redirect, Authorize),
    unproven=(Refused, Redirect, Authorize),
    words={
        "step": "step of linking",
        "topic": "linking",
        "memory": REMEMBER,
        "session": "conversation.grant.session",
        "flow": "link_oauth",
    },
)

CODE = re.compile(r"[a-z][a-z0-9_]{1,63}")

STRANGER = "an-account-of-somebody-else"


@kept_by(
    INSTALL,
    {
        "I02": calling.the_expected_answer,
        "I03": calling.the_first_step_asks_nobody,
        "I04": calling.it_leads_to_the_provider,
        "I05": calling.a_url_proves_nothing,
        "I07": calling.failures_prove_nothing,
        "I08": calling.malformed_answers_are_typed,
        "I09": calling.the_same_answer_again,
        "I14": calling.only_through_the_session,
        "I15": calling.poor_grants_are_answered,
    },
)
class InstallRules(Rules):
    """`install`."""

    @rule("I01", needs=INSTALL.hook, waivable=False)
    def test_i01_connecting_is_shown(self) -> None:
        """A plugin that installs is shown with an exchange that ends connected.

        The folder of exchanges is read.
        Why: without it, every other rule about connecting would hold for nothing.
        Fix: record the step after the grant, up to Connected; see 'Recorded exchanges' in the guide.
        """
        ends = [scenario.expect.get("answer") for scenario in self.subject.scenarios(INSTALL.hook)]
        require("connected" in ends, "is shown with no exchange of install that ends connected")

    @rule("I06", needs=INSTALL.hook, over=Over.INSTALLS)
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

    @rule("I10", needs=INSTALL.hook, over=Over.INSTALLS)
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

    @rule("I13", needs=INSTALL.hook, over=Over.INSTALLS)
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
            answer, _ = self.subject.ask(scenario)
            if isinstance(answer, Refused):
                require(CODE.fullmatch(answer.code), f"refused with the code {answer.code!r}")
                helps = answer.reason.strip() and answer.remedy.strip()
                require(helps, f"refused {answer.code} without reason or remedy")


@kept_by(
    LINK,
    {
        "I12": calling.the_expected_answer,
        "I20": calling.the_first_step_asks_nobody,
        "I21": calling.it_leads_to_the_provider,
        "I22": calling.a_url_proves_nothing,
        "I23": calling.failures_prove_nothing,
        "I24": calling.malformed_answers_are_typed,
        "I26": calling.only_through_the_session,
        "I27": calling.poor_grants_are_answered,
    },
)
class LinkRules(Rules):
    """`link_user`."""

    @rule("I11", needs=LINK.hook, waivable=False)
    def test_i11_linking_is_shown(self) -> None:
        """A plugin that links people is shown with an exchange that ends linked.

        The folder of exchanges is read.
        Why: without it, every other rule about linking would hold for nothing.
        Fix: record the step after the grant, up to Linked; see 'Recorded exchanges' in the guide.
        """
        ends = [scenario.expect.get("answer") for scenario in self.subject.scenarios(LINK.hook)]
        require("linked" in ends, "is shown with no exchange of link_user that ends linked")

    @rule("I25", needs=LINK.hook, over=Over.LINKS)
    def test_i25_names_and_addresses_identify_nobody(self, link: Scenario) -> None:
        """A person's id is neither a name nor an e-mail address.

        The id is read, then the person's name is changed wherever it stands in the answers and the grant.
        Why: names and addresses change hands (CVE-2024-32879, CVE-2025-61783).
        Fix: take the provider's immutable user id.
        """
        before = self._identity(link)
        require(before.id.strip() and "@" not in before.id, f"identified a person by {before.id!r}")
        names = {before.name} - {""}
        other_names = with_renamed(link, names)
        after = self._identity(evolve(other_names, given=renamed(dict(link.given), names)))
        require(before.id == after.id, f"changed a person's id from {before.id!r} to {after.id!r} with their name")

    def _identity(self, link: Scenario) -> ExternalIdentity:
        answer, _ = self.subject.ask(link)
        if not isinstance(answer, Linked):
            raise NotApplicableError("this step links nobody")
        return answer.identity
