"""I: a person is linked by an immutable id."""

from __future__ import annotations

from attrs import evolve

from ...providers.accounts import ExternalIdentity
from ...providers.conversations import Authorize, Linked, Redirect, Refused
from ...providers.manifest import Capability
from ..mutations import renamed
from ..rules import NotApplicableError, Over, require, rule
from ..scenarios import Exchange, Scenario
from .conversing import ConversationRules

LINKING = Capability.LINK_USER

UNPROVEN = (Refused, Redirect, Authorize)


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

        Fix: mend the plugin, or the scenario if the provider's page says otherwise.
        """
        self.ends_as_expected(link)

    @rule("I20", needs=LINKING)
    def test_i20_the_first_step_asks_nobody(self) -> None:
        """The first step of linking needs no request.

        It is asked with nothing known, and has to lead somewhere or refuse.

        Why: nobody has granted anything yet, and the person waits.

        Fix: answer Authorize.
        """
        self.first_step_asks_nobody(LINKING, UNPROVEN)

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
        self.failures_prove_nothing(link, UNPROVEN)

    @rule("I24", needs=LINKING, over=Over.LINKS)
    def test_i24_malformed_answers_are_typed(self, link: Scenario) -> None:
        """An answer of another shape is an error that says so, in linking too.

        Each answer of the scenario is replaced by lists, texts, numbers, nothing and HTML.

        Why: a KeyError tells a person nothing, and a default links the wrong one.

        Fix: decode into a typed shape, and raise ApiError where it doesn't fit.
        """
        self.malformed_answers_are_typed(link, UNPROVEN)

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
        answer, _ = self.ask(link)
        if not isinstance(answer, Linked):
            raise NotApplicableError("this step links nobody")
        return answer.identity
