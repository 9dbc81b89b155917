"""Misbehaviours of `install`."""

from __future__ import annotations

import itertools
from typing import Any

import requests
from attrs import evolve

from speckitty_connectors import (
    Account,
    ApiError,
    ApiForbiddenError,
    ApiResponse,
    Capability,
    ExternalIdentity,
    Refused,
)
from speckitty_connectors.contract.subject import Samples
from speckitty_connectors.plugin import (
    Authorize,
    ChooseAccount,
    Connected,
    Conversation,
    InstallAnswer,
    LinkAnswer,
    Linked,
    hookimpl,
)

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


@switch("I09", and_so=("T01", "T02"))
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


@switch("I14", and_so=("I02",))
class ConnectsByItself(Hostile):
    """Asks for the person around the session."""

    def who(self, response: ApiResponse) -> ExternalIdentity:
        """Return the person, and look for them again by itself."""
        requests.patch(f"{API}/user", timeout=1)
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
