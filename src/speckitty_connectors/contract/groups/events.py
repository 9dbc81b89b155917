"""E: every delivery has exactly one outcome, whatever is in it."""

from __future__ import annotations

import json
from datetime import timedelta

from attrs import evolve

from ...inbox.request import readable
from ...providers.codec import NAMES, outcome_from, to_document
from ...providers.deliveries import Event, Ignored, Lifecycle, Outcome
from ...providers.manifest import Capability
from ..isolation import sealed_off
from ..mutations import mutated, with_odd_texts
from ..receiver import NOW
from ..recordings import Recording
from ..rules import NotApplicableError, Over, RuleBrokenError, require, rule
from ..scenario_player import difference
from .base import Rules

ROUTING = Capability.ROUTE_EVENT

FEWEST = 2
"""How many deliveries a plugin is shown with at least."""

LONGEST_REASON = 300

UNREADABLE_MEMBERS = rb'{"-cut": "caf\ud83d", "-nul": "\u0000", "-vast": 1e999, "-latin": "' + b'caf\xe9",'
"""Members that no provider has, and no decoder takes, at the beginning of a document."""


class EventRules(Rules):
    """`route_event`."""

    @rule("E01", needs=ROUTING, waivable=False)
    def test_e01_deliveries_are_recorded(self) -> None:
        """A plugin that routes is shown with recorded deliveries, one of them an event with a resource.

        The folder of deliveries is read with its index.
        Why: without deliveries, every other rule about them would hold for nothing.
        Fix: record at least two deliveries, one an event about a resource; see 'Recorded deliveries' in the guide.
        """
        deliveries = self.subject.samples.deliveries
        count = len(deliveries)
        require(count >= FEWEST, f"is shown with {count} recorded deliveries; {FEWEST} are the fewest")
        expected = [recording.expect for recording in deliveries]
        shown = any(expect.get("outcome") == "event" and expect.get("resources") for expect in expected)
        require(shown, "is shown with no event that names a resource")

    @rule("E02", needs=ROUTING, over=Over.DELIVERIES)
    def test_e02_the_expected_outcome(self, delivery: Recording) -> None:
        """A recorded delivery means what its author says it means.

        The outcome, as a document, has to hold what the index expects; the index names at least the outcome.
        Why: an expectation written from the provider's page is the one check that knows the provider.
        Fix: correct the plugin, or the expectation if the provider's page says otherwise.
        """
        expected = delivery.expect.get("outcome")
        require(expected in NAMES.values(), "is shown with a delivery whose index expects no outcome")
        differing = difference(to_document(self.subject.route(delivery)), delivery.expect)
        require(not differing, f"answered with {differing}")

    @rule("E03", needs=ROUTING, over=Over.DELIVERIES)
    def test_e03_one_typed_outcome(self, delivery: Recording) -> None:
        """Every delivery has exactly one of the four outcomes.

        The type of the answer is looked at.
        Why: core writes down what was answered, and knows these four.
        Fix: return an Event, Lifecycle, Handshake or Ignored; never None, a list or a subclass.
        """
        _require_outcome(self.subject.route(delivery))

    @rule("E04", needs=ROUTING, over=Over.DELIVERIES)
    def test_e04_no_body_raises(self, delivery: Recording) -> None:
        """No body makes routing raise.

        The delivery is cut short and made unreadable; each of its values is left out, and replaced by null,
        numbers, texts, lists and objects.
        Why: a body that raises is tried again and again, and then parked for a person.
        Fix: decode leniently, and answer Ignored with a reason where something is not as expected.
        """
        given = self.subject.delivery(delivery)
        for content in mutated(given.content):
            changed = evolve(given, content=content)
            try:
                outcome = self.subject.provider.route_event(changed)
            except Exception as error:  # noqa: BLE001 - that nothing is raised is the rule
                raise RuleBrokenError(f"raised {type(error).__name__} at {content[:80]!r}") from None
            _require_outcome(outcome, f" to {content[:80]!r}")

    @rule("E05", needs=ROUTING, over=Over.DELIVERIES)
    def test_e05_unknown_kinds_are_data(self, delivery: Recording) -> None:
        """A kind or an action that the plugin doesn't know is data.

        The delivery is routed under a kind that no provider has, under none, and with an unknown action.
        Why: providers add kinds without asking.
        Fix: end every look-up with an Event where a resource can be read, else Ignored.
        """
        given = self.subject.delivery(delivery)
        for kind in ("no.such_kind", "", "x" * 255):
            outcome = self.subject.provider.route_event(evolve(given, kind=kind))
            _require_outcome(outcome, f" to the kind {kind[:20]!r}")

    @rule("E06", needs=ROUTING, over=Over.DELIVERIES)
    def test_e06_the_same_outcome_again(self, delivery: Recording) -> None:
        """The same delivery means the same whenever it is routed.

        It is routed twice, and once more as if it had come an hour later.
        Why: a delivery is routed again after a crash, and replayed to explain what happened.
        Fix: keep nothing between calls, and read no clock.
        """
        first = self.subject.route(delivery)
        again = self.subject.route(delivery)
        later = self.subject.route(delivery, received_at=NOW + timedelta(hours=1))
        require(first == again, "answered differently when asked again")
        require(first == later, "answered differently an hour later")

    @rule("E07", needs=ROUTING, over=Over.DELIVERIES)
    def test_e07_kept_headers_may_be_missing(self, delivery: Recording) -> None:
        """Routing needs no header to be there.

        The delivery is routed without any of its kept headers.
        Why: proxies drop headers, and replays from an export have none.
        Fix: read headers with a default.
        """
        _require_outcome(self.subject.route(delivery, headers={}), " without headers")

    @rule("E08", needs=ROUTING, over=Over.DELIVERIES)
    def test_e08_it_can_be_stored(self, delivery: Recording) -> None:
        """What was answered can be written down and read again.

        The outcome goes through core's own JSON and back.
        Why: decisions are made on what was stored.
        Fix: put text, tuples and aware times into the fields, as their types say.
        """
        outcome = self.subject.route(delivery)
        try:
            stored = json.dumps(to_document(outcome), ensure_ascii=False)
            stored.encode()
            again = outcome_from(json.loads(stored))
        except (TypeError, ValueError) as error:
            raise RuleBrokenError(f"answered with what can't be stored ({type(error).__name__})") from None
        require(again == outcome, "answered with what reads differently once it was stored")

    @rule("E09", needs=ROUTING, over=Over.DELIVERIES)
    def test_e09_reasons_for_people(self, delivery: Recording) -> None:
        """Whatever is ignored has a reason of one short line.

        The reasons for the delivery and for unreadable bodies are read.
        Why: a person who misses an event reads it.
        Fix: say what is missing in a few words, and repeat nothing of the body.
        """
        given = self.subject.delivery(delivery)
        marker = b'{"nobody-may-repeat-this": 1}'
        for content in (given.content, b"", b"[]", marker):
            outcome = self.subject.provider.route_event(evolve(given, content=content))
            if isinstance(outcome, Ignored):
                reason = outcome.reason
                require(reason.strip(), "ignored a delivery without a reason")
                is_short = "\n" not in reason and len(reason) <= LONGEST_REASON
                require(is_short, f"gave a reason of {len(reason)} letters")
                require("nobody-may-repeat" not in reason, "repeated the body in a reason")

    @rule("E10", needs=ROUTING, over=Over.DELIVERIES)
    def test_e10_routing_is_offline(self, delivery: Recording) -> None:
        """Routing asks nobody.

        Connections, name look-ups and processes are watched while the delivery is routed.
        Why: thousands of deliveries a minute are routed, in a transaction.
        Fix: read everything from the delivery; what isn't in it is core's to find out.
        """
        with sealed_off() as asked:
            self.subject.route(delivery)
        require(not asked, f"asked {', '.join(asked)} while routing")

    @rule("E11", needs=ROUTING, over=Over.DELIVERIES)
    def test_e11_unrouted_kinds_are_nothing(self, delivery: Recording) -> None:
        """A kind that the manifest leaves unrouted is never an event.

        The kinds of recorded events and changes are looked up in the manifest.
        Why: core drops these kinds before the plugin sees them.
        Fix: take the kind out of unrouted_kinds.
        """
        given = self.subject.delivery(delivery)
        if given.kind and given.kind in self.subject.manifest.webhooks.unrouted_kinds:
            outcome = self.subject.provider.route_event(given)
            means_nothing = not isinstance(outcome, Event | Lifecycle)
            require(means_nothing, f"leaves {given.kind} unrouted, and makes {_kind(outcome)} of it")

    @rule("E12", needs=ROUTING)
    def test_e12_the_delivery_id_is_there(self) -> None:
        """The declared field with the delivery id is in the deliveries.

        Where the manifest names a field of the document, one recorded document at least has a text in it; some
        envelopes of a provider may have none, and core tells those apart by their content. A header is core's to
        look at.
        Why: without its id a delivery that comes again isn't recognised.
        Fix: name the right field, or none where the provider gives no id.
        """
        name = self.subject.manifest.webhooks.delivery_id_field
        contents = [self.subject.delivery(recording).content for recording in self.subject.samples.deliveries]
        found = [json.loads(content).get(name) for content in contents if content]
        known = any(isinstance(each, str) and each for each in found)
        require(not name or not found or known, f"names the field {name!r} for ids, which no recorded delivery has")

    @rule("E13", needs=ROUTING, over=Over.DELIVERIES)
    def test_e13_bytes_that_cannot_be_text(self, delivery: Recording) -> None:
        """What can't be text or a number in a member that nobody reads changes nothing.

        The delivery is given further members: with half of a surrogate pair, NUL, a number beyond all bounds and
        bytes that aren't UTF-8. Core makes them U+FFFD and null before the plugin reads the document.
        Why: providers cut texts in the middle of a character; a plugin that refuses the document loses an event.
        Fix: decode what `Delivery.content` has, and nothing but the members that mean something.
        """
        given = self.subject.delivery(delivery)
        if not given.content.startswith(b"{"):
            raise NotApplicableError("the delivery holds no JSON document")
        odd = evolve(given, content=readable(UNREADABLE_MEMBERS + given.content.removeprefix(b"{")))
        outcomes = [self.subject.provider.route_event(each) for each in (odd, given)]
        require(outcomes[0] == outcomes[1], "answered differently for the sake of a member that nobody reads")

    @rule("E14", needs=ROUTING, over=Over.DELIVERIES)
    def test_e14_odd_texts_are_text(self, delivery: Recording) -> None:
        """A text that was cut in the middle of a character is a text like any other, in whatever field.

        Each text of the delivery ends in U+FFFD in turn, as core makes of what can't be text. There has to be an
        outcome, which can be written down.
        Why: people write emojis everywhere, and providers cut them; an event is lost for the sake of a letter.
        Fix: read texts as they are, compare them whole, and answer Ignored where one means nothing.
        """
        given = self.subject.delivery(delivery)
        if not given.content.startswith(b"{"):
            raise NotApplicableError("the delivery holds no JSON document")
        for content in with_odd_texts(given.content):
            outcome = self.subject.provider.route_event(evolve(given, content=content))
            _require_outcome(outcome, " to a text that was cut")
            json.dumps(to_document(outcome), ensure_ascii=False).encode()

    @rule("E15", needs=ROUTING, over=Over.DELIVERIES)
    def test_e15_our_own_doing_is_ignored(self, delivery: Recording) -> None:
        """What the app itself did is nobody's event.

        Deliveries that the index calls the app's own doing are routed; they have to be ignored.
        Why: a host that mirrors what it hears would answer itself for ever.
        Fix: compare who did it with the app's own id, or its bot's, and answer Ignored.
        """
        if not delivery.own:
            raise NotApplicableError("somebody else did it")
        outcome = self.subject.route(delivery)
        require(isinstance(outcome, Ignored), f"made {_kind(outcome)} of what the app itself did")

    @rule("E16", needs=ROUTING, over=Over.DELIVERIES)
    def test_e16_private_conversations_stay_private(self, delivery: Recording) -> None:
        """What people say to each other, or to the app alone, is nobody's event.

        Deliveries that the index calls private are routed under their kind; they have to be ignored.
        Why: nobody mapped a private conversation; in the review, an admin would read it.
        Fix: tell such conversations by their kind or id, whatever the event, and answer Ignored.
        """
        if not delivery.private:
            raise NotApplicableError("it isn't private")
        outcome = self.subject.route(delivery)
        require(isinstance(outcome, Ignored), f"made {_kind(outcome)} of what was said in private")

    @rule("E17", needs=ROUTING)
    def test_e17_a_state_that_comes_back_is_a_change(self) -> None:
        """A state that comes back is another change.

        Deliveries that the index calls a state that is back have to be events, and to have another fingerprint than
        the first one, or none. Where any recorded event has a fingerprint, one such delivery has to be recorded.
        Why: what is opened, closed and opened again would be opened once, and the last of it never told.
        Fix: have the time or the id of the change in the fingerprint, and `again` with the first file in the index.
        """
        deliveries = self.subject.samples.deliveries
        found = {each.name: self.subject.route(each) for each in deliveries}
        told = {name: each.fingerprint for name, each in found.items() if isinstance(each, Event)}
        back = [each for each in deliveries if each.again]
        require(back or not any(told.values()), "gives fingerprints, and is shown with no state that comes back")
        for each in back:
            known = each.name in told and each.again in told
            require(known, f"is shown with {each.name} as {each.again} again, and both aren't events")
            is_another = not told[each.name] or told[each.name] != told[each.again]
            require(is_another, f"takes {each.name} for the change that {each.again} told")


def _require_outcome(outcome: object, when: str = "") -> None:
    require(type(outcome) in NAMES, f"answered with {_kind(outcome)}{when}")


def _kind(outcome: Outcome | object) -> str:
    return "nothing" if outcome is None else f"a {type(outcome).__name__}"
