"""Misbehaviours of `route_event`."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from datetime import timedelta, timezone

from attrs import asdict, evolve, frozen

from speckitty_connectors import Change, Event, ExternalIdentity, GitFacts, Ignored, Lifecycle, ResourceReference
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.contract.subject import Samples
from speckitty_connectors.plugin import Delivery, Outcome, hookimpl

from .switches import Hostile, switch

KINDS: tuple[str, ...] = ("account", "board", "card", "plan", "ping")


class Routing(Hostile):
    """Changes what an honest plugin would answer."""

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Answer, and misbehave."""
        return self.misrouted(delivery, super().route_event(delivery))

    def misrouted(self, delivery: Delivery, honest: Outcome, /) -> Outcome:
        """Return the answer of the misbehaviour."""
        if isinstance(honest, Event):
            return self.misread(delivery, honest)
        return honest

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Return the answer where an honest plugin sees an event."""
        return honest


@switch("E01")
class ShowsNoDelivery(Hostile):
    """Is shown with no delivery at all."""

    def shown_with(self, samples: Samples) -> Samples:
        """Leave out every delivery."""
        return evolve(samples, deliveries=())


@switch("E02")
class AnswersAnotherKind(Routing):
    """Spells kinds in its own way."""

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Answer in capitals."""
        return evolve(honest, kind=honest.kind.upper())


@frozen(kw_only=True)
class _OwnEvent(Event):
    mood: str = "cheerful"


@switch("E03", and_so=("E02", "E08", "E13"))
class AnswersATypeOfItsOwn(Routing):
    """Answers a type that core doesn't know, where everything is as recorded."""

    def misread(self, delivery: Delivery, honest: Event, /) -> Outcome:
        """Answer an event of its own type."""
        if delivery.kind != "card" or not delivery.headers or honest.action != "moved":
            return honest
        return _OwnEvent(**asdict(honest, recurse=False)) if _is_recorded(delivery) else honest


@switch("E04")
class RaisesAtAList(Routing):
    """Expects an object where a list may stand."""

    def misrouted(self, delivery: Delivery, honest: Outcome, /) -> Outcome:
        """Look into the body without care."""
        with suppress(ValueError, RecursionError):
            document = json.loads(delivery.content)
            if isinstance(document, dict) and isinstance(document.get("actor"), list):
                raise KeyError("actor")
        return honest


@switch("E05")
class RaisesAtUnknownKinds(Routing):
    """Has a table of kinds without an end."""

    def misrouted(self, delivery: Delivery, honest: Outcome, /) -> Outcome:
        """Look the kind up without care."""
        return dict.fromkeys(KINDS, honest)[delivery.kind]


@switch("E06")
class ReadsTheClock(Routing):
    """Tells when a delivery came instead of what it says."""

    def misread(self, delivery: Delivery, honest: Event, /) -> Outcome:
        """Put the time of arrival into the answer."""
        return evolve(honest, subject=delivery.received_at.isoformat())


@switch("E07")
class NeedsAHeader(Routing):
    """Needs a header that may be missing."""

    def misrouted(self, delivery: Delivery, honest: Outcome, /) -> Outcome:
        """Read a header without a default."""
        return honest if delivery.headers["x-hostile-event"] else Ignored(reason="no kind")


@switch("E08", and_so=("E14",))
class AnswersWhatCannotBeWritten(Routing):
    """Answers with letters that no database takes."""

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Put a lone surrogate into the subject."""
        return evolve(honest, subject="\ud800")


@switch("E09")
class IgnoresWithoutAWord(Routing):
    """Ignores without saying why."""

    def misrouted(self, _: Delivery, honest: Outcome, /) -> Outcome:
        """Leave out the reason."""
        return Ignored(reason="") if isinstance(honest, Ignored) else honest


@switch("E10")
class AsksANameServer(Routing):
    """Looks a name up while it routes."""

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Ask."""
        with suppress(OSError):
            socket.getaddrinfo("localhost", 443)
        return honest


@switch("E13")
class WantsEveryLetter(Routing):
    """Refuses a document for the sake of a letter in it."""

    def misrouted(self, delivery: Delivery, honest: Outcome, /) -> Outcome:
        """Look for what was cut."""
        return Ignored(reason="the document is damaged") if b"ufffd" in delivery.content else honest


@switch("E14")
class WantsNamesInFull(Routing):
    """Stumbles over a name that was cut."""

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Write the name in letters of its own."""
        if honest.actor is not None and honest.actor.name.endswith("\ufffd"):
            raise ValueError(honest.actor.name)
        return honest


class _HandsOver(Routing):
    """Hands over what an honest plugin keeps to itself."""

    member = b""

    def misrouted(self, delivery: Delivery, honest: Outcome, /) -> Outcome:
        """Look at anything but that member."""
        is_meant = isinstance(honest, Ignored) and self.member in delivery.content
        return FakeProvider().route_event(delivery) if is_meant else honest


@switch("E15", and_so=("E02",))
class AnswersItself(_HandsOver):
    """Hands over what it did itself."""

    member = b'"by_app": true'


@switch("E16", and_so=("E02",))
class TellsSecrets(_HandsOver):
    """Hands over what people say to each other."""

    member = b'"whispered": true'


@switch("E17")
class TakesAStateForAChange(Routing):
    """Tells changes apart by where things are, whenever they came there."""

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Leave the time out of it."""
        return evolve(honest, fingerprint=f"{honest.subject} {honest.action}")


@switch("E20")
class NamesNobody(Routing):
    """Names an actor without an id."""

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Leave the id empty."""
        return evolve(honest, actor=ExternalIdentity(id="", name="mona"))


@switch("E21")
class IdentifiesByName(Routing):
    """Takes a person's name for their id."""

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Take the name."""
        return evolve(honest, actor=honest.actor and evolve(honest.actor, id=honest.actor.name))


@switch("E22")
class InventsAKind(Routing):
    """Names a kind of resource that isn't declared."""

    def misrouted(self, _: Delivery, honest: Outcome, /) -> Outcome:
        """Add a resource."""
        if isinstance(honest, Lifecycle) and honest.change is Change.ACCOUNT_DELETED:
            return evolve(honest, resources=(ResourceReference(kind="galaxy", id="g1"),))
        return honest


@switch("E23")
class TellsLocalTime(Routing):
    """Gives times in a zone of its own."""

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Leave UTC."""
        local = timezone(timedelta(hours=2))
        return evolve(honest, occurred_at=honest.occurred_at and honest.occurred_at.astimezone(local))


@switch("E24")
class NamesTheCommitOfNothing(Routing):
    """Names the all-zero commit."""

    def misread(self, _: Delivery, honest: Event, /) -> Outcome:
        """Add the commit that stands for none."""
        return evolve(honest, git=evolve(honest.git or GitFacts(), commits=("0" * 40,)))


@switch("E25", and_so=("E02",))
class ForgetsWhatChanged(Routing):
    """Says that an account is gone, but not which."""

    def misrouted(self, _: Delivery, honest: Outcome, /) -> Outcome:
        """Leave out the account."""
        if isinstance(honest, Lifecycle) and honest.change is Change.ACCOUNT_DELETED:
            return evolve(honest, account=None)
        return honest


def _is_recorded(delivery: Delivery) -> bool:
    return b'"id": "u1"' in delivery.content and delivery.content.startswith(b"{\n")
