"""Deliveries as Slack makes them: events, forms, retries, challenges and probes, over real HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from slack_sdk.signature import Clock, SignatureVerifier
from sqlalchemy import select

from speckitty_connectors import Event, Lifecycle, Secret, Target
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.responses import VerificationRefusedError
from speckitty_connectors.inbox.signatures import verify
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.mappings.types import Direction
from speckitty_connectors.providers.codec import outcome_from
from speckitty_connectors.routing.tables import decisions
from speckitty_connectors_slack.manifest import FORM
from speckitty_connectors_slack.standin import documents
from testbed.slack import SCHEME, WORKSPACE, Office, ago

FIRST = documents.channel_id(0)
FEED = Target(kind="feed", id="lunch")
INCIDENTS = Target(kind="incident_stream", id="outages")

CHANNELS = {
    "app_mention": ("event", "channel"),
    "block_actions": ("channel", "id"),
    "channel_left": ("event", "channel"),
    "channel_unarchive": ("event", "channel"),
    "file_shared": ("event", "channel_id"),
    "file_unshared": ("event", "channel_id"),
    "group_archive": ("event", "channel"),
    "group_left": ("event", "channel"),
    "interactive_message": ("channel", "id"),
    "link_shared": ("event", "channel"),
    "member_joined_channel": ("event", "channel"),
    "member_left_channel": ("event", "channel"),
    "message": ("event", "channel"),
    "pin_added": ("event", "channel_id"),
}
"""Kinds that carry a channel, and where, by Slack's reference; reactions and stars have it in their item."""


def recordings(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for entry in json.loads((folder / "index.json").read_bytes()):
        yield entry["file"], entry["event"], json.loads((folder / entry["file"]).read_bytes())


def channel_in(kind: str, document: dict[str, Any]) -> str:
    """Return the channel that a recording carries, or nothing."""
    if kind in {"reaction_added", "star_removed"}:
        return str(document["event"]["item"]["channel"])
    if kind == "view_submission":
        return str(next((each["channel_id"] for each in document["response_urls"]), ""))
    outer, inner = CHANNELS.get(kind, ("event", "-"))
    return str((document.get(outer) or {}).get(inner) or "")


def outcomes(office: Office) -> list[str]:
    """Return what became of all deliveries, the oldest first."""
    with office.connectors.store.reading() as connection:
        return list(connection.scalars(select(inbox.c.outcome).order_by(inbox.c.id)))


def test_every_recorded_delivery_gets_a_typed_outcome(office: Office, corpus: Path) -> None:
    """As the JSON or the form that Slack sends: one with a channel is about that channel, the rest is typed."""
    expected: dict[str, str] = {}
    for number, (file, kind, document) in enumerate(recordings(corpus / "slack")):
        body = json.dumps({**document, "event_id": f"Ev{number}"}).encode()
        if kind == "url_verification":
            answer = office.post(body)
            assert (answer.status, answer.text) == (200, document["challenge"])
            continue
        is_event = document["type"] == "event_callback"
        answer = office.post(body) if is_event else office.post(urlencode({"payload": body}).encode(), FORM)
        assert (answer.status, answer.text == "") == ((202, False) if is_event else (200, True)), file
        expected[f"Ev{number}"] = channel_in(kind, document)
    office.work()
    columns = (inbox.c.delivery_id, inbox.c.state, inbox.c.outcome, inbox.c.outcome_reason, decisions.c.outcome)
    joined = inbox.outerjoin(decisions, decisions.c.inbox_id == inbox.c.id)
    with office.connectors.store.reading() as connection:
        rows = connection.execute(select(*columns).select_from(joined)).all()
    assert {delivery_id for delivery_id, *_ in rows} == set(expected)
    for delivery_id, state, named, reason, typed in rows:
        assert state == "done"
        if named == "ignored":
            assert not expected[delivery_id] or "own doing" in reason or "direct message" in reason
            continue
        outcome = outcome_from(typed)
        assert isinstance(outcome, Event | Lifecycle)
        assert named == type(outcome).__name__.lower()
        channel = expected[delivery_id]
        assert [each.id for each in outcome.resources] == ([channel] if channel else [])


def test_a_retry_is_the_same_delivery_and_may_be_the_first(office: Office) -> None:
    """The event's id decides: a first attempt that got lost is made good by its retry, what comes again isn't."""
    office.set_up()
    retry = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "connection_failed"}
    body = json.dumps(
        {
            "type": "event_callback",
            "team_id": documents.TEAM_ID,
            "event_id": "EvLOST",
            "event_time": int(time.time()),
            "event": {"type": "message", "channel": FIRST, "user": documents.USER_ID},
        }
    ).encode()
    assert [office.post(body, **retry).status for _ in range(3)] == [202, 200, 200]
    office.work()
    assert len(office.dispatched) == 1


def test_a_channel_feeds_targets_of_every_kind_inwards(office: Office) -> None:
    """Project, feed and incident stream get the event; a mapping that only leads outwards doesn't."""
    installation = office.set_up()
    office.map_channel(installation, target=FEED)
    office.connectors.mappings.create(
        workspace=WORKSPACE,
        installation_id=installation.id,
        resource=office.resource(),
        target=INCIDENTS,
        direction=Direction.IN,
        actor="member:mona",
    )
    office.connectors.mappings.create(
        workspace=WORKSPACE,
        installation_id=installation.id,
        resource=office.resource(),
        target=Target(kind="project", id="outwards"),
        direction=Direction.OUT,
        actor="member:mona",
    )
    office.write()
    assert sorted(str(dispatch.target) for dispatch in office.dispatched) == [
        "feed:lunch",
        "incident_stream:outages",
        "project:apollo",
    ]


def test_what_the_app_wrote_itself_makes_no_circle(office: Office) -> None:
    """A mapping in both directions doesn't bring our own messages back."""
    office.set_up()
    office.write(app_id=documents.APP_ID)
    office.tell("file_shared", channel_id=FIRST, user_id=documents.BOT_ID, file_id="F1")
    assert office.dispatched == []
    office.tell("file_shared", channel_id=FIRST, user_id=documents.USER_ID, file_id="F2")
    assert len(office.dispatched) == 1


DIRECT = [
    ("reaction_added", {"user": "U1", "reaction": "eyes", "item": {"type": "message", "channel": "D024BE91L"}}),
    ("file_shared", {"channel_id": "D024BE91L", "user_id": "U1", "file_id": "F1"}),
    ("message", {"channel": "G1", "channel_type": "mpim", "user": "U1"}),
]


@pytest.mark.parametrize(("kind", "values"), DIRECT, ids=[kind for kind, _ in DIRECT])
def test_a_direct_message_is_nobodys_channel(office: Office, kind: str, values: dict[str, Any]) -> None:
    """Whatever happens in it is ignored, and no person is asked about it."""
    office.set_up()
    office.tell(kind, **values)
    assert not office.connectors.review.list(workspace=WORKSPACE)
    assert office.dispatched == []
    assert outcomes(office) == ["ignored"]


def test_the_reaction_in_a_direct_message_that_became_a_review_item(
    office: Office, delivery_cases: Mapping[str, Any]
) -> None:
    """The recorded case: ignored, with nothing for a person to do."""
    (step,) = delivery_cases["slack-reaction-in-a-direct-message"]["steps"]
    office.set_up()
    body = json.dumps({**step["body"], "team_id": documents.TEAM_ID, "api_app_id": documents.APP_ID}).encode()
    assert office.post(body).status == 202
    office.work()
    assert (outcomes(office), list(office.connectors.review.list(workspace=WORKSPACE))) == (["ignored"], [])


def test_a_button_and_a_command_are_routed_and_answered_with_nothing(office: Office) -> None:
    """Slack would show the person whatever else was answered; both are forms."""
    office.set_up()
    button = {
        "type": "block_actions",
        "team": {"id": documents.TEAM_ID},
        "user": {"id": documents.USER_ID},
        "channel": {"id": FIRST, "name": "apollo"},
        "actions": [{"action_id": "approve"}],
    }
    command = {
        "command": "/deploy",
        "text": "now & here",
        "team_id": documents.TEAM_ID,
        "channel_id": FIRST,
        "user_id": documents.USER_ID,
        "trigger_id": "1.2.3",
    }
    answers = [office.interact(button), office.post(urlencode(command).encode(), FORM)]
    office.work()
    assert [(answer.status, answer.text) for answer in answers] == [(200, ""), (200, "")]
    assert [(dispatch.event.kind, dispatch.event.action) for dispatch in office.dispatched] == [
        ("block_actions", "approve"),
        ("slash_commands", "/deploy"),
    ]


def test_an_unmapped_channel_waits_for_a_person(office: Office) -> None:
    """It is in the review queue under its own id."""
    office.set_up()
    office.write(1)
    (item,) = office.connectors.review.list(workspace=WORKSPACE)
    assert (item.subject.kind, item.subject.id) == ("channel", documents.channel_id(1))


def test_a_shared_channels_event_is_the_receivers(office: Office) -> None:
    """What happened in another company's workspace is routed for the installation that sees it."""
    office.set_up()
    office.write(_team_id="TOTHER", _is_ext_shared_channel=True)
    assert len(office.dispatched) == 1


@pytest.mark.parametrize("ask", ["form", "query"])
def test_a_probe_is_answered(office: Office, ask: str) -> None:
    """Slack looks whether the address answers, with no signature at all, in a form or a query."""
    fields = {"ssl_check": "1", "token": "legacy"}
    if ask == "form":
        answer = requests.post(office.webhook_url, data=fields, timeout=10)
    else:
        answer = requests.get(office.webhook_url, params=fields, timeout=10)
    assert (answer.status_code, answer.text) == (200, "")


def test_a_challenge_has_to_be_signed(office: Office) -> None:
    """Nobody else can make the end point echo anything."""
    challenge = b'{"type": "url_verification", "challenge": "3eZ", "token": "legacy"}'
    assert office.post(challenge).text == "3eZ"
    unsigned = requests.post(
        office.webhook_url, data=challenge, headers={"Content-Type": "application/json"}, timeout=10
    )
    assert unsigned.status_code == 403


# --- signatures, by two independent signers --------------------------------------------------------------------

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"  # the signing secret of Slack's own published example


class _At(Clock):
    """The SDK's clock at a moment."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds


@pytest.mark.parametrize("body", [b'{"type": "event_callback"}', b"payload=%7B%7D", '{"text": "ünïcode"}'.encode()])
def test_slacks_sdk_accepts_what_we_sign_and_we_what_it_signs(body: bytes) -> None:
    """JSON and forms alike, over the raw bytes."""
    now = utc_now()
    ours = sign(SCHEME, Secret(SECRET), body, now=now)
    verifier = SignatureVerifier(SECRET, clock=_At(now.timestamp()))
    assert verifier.is_valid_request(body, ours)
    stamp = str(int(now.timestamp()))
    theirs = verifier.generate_signature(timestamp=stamp, body=body)
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": str(theirs)}
    assert verify(SCHEME, {"s1": Secret(SECRET)}, headers, body, now) == "s1"


@pytest.mark.parametrize("seconds", [-301, 302])
def test_both_refuse_what_is_too_old_or_from_the_future(seconds: float) -> None:
    """Five minutes either way."""
    now, body = utc_now(), b"{}"
    stamp = str(int(ago(-seconds)))
    verifier = SignatureVerifier(SECRET, clock=_At(now.timestamp()))
    theirs = str(verifier.generate_signature(timestamp=stamp, body=body))
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": theirs}
    assert not verifier.is_valid_request(body, headers)
    with pytest.raises(VerificationRefusedError):
        verify(SCHEME, {"s1": Secret(SECRET)}, headers, body, now)


@pytest.mark.parametrize("stamp", ["", "soon", "1e9", "\u0661\u0667", "-1"])
def test_a_timestamp_that_is_none_is_refused_where_the_sdk_would_raise(stamp: str) -> None:
    """Whatever stands there, the answer is a refusal."""
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": "v0=00"}
    with pytest.raises(VerificationRefusedError):
        verify(SCHEME, {"s1": Secret(SECRET)}, headers, b"\xff", utc_now())
