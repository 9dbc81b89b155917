"""Misbehaviours of `install` and `link_user`."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import requests
from attrs import evolve

from speckitty_connectors import (
    Account,
    ApiError,
    ApiForbiddenError,
    ApiResponse,
    Authorize,
    Capability,
    ChooseAccount,
    Connected,
    Conversation,
    ExternalIdentity,
    InstallAnswer,
    LinkAnswer,
    Linked,
    Refused,
    hookimpl,
)

from ..subject import Samples
from .boards import MANIFEST
from .switches import Hostile, switch, without

API = MANIFEST.hosts.urls.api


class Installing(Hostile):
    """Changes what an honest plugin would answer to a step of connecting."""

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Answer, and misbehave."""
        return self.misinstalled(conversation, super().install(conversation))

    def misinstalled(self, _: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Return the answer of the misbehaviour."""
        return honest


class Linking(Hostile):
    """Changes what an honest plugin would answer to a step of linking."""

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Answer, and misbehave."""
        return self.mislinked(conversation, super().link_user(conversation))

    def mislinked(self, _: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Return the answer of the misbehaviour."""
        return honest


@switch("I01")
class ShowsNoConnection(Hostile):
    """Is shown with no exchange that ends connected."""

    def shown_with(self, samples: Samples) -> Samples:
        """Leave them out."""
        return without(samples, Capability.INSTALL, lambda one: one.expect["answer"] == "connected")


@switch("I02")
class NamesAnotherInstallation(Installing):
    """Connects under an id that isn't the provider's."""

    def misinstalled(self, _: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Make up an id."""
        return evolve(honest, installation="made-up") if isinstance(honest, Connected) else honest


@switch("I03")
class AsksAtOnce(Installing):
    """Asks the API before anybody granted anything."""

    def misinstalled(self, conversation: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Ask."""
        if conversation.grant is None and not conversation.parameters:
            requests.get(f"{API}/ping", timeout=1)
        return honest


@switch("I04")
class WritesItsOwnState(Installing):
    """Writes the state of the authorisation itself."""

    def misinstalled(self, _: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Add the parameter."""
        return Authorize(parameters={"state": "mine"}) if isinstance(honest, Authorize) else honest


@switch("I05")
class BelievesTheUrl(Installing):
    """Connects whatever account stands in the URL."""

    def misinstalled(self, conversation: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Believe it."""
        named = conversation.parameters.get("account")
        return Connected(accounts=(Account(id=named),)) if named and conversation.grant is None else honest


@switch("I06", and_so=("I08",))
class BelievesTheChoice(Installing):
    """Connects whatever was chosen."""

    def misinstalled(self, conversation: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Build the accounts from the choice."""
        chosen = tuple(Account(id=one) for one in conversation.choice)
        return Connected(accounts=chosen) if isinstance(honest, Refused) and chosen else honest


@switch("I07")
class ConnectsOnFailure(Hostile):
    """Takes a refusal of the API for a yes."""

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Connect anyway."""
        try:
            return super().install(conversation)
        except ApiForbiddenError:
            return Connected(accounts=(Account(id="a1"),))


class Careless(Hostile):
    """Reads answers without looking at their shape."""

    def who(self, response: ApiResponse) -> ExternalIdentity:
        """Read the person without care."""
        person: Any = response.json()
        return ExternalIdentity(id=person["id"], name=person["name"])


@switch("I08")
class ReadsInstallationsCarelessly(Careless):
    """Raises a KeyError at an answer of another shape."""

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Link with care."""
        try:
            return super().link_user(conversation)
        except (LookupError, TypeError):
            raise ApiError("another shape", subject="hostile", remedy="tell its authors") from None


@switch("I09")
class Counts(Installing):
    """Answers differently each time."""

    _numbers = itertools.count(1)

    def misinstalled(self, _: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Count."""
        if isinstance(honest, Connected) and honest.connected_by:
            return evolve(honest, connected_by=evolve(honest.connected_by, kind=str(next(self._numbers))))
        return honest


@switch("I10")
class OffersTwice(Installing):
    """Offers an account twice."""

    def misinstalled(self, _: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Double them."""
        return evolve(honest, accounts=honest.accounts * 2) if isinstance(honest, ChooseAccount) else honest


@switch("I13")
class RefusesWithoutHelp(Installing):
    """Refuses without saying what to do."""

    def misinstalled(self, _: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Leave out the remedy."""
        return evolve(honest, remedy="") if isinstance(honest, Refused) else honest


def _by_itself() -> ExternalIdentity:
    """Ask for the person around the session."""
    answer = requests.get(f"{API}/user", timeout=1)
    if not answer.ok:
        raise ApiError("no answer", subject="hostile", remedy="try again")
    try:
        person = msgspec.json.decode(answer.content, type=dict[str, str])
        return ExternalIdentity(id=person["id"], name=person["name"])
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError):
        raise ApiError("another shape", subject="hostile", remedy="tell its authors") from None


@switch("I14", and_so=("I02",))
class ConnectsByItself(Hostile):
    """Asks for the person around the session."""

    def who(self, response: ApiResponse) -> ExternalIdentity:
        """Return the person, and look for them again by itself."""
        requests.options(f"{API}/user", timeout=1)
        return super().who(response)

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Link within the session."""
        if conversation.grant is None or conversation.grant.session is None:
            return Authorize()
        return Linked(identity=Hostile.who(self, conversation.grant.session.get("/user")))


@switch("I15")
class NeedsScopes(Installing):
    """Expects scopes in every grant."""

    def misinstalled(self, conversation: Conversation, honest: InstallAnswer, /) -> InstallAnswer:
        """Read the first one without care."""
        first = conversation.grant and conversation.grant.scopes[0]
        return honest if first != "none" else Authorize()


@switch("I27")
class NeedsScopesOfPeople(Linking):
    """Expects scopes in every grant of a person."""

    def mislinked(self, conversation: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Read the first one without care."""
        first = conversation.grant and conversation.grant.scopes[0]
        return honest if first != "none" else Authorize()


@switch("I11")
class ShowsNoLink(Hostile):
    """Is shown with no exchange that ends linked."""

    def shown_with(self, samples: Samples) -> Samples:
        """Leave them out."""
        return without(samples, Capability.LINK_USER, lambda one: one.expect["answer"] == "linked")


@switch("I12")
class RenamesPeople(Linking):
    """Links people under names of its own."""

    def mislinked(self, _: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Make up a name."""
        return Linked(identity=evolve(honest.identity, name="Somebody")) if isinstance(honest, Linked) else honest


@switch("I20")
class AsksBeforeLinking(Linking):
    """Asks the API who it is before anybody granted anything."""

    def mislinked(self, conversation: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Ask."""
        if conversation.grant is None and not conversation.parameters:
            requests.get(f"{API}/ping", timeout=1)
        return honest


@switch("I21")
class WritesItsOwnScope(Linking):
    """Writes the scope of the authorisation itself."""

    def mislinked(self, _: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Add the parameter."""
        return Authorize(parameters={"scope": "everything"}) if isinstance(honest, Authorize) else honest


@switch("I22")
class LinksByUrl(Linking):
    """Links whoever stands in the URL."""

    def mislinked(self, conversation: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Believe it."""
        named = conversation.parameters.get("id")
        return Linked(identity=ExternalIdentity(id=named)) if named and conversation.grant is None else honest


@switch("I23")
class LinksOnFailure(Hostile):
    """Links somebody when the API refuses."""

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Link anyway."""
        try:
            return super().link_user(conversation)
        except ApiForbiddenError:
            return Linked(identity=ExternalIdentity(id="u0"))


@switch("I24")
class ReadsPeopleCarelessly(Careless):
    """Raises a KeyError at a person of another shape."""

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Connect with care."""
        try:
            return super().install(conversation)
        except (LookupError, TypeError):
            raise ApiError("another shape", subject="hostile", remedy="tell its authors") from None


@switch("I25")
class LinksByName(Linking):
    """Takes a person's name for their id."""

    def mislinked(self, _: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Take the name."""
        if isinstance(honest, Linked):
            return Linked(identity=evolve(honest.identity, id=honest.identity.name))
        return honest


@switch("I26")
class LinksByItself(Hostile):
    """Asks who it is around the session."""

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Ask by itself."""
        return Authorize() if conversation.grant is None else Linked(identity=_by_itself())
