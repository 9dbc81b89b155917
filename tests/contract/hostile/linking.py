"""Misbehaviours of `link_user`."""

from __future__ import annotations

import msgspec
import requests
from attrs import evolve

from speckitty_connectors import ApiError, ApiForbiddenError, Capability, ExternalIdentity
from speckitty_connectors.contract.subject import Samples
from speckitty_connectors.plugin import Authorize, Conversation, InstallAnswer, LinkAnswer, Linked, hookimpl

from .boards import MANIFEST
from .installing import Careless
from .switches import Hostile, switch, without

API = MANIFEST.hosts.urls.api


class Linking(Hostile):
    """Changes what an honest plugin would answer to a step of linking."""

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Answer, and misbehave."""
        return self.mislinked(conversation, super().link_user(conversation))

    def mislinked(self, _: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Return the answer of the misbehaviour."""
        return honest


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


@switch("I27")
class NeedsScopesOfPeople(Linking):
    """Expects scopes in every grant of a person."""

    def mislinked(self, conversation: Conversation, honest: LinkAnswer, /) -> LinkAnswer:
        """Read the first one without care."""
        first = conversation.grant and conversation.grant.scopes[0]
        return honest if first != "none" else Authorize()


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


@switch("I26", and_so=("T01", "T02"))
class LinksByItself(Hostile):
    """Asks who it is around the session."""

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Ask by itself."""
        return Authorize() if conversation.grant is None else Linked(identity=_by_itself())
