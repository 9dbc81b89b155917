"""Misbehaviours of `list_resources` and `suggest_mappings`."""

from __future__ import annotations

import itertools
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from attrs import evolve

from speckitty_connectors import (
    ApiForbiddenError,
    ApiUnavailableError,
    Capability,
    Confidence,
    Evidence,
    Resource,
    Suggestion,
    Target,
)
from speckitty_connectors.contract.subject import Samples
from speckitty_connectors.plugin import Listing, ResourcePage, SuggestionRequest, hookimpl

from .switches import Hostile, switch, without


class Suggesting(Hostile):
    """Changes what an honest plugin would suggest."""

    @hookimpl
    def suggest_mappings(self, request: SuggestionRequest) -> Sequence[Suggestion]:
        """Suggest, and misbehave."""
        return self.missuggested(request, list(super().suggest_mappings(request)))

    def missuggested(self, _: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Return the suggestions of the misbehaviour."""
        return honest


@switch("L01")
class ShowsOnePage(Hostile):
    """Is shown with listings of one page only."""

    def shown_with(self, samples: Samples) -> Samples:
        """Leave out the others."""
        return without(samples, Capability.LIST_RESOURCES, lambda one: len(one.expect["pages"]) > 1)


@switch("L02")
class TurnsPagesAround(Hostile):
    """Lists in an order of its own."""

    def page(self, listing: Listing, cursor: str) -> ResourcePage:
        """Turn the page around."""
        page = super().page(listing, cursor)
        return evolve(page, resources=page.resources[::-1])


@switch("L03")
class NeverSaysThatItEnds(Hostile):
    """Leaves a cursor on the last page."""

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List, and point on."""
        for page in super().list_resources(listing):
            yield page if page.cursor else evolve(page, cursor="more")


@switch("L04")
class StartsOver(Hostile):
    """Starts at the beginning wherever it should resume."""

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List from the beginning."""
        return super().list_resources(evolve(listing, cursor=""))


@switch("L05", and_so=("L02",))
class ListsByName(Hostile):
    """Takes the name of a board for its id."""

    def page(self, listing: Listing, cursor: str) -> ResourcePage:
        """Take the names."""
        page = super().page(listing, cursor)
        return evolve(page, resources=tuple(evolve(one, id=one.key) for one in page.resources))


@switch("L06")
class EndsQuietly(Hostile):
    """Ends a listing where the API refuses."""

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List as far as it goes."""
        with suppress(ApiForbiddenError):
            yield from super().list_resources(listing)


@switch("L06")
class CallsAnOutageAPart(Hostile):
    """Takes a provider that is down for a part that refused."""

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List as far as it goes, and name what is left out."""
        try:
            yield from super().list_resources(listing)
        except ApiUnavailableError as error:
            yield ResourcePage(resources=(), skipped=(f"the rest: {error.what}",))


@switch("L07")
class TakesNothingForEmpty(Hostile):
    """Takes an answer that it doesn't understand for an empty one."""

    def page(self, listing: Listing, cursor: str) -> ResourcePage:
        """Read without care where there are no spaces."""
        if "|" in cursor:
            return super().page(listing, cursor)
        parameters = {"limit": str(listing.page_size), **({"after": cursor} if cursor else {})}
        document: Any = listing.session.get("/boards", parameters=parameters).json()
        document = document if isinstance(document, dict) else {}
        boards = document.get("boards", [])
        found = tuple(Resource(kind="board", id=board["id"], key=board["name"]) for board in boards)
        return ResourcePage(resources=found, cursor=document.get("next", ""), total=document.get("total"))


@switch("L08", and_so=("T02",))
class DoesNotWait(Hostile):
    """Meets a session that doesn't understand throttling."""

    core = {"http.session:throttled_seconds": lambda _: lambda *_, **__: None}


@switch("L09")
class AsksAhead(Hostile):
    """Asks for every page before the first one is wanted."""

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List everything at once."""
        yield from list(super().list_resources(listing))


@switch("L10")
class ListsWithoutKeys(Hostile):
    """Lists a board that nobody could pick."""

    def page(self, listing: Listing, cursor: str) -> ResourcePage:
        """Leave out the last key."""
        page = super().page(listing, cursor)
        *others, last = page.resources
        return page if page.cursor else evolve(page, resources=(*others, evolve(last, key=" ")))


@switch("L12")
class CountsMoreThanItGives(Hostile):
    """Counts the boards that it doesn't list, too."""

    def page(self, listing: Listing, cursor: str) -> ResourcePage:
        """Count one more."""
        return evolve(super().page(listing, cursor), total=99)


@switch("L13")
class ForgetsTheCount(Hostile):
    """Leaves out what the API counts."""

    def page(self, listing: Listing, cursor: str) -> ResourcePage:
        """Count nothing."""
        return evolve(super().page(listing, cursor), total=None)


@switch("L14", and_so=("L13",))
class TakesAShortPageForTheLast(Hostile):
    """Ends a listing where a page has fewer boards than it asked for, and counts what it has."""

    def page(self, listing: Listing, cursor: str) -> ResourcePage:
        """Stop at a short page."""
        page = super().page(listing, cursor)
        is_short = len(page.resources) < listing.page_size
        return evolve(page, cursor="", total=None) if is_short else page


@switch("L15")
class EndsWithAPart(Hostile):
    """Ends a listing where one part of it refuses."""

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List up to the first refusal."""
        for page in super().list_resources(listing):
            yield evolve(page, cursor="") if page.skipped else page
            if page.skipped:
                return


@switch("L11")
class LooksUpNames(Hostile):
    """Looks a name up by itself while it lists."""

    def page(self, listing: Listing, cursor: str) -> ResourcePage:
        """Ask by itself, then list."""
        with suppress(OSError):
            socket.getaddrinfo("localhost", 443)
        return super().page(listing, cursor)


@switch("S01")
class SuggestsNothing(Suggesting):
    """Declares suggestions and makes none."""

    def missuggested(self, _: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Suggest nothing."""
        return honest[:0]


@switch("S02")
class ChangesItsMind(Suggesting):
    """Suggests in another order each time."""

    _numbers = itertools.count(1)

    def missuggested(self, _: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Turn every second answer around."""
        return honest[::-1] if next(self._numbers) % 2 else honest


@switch("S03")
class StopsAtTheFirst(Suggesting):
    """Suggests only what it finds first."""

    def missuggested(self, _: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Stop."""
        return honest[:1]


@switch("S04")
class Guesses(Suggesting):
    """Chooses where two projects fit equally well."""

    def missuggested(self, request: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Take the first in the order of their names."""
        tied = [signal for signal in request.signals if signal.repo_slug == request.resources[0].key]
        if honest or len(tied) < 2:
            return honest
        return [_suggestion(request.resources[0], min(signal.project_id for signal in tied))]


@switch("S05")
class SuggestsFromNothing(Suggesting):
    """Suggests something where nothing was seen."""

    def missuggested(self, request: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Take whatever is there."""
        if honest or any(signal.repo_slug for signal in request.signals):
            return honest
        return [_suggestion(request.resources[0], signal.project_id) for signal in request.signals[:1]]


@switch("S06")
class ShowsRemotes(Suggesting):
    """Shows the remote as it was typed."""

    def missuggested(self, request: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Repeat it."""
        remotes = sorted(" ".join(signal.remote_url.split()) for signal in request.signals)
        seen = tuple(Evidence(rule="remote", text=remote) for remote in remotes)
        return [evolve(suggestion, evidence=(*suggestion.evidence, *seen)) for suggestion in honest]


@switch("S07")
class ShowsNoEvidence(Suggesting):
    """Suggests without evidence."""

    def missuggested(self, _: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Leave it out."""
        return [evolve(suggestion, evidence=()) for suggestion in honest]


@switch("S08")
class TakesTextForPatterns(Suggesting):
    """Builds patterns out of what was typed."""

    def missuggested(self, request: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Compile it."""
        for signal in request.signals:
            re.compile(signal.repo_slug)
        return honest


@switch("S09")
class AsksAboutRemotes(Suggesting):
    """Looks the host of a remote up."""

    def missuggested(self, _: SuggestionRequest, honest: list[Suggestion], /) -> Sequence[Suggestion]:
        """Ask."""
        with suppress(OSError):
            socket.getaddrinfo("localhost", 443)
        return honest


def _suggestion(resource: Resource, project: str) -> Suggestion:
    return Suggestion(
        resource_kind=resource.kind,
        resource_id=resource.id,
        target=Target(kind="project", id=project),
        confidence=Confidence.LOW,
        evidence=(Evidence(rule="guess", text="it might be"),),
    )
