"""L: a listing is whole or an error, and can be resumed."""

from __future__ import annotations

from functools import partial

from attrs import evolve

from ...providers.api import (
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiUnauthorizedError,
    ApiUnavailableError,
)
from ...providers.manifest import Capability
from ...providers.resources import Resource, ResourcePage
from ..alterations import inside, led_to, promising, without
from ..rules import NotApplicableError, Over, require, rule
from ..scenario_player import Interference, failing, once, playing, throughout
from ..scenarios import GivenAnswer, Scenario
from . import calling
from .base import Rules, with_renamed
from .calling import CallingHook, kept_by

LIST = CallingHook(
    hook=Capability.LIST_RESOURCES,
    over=Over.LISTINGS,
    answers={},
    words={"topic": "a listing", "session": "listing.session"},
)

TYPED = {401: ApiUnauthorizedError, 403: ApiForbiddenError, 404: ApiNotFoundError, 503: ApiUnavailableError}
"""The error that core's session makes of a status."""

WAIT_SECONDS = 7.0


PART_REFUSED = frozenset({403, 404})
"""The statuses with which a part of an account may refuse, while the rest of it is listed."""


@kept_by(LIST, {"L11": calling.only_through_the_session})
class ListingRules(Rules):
    """`list_resources`."""

    @rule("L01", needs=LIST.hook, waivable=False)
    def test_l01_pages_are_shown(self) -> None:
        """A plugin that lists is shown with a listing of at least two pages.

        The folder of exchanges is read.
        Why: without it, every other rule about listings would hold for nothing.
        Fix: record a listing with a small page_size, so that it takes two pages; see 'Recorded exchanges'.
        """
        pages = [scenario.expect.get("pages") or () for scenario in self.subject.scenarios(LIST.hook)]
        require(any(len(ids) >= 2 for ids in pages), "is shown with no listing of two pages")

    @rule("L02", needs=LIST.hook, over=Over.LISTINGS)
    def test_l02_the_expected_pages(self, listing: Scenario) -> None:
        """A recorded listing has the pages that its author says it has.

        The ids of each page are compared, or the code of the error that is expected.
        Why: an expectation written from the provider's page is the one check that knows the provider.
        Fix: correct the plugin, or the scenario if the provider's page says otherwise.
        """
        expected = listing.expect
        expects = "pages" in expected or "error" in expected
        require(expects, "is shown with a listing that expects neither pages nor an error")
        try:
            pages, _ = self.subject.ask(listing)
        except ApiError as error:
            require(error.code == expected.get("error"), f"ended the listing with {error.code}")
            return
        require("error" not in expected, f"listed where {expected.get('error')} is expected")
        found = [[resource.id for resource in page.resources] for page in pages]
        require(found == expected["pages"], f"listed {found}, not {expected['pages']}")

    @rule("L03", needs=LIST.hook, over=Over.LISTINGS)
    def test_l03_it_ends(self, listing: Scenario) -> None:
        """A listing ends, and its last page has no cursor.

        All pages are taken, each of the right type.
        Why: a cursor on the last page has core ask for ever.
        Fix: yield ResourcePage, the last one with an empty cursor.
        """
        pages, _ = self.subject.ask(self.successful(listing))
        odd = [type(page).__name__ for page in pages if not isinstance(page, ResourcePage)]
        require(pages and not odd, f"yielded {', '.join(odd) or 'no page at all'}")
        require(not pages[-1].cursor, "left a cursor on the last page")
        require(all(page.cursor for page in pages[:-1]), "left a page before the last one without a cursor")

    @rule("L04", needs=LIST.hook, over=Over.LISTINGS)
    def test_l04_it_resumes(self, listing: Scenario) -> None:
        """A listing resumes after any page.

        It is begun anew at the cursor of each page, and has to yield exactly the pages after it.
        Why: a listing that was interrupted goes on where it was, also in another process.
        Fix: start from listing.cursor where it isn't empty, and put all that is needed into it.
        """
        pages, _ = self.subject.ask(self.successful(listing))
        for number, page in enumerate(pages[:-1], 1):
            rest, _ = self.subject.ask(evolve(listing, given={**listing.given, "cursor": page.cursor}))
            require(rest == pages[number:], f"yielded other pages when resumed after page {number}")

    @rule("L05", needs=LIST.hook, over=Over.LISTINGS)
    def test_l05_a_rename_changes_no_id(self, listing: Scenario) -> None:
        """A rename changes a key, never an id.

        Every key is changed wherever it stands in the answers, and the listing taken again.
        Why: mappings hang on ids; one that follows a name goes to the one that takes the name next.
        Fix: take the id from the provider's immutable id, and the key from the name.
        """
        before = self._resources(self.successful(listing))
        names = {name for resource in before for name in (resource.key, resource.key.rpartition("/")[2])} - {""}
        after = self._resources(with_renamed(listing, names))
        ids = [[resource.id for resource in resources] for resources in (before, after)]
        require(ids[0] == ids[1], f"changed ids from {ids[0]} to {ids[1]} when names changed")

    @rule("L06", needs=LIST.hook, over=Over.LISTINGS)
    def test_l06_failures_are_errors(self, listing: Scenario) -> None:
        """A request that fails ends the listing with its own error.

        Each request is answered with 401, 403, 404 and 503 in turn; the session's error has to come through. A part
        of the account that answers 403 or 404 may be named in the `skipped` of a page instead.
        Why: a listing that ends quietly looks like an account in which everything was deleted.
        Fix: let the session's errors pass, or name what is left out.
        """
        for status, outcome in self.failures(self.successful(listing), TYPED):
            ended = "the listing quietly" if isinstance(outcome, list) else f"with {type(outcome).__name__}"
            is_noted = (
                isinstance(outcome, list) and status in PART_REFUSED and any(page.skipped for page in outcome)
            )
            require(is_noted or isinstance(outcome, TYPED[status]), f"ended {ended} when the API answered {status}")

    @rule("L07", needs=LIST.hook, over=Over.LISTINGS)
    def test_l07_malformed_answers_are_typed(self, listing: Scenario) -> None:
        """An answer of another shape is an error that says so.

        Each answer is replaced by lists, texts, numbers, nothing and HTML.
        Why: a default looks like an account in which everything was deleted.
        Fix: decode into a typed shape, and raise ApiError where it doesn't fit.
        """
        for index, body, outcome in self.malformed(self.successful(listing)):
            if isinstance(outcome, list):
                documented = body == [] and isinstance(listing.exchanges[index].answer.body, list)
                require(documented, f"listed as if nothing was there at the body {body!r}")
            else:
                require(isinstance(outcome, ApiError), f"raised {type(outcome).__name__} at the body {body!r}")

    @rule("L08", needs=LIST.hook, over=Over.LISTINGS)
    def test_l08_throttling_is_waited_out(self, listing: Scenario) -> None:
        """A listing that is throttled waits as long as it was asked to, and is whole.

        Each request is throttled once, in the manifest's dialect.
        Why: large accounts are always throttled.
        Fix: send every request through the session, which waits; declare the dialect of the provider.
        """
        expected, _ = self.subject.ask(self.successful(listing))
        for index in range(len(listing.exchanges)):
            pages, stage = self.subject.ask(listing, self._throttled(at=index))
            require(pages == expected, "listed other pages when it was throttled")
            waited = stage.slept == [WAIT_SECONDS]
            require(waited, f"waited {stage.slept} seconds when asked to wait {WAIT_SECONDS}")

    @rule("L09", needs=LIST.hook, over=Over.LISTINGS)
    def test_l09_no_request_more_than_needed(self, listing: Scenario) -> None:
        """A listing asks for each page once, and only when it is wanted.

        The requests are compared with the recorded ones, and counted while the first page is taken.
        Why: every request counts against the customer's limit.
        Fix: yield each page before asking for the next one, and ask for nothing twice.
        """
        pages, stage = self.subject.ask(self.successful(listing))
        require(not stage.unexpected, f"asked what isn't recorded, or twice: {', '.join(stage.unexpected)}")
        sent, recorded = len(stage.asked), len(listing.exchanges)
        require(sent == recorded, f"sent {sent} of {recorded} recorded requests")
        if len(pages) < 2:
            return
        with playing(self.subject.manifest, listing) as begun:
            next(iter(self.subject.provider.list_resources(begun.listing)))
        is_lazy = len(begun.asked) < sent or not sent
        require(is_lazy, "asked for every page before the first was wanted")

    @rule("L10", needs=LIST.hook, over=Over.LISTINGS)
    def test_l10_resources_are_well_formed(self, listing: Scenario) -> None:
        """Each resource is of a declared kind, has an id and a key, and is listed once.

        The resources of all pages are looked at.
        Why: a resource is (kind, id), and a person picks it by its key.
        Fix: declare the kind, take the id as text, and leave doubles out.
        """
        resources = self._resources(self.successful(listing))
        declared = {kind.name for kind in self.subject.manifest.resource_kinds}
        for resource in resources:
            require(resource.kind in declared, f"listed the undeclared kind {resource.kind!r}")
            is_text = isinstance(resource.id, str) and resource.id.strip()
            require(is_text, f"listed a {resource.kind} with the id {resource.id!r}")
            require(resource.key.strip(), f"listed the {resource.kind} {resource.id} without a key")
        identities = [(resource.kind, resource.id) for resource in resources]
        require(len(set(identities)) == len(identities), "listed a resource twice")

    @rule("L12", needs=LIST.hook, over=Over.LISTINGS)
    def test_l12_no_more_is_counted_than_given(self, listing: Scenario) -> None:
        """A listing gives all that it counts.

        The total of the last page is compared with the resources of all pages, where a page has one.
        Why: core takes a listing that gave less than its total for cut, and believes nothing is missing.
        Fix: take the total from the provider's count of this very list, or leave it out.
        """
        pages, _ = self.subject.ask(self.successful(listing))
        given = sum(len(page.resources) for page in pages)
        counted = (pages[-1].total or 0) if pages and not pages[-1].cursor else 0
        require(counted <= given, f"counted {counted} resources, and gave {given}")

    @rule("L13", needs=LIST.hook, over=Over.LISTINGS)
    def test_l13_a_promise_is_kept(self, listing: Scenario) -> None:
        """A listing that promises more than it gives isn't whole.

        The counts in answers (members and headers such as ``total_count``, ``X-Total``) are raised, and their flags
        (such as ``has_more``, ``isLast``) say that more follows, with and without a cursor to it. The listing has
        to end with an error, or its last page with a `total` that wasn't given.
        Why: proxies and replicas cut answers; what isn't on a cut listing looks deleted.
        Fix: take `total` from the provider's count; raise ApiError where more is promised and nothing leads to it.
        """
        answers = [exchange.answer for exchange in self.successful(listing).exchanges]
        if all(promising(answer) == answer for answer in answers):
            raise NotApplicableError("the answers count nothing, and flag nothing that follows")
        for leads_on in (True, False):
            outcome = self.outcome(listing, throughout(partial(promising, leads_on=leads_on)))
            require(not _seems_whole(outcome), "listed as if everything was there when more was promised")

    @rule("L14", needs=LIST.hook, over=Over.LISTINGS)
    def test_l14_drift_hides_nothing(self, listing: Scenario) -> None:
        """An entry that is removed while a listing runs hides no other one.

        The first and the last resource of each page are left out of its answer in turn. Every other resource has to
        be listed, except those in the one that is gone; or the listing says that it isn't whole.
        Why: things are deleted while large accounts are listed, and what is behind them is alive.
        Fix: page by the provider's cursor or links; a page with less than was asked for isn't the last one.
        """
        pages = self.subject.ask(self.successful(listing))[0]
        resources = [resource for page in pages for resource in page.resources]
        ids = {resource.id for resource in resources}
        for gone in {edge.id for page in pages for edge in (*page.resources[:1], *page.resources[-1:])}:
            outcome = self.outcome(listing, throughout(partial(without, gone)))
            if isinstance(outcome, list) and _seems_whole(outcome):
                found = {resource.id for page in outcome for resource in page.resources}
                hidden = sorted(ids - inside(gone, resources) - found)
                require(not hidden, f"hid {', '.join(hidden)} when {gone} was removed meanwhile")

    @rule("L15", needs=LIST.hook, over=Over.LISTINGS)
    def test_l15_a_refused_part_ends_nothing(self, listing: Scenario) -> None:
        """Where one part of an account refuses to be listed, the rest of it is listed.

        Each request is answered with 403 and 404 in turn. Where the part is named in `skipped`, every request that
        the refused answer wouldn't have led to has to be sent.
        Why: one forbidden workspace would hide all that come after it, in every listing.
        Fix: go on with the next part.
        """
        parts = 0
        for index in range(len(self.successful(listing).exchanges)):
            for status in sorted(PART_REFUSED):
                outcome, played = self.attempt(listing, failing(status, at=index))
                if isinstance(outcome, list) and any(page.skipped for page in outcome):
                    parts += 1
                    left = {place for place in played.unasked if place > index} - led_to(listing, index)
                    require(not left, f"left {len(left)} requests out after request {index + 1} was refused")
        if not parts:
            raise NotApplicableError("it has no parts that may refuse")

    def _resources(self, listing: Scenario) -> list[Resource]:
        return [resource for page in self.subject.ask(listing)[0] for resource in page.resources]

    def _throttled(self, *, at: int) -> Interference:
        dialect = self.subject.manifest.rate_limits
        status = min(dialect.statuses | dialect.conditional_statuses, default=400)
        body = {"error": dialect.error_code, "code": dialect.error_code}
        asks_to_wait = {dialect.retry_after: f"{WAIT_SECONDS:.0f}"}
        return once(GivenAnswer(status=status, headers=asks_to_wait, body=body), at=at)


def _seems_whole(outcome: object) -> bool:
    """Return whether core would take what isn't listed for missing."""
    if not isinstance(outcome, list):
        return False
    given = sum(len(page.resources) for page in outcome)
    return not (outcome and (outcome[-1].total or 0) > given) and not any(page.skipped for page in outcome)
