"""I: an account is connected only by proof."""

from __future__ import annotations

from attrs import evolve

from ...providers.conversations import Authorize, AwaitApproval, ChooseAccount, Connected, Redirect, Refused
from ...providers.manifest import Capability
from ..rules import NotApplicableError, Over, require, rule
from ..scenarios import Scenario
from .conversing import ConversationRules

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

        Fix: mend the plugin, or the scenario if the provider's page says otherwise.
        """
        self.ends_as_expected(install)

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
        answer, _ = self.ask(chosen)
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
        answer, _ = self.ask(install)
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
            self.refusals_help(self.ask(scenario)[0])

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
