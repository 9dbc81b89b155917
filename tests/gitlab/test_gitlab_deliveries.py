"""Deliveries as GitLab makes them: signed or with a token, of a group or a project, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from speckitty_connectors import Event, Lifecycle, Secret
from speckitty_connectors.credentials.secret import new_webhook_secret
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.responses import VerificationRefusedError
from speckitty_connectors.inbox.signatures import verify
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.providers.codec import outcome_from
from speckitty_connectors.routing.tables import decisions
from speckitty_connectors.standin import StandInWebhook
from speckitty_connectors_gitlab.manifest import SECRET_TOKEN, SIGNING_TOKEN, WEBHOOKS
from speckitty_connectors_gitlab.standin import documents
from testbed.gitlab import HELLO, WORKSPACE, Workshop

SIGNED = WEBHOOKS.schemes[SIGNING_TOKEN]
PUSH = {
    "object_kind": "push",
    "ref": "refs/heads/main",
    "before": "b" * 40,
    "after": "a" * 40,
    "project": {"id": int(HELLO), "path_with_namespace": "kitchen/hello"},
}

LIFECYCLE = {"project_create", "project_destroy", "project_rename", "project_transfer", "project_update"} | {
    "group_create",
    "group_destroy",
    "group_rename",
}
"""What an instance tells of its own state ("System hooks")."""

PLACES: dict[str, tuple[tuple[str, ...], ...]] = {
    "build": (("project_id",),),
    "deployment": (("project", "id"),),
    "issue": (("project", "id"), ("object_attributes", "project_id")),
    "merge_request": (("project", "id"), ("object_attributes", "target_project_id")),
    "note": (("project_id",),),
    "pipeline": (("project", "id"),),
    "push": (("project_id",),),
    "tag_push": (("project_id",),),
    "wiki_page": (("project", "id"),),
    "repository_update": (("project_id",),),
    "user_add_to_team": (("project_id",),),
    "user_add_to_group": (("group_id",),),
    "user_update_for_group": (("group_id",),),
    **{name: (("project_id",),) for name in LIFECYCLE if name.startswith("project_")},
    **{name: (("group_id",),) for name in LIFECYCLE if name.startswith("group_")},
}
"""Where each kind has the number of its project or group, by "Webhook events" and "System hooks"."""


def recordings(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for entry in json.loads((folder / "index.json").read_bytes()):
        yield entry["file"], entry["event"], json.loads((folder / entry["file"]).read_bytes())


def number_in(document: dict[str, Any]) -> str:
    """Return the number of the project or group that a recording carries, or nothing."""
    kind = document.get("object_kind") or document.get("event_name")
    for place in PLACES.get(str(kind), ()):
        found: Any = document
        for name in place:
            found = found.get(name) or {}
        if found:
            return str(found)
    return ""


def test_every_recorded_delivery_gets_a_typed_outcome(workshop: Workshop, corpus: Path) -> None:
    """One with the number of a project or group is about that very one; one without is ignored or waits."""
    workshop.set_up()
    recorded = list(recordings(corpus / "gitlab"))
    assert recorded
    for file, header, document in recorded:
        answer = workshop.post(header, json.dumps(document).encode(), delivery_id=file.replace(".", "-"))
        assert answer.status == 202, file
    workshop.work()
    columns = (inbox.c.delivery_id, inbox.c.state, inbox.c.outcome, decisions.c.outcome)
    joined = inbox.outerjoin(decisions, decisions.c.inbox_id == inbox.c.id)
    with workshop.connectors.store.reading() as connection:
        rows = {row[0]: row[1:] for row in connection.execute(select(*columns).select_from(joined))}
    assert len(rows) == len(recorded)
    for file, _, document in recorded:
        state, named, typed = rows[file.replace(".", "-")]
        assert state == "done", file
        number = number_in(document)
        if named == "ignored":
            assert not number, file
            assert document["event_name"] in {"key_destroy", "user_create", "user_rename"}
            continue
        outcome = outcome_from(typed)
        assert isinstance(outcome, Lifecycle if document.get("event_name") in LIFECYCLE else Event), file
        assert [each.id for each in outcome.resources] == ([number] if number else []), file


@pytest.mark.parametrize("has_group_hooks", [True, False])
@pytest.mark.parametrize("signs", [True, False])
def test_every_plan_and_version_is_heard(
    open_workshop: Callable[..., AbstractContextManager[Workshop]], has_group_hooks: bool, signs: bool
) -> None:
    """With webhooks of groups or without, with signing tokens or without: the mapped project's push arrives."""
    with open_workshop(has_group_hooks=has_group_hooks, signs=signs) as workshop:
        workshop.set_up()
        (webhook,) = workshop.stand_in.webhooks()
        assert webhook.scheme == (SIGNING_TOKEN if signs else SECRET_TOKEN)
        workshop.tell("Push Hook", PUSH)
        assert [dispatch.event.kind for dispatch in workshop.dispatched] == ["push"]


def test_without_webhooks_of_groups_a_template_still_says_its_project(
    open_workshop: Callable[..., AbstractContextManager[Workshop]],
) -> None:
    """The webhook was made for the project, so whatever a maintainer wrote into it is of that project."""
    with open_workshop(has_group_hooks=False) as workshop:
        workshop.set_up()
        workshop.tell("Merge Request Hook", {"text": "Mona cooked something"})
        (dispatch,) = workshop.dispatched
        assert (dispatch.event.kind, dispatch.event.resources[0].id) == ("merge_request", HELLO)


def test_where_a_signature_is_known_a_token_is_never_enough(workshop: Workshop) -> None:
    """Who has seen the token, or the secret in its place, gets no further than a stranger."""
    workshop.set_up()
    (webhook,) = workshop.stand_in.webhooks()
    body = json.dumps(PUSH).encode()
    assert workshop.post("Push Hook", body, scheme=SECRET_TOKEN).status == 403
    stranger = StandInWebhook(url=webhook.url, secret=new_webhook_secret().reveal(), scheme=SIGNING_TOKEN)
    assert workshop.post("Push Hook", body, webhook=stranger).status == 403
    assert workshop.post("Push Hook", body).status == 202


def test_a_resent_delivery_is_recognised_by_either_header(
    open_workshop: Callable[..., AbstractContextManager[Workshop]],
) -> None:
    """`webhook-id`, or before 19.0 the idempotency key; the two headers with UUIDs mean nothing."""
    with open_workshop(signs=False) as workshop:
        workshop.set_up()
        body = json.dumps(PUSH).encode()
        old = {"Idempotency-Key": "k1", "webhook-id": ""}
        for uuid, expected in (("u1", 202), ("u2", 200)):
            sent = {**old, "X-Gitlab-Event-UUID": uuid, "X-Gitlab-Webhook-UUID": uuid}
            assert workshop.post("Push Hook", body, headers=sent).status == expected
        assert [workshop.post("Push Hook", body, delivery_id="m1").status for _ in range(2)] == [202, 200]


def test_a_group_and_a_project_that_both_tell_reach_the_host_once(workshop: Workshop) -> None:
    """Two webhooks, two ids, one change: one dispatch; what happens next is another change."""
    installation = workshop.set_up()
    made = workshop.connectors.subscriptions.add_by_hand(
        workspace=WORKSPACE, installation_id=installation.id, actor="member:mona"
    )
    by_hand = StandInWebhook(url=made.url, secret=made.secret.reveal(), scheme=SIGNING_TOKEN)
    workshop.tell("Push Hook", PUSH)
    workshop.tell("Push Hook", PUSH, webhook=by_hand)
    assert len(workshop.dispatched) == 1
    workshop.tell("Push Hook", {**PUSH, "before": "a" * 40, "after": "c" * 40}, webhook=by_hand)
    assert len(workshop.dispatched) == 2


def test_what_nobody_mapped_is_acknowledged_like_any_other(workshop: Workshop) -> None:
    """A refusal would count as a failure, and four of them disable the webhook; it waits for a person instead."""
    workshop.set_up()
    workshop.tell("Push Hook", {**PUSH, "project": {"id": documents.FIRST_PROJECT_ID + 1}})
    workshop.tell("Recipe Hook", {"object_kind": "recipe"})
    subjects = {item.subject.id for item in workshop.connectors.review.list(workspace=WORKSPACE)}
    assert subjects == {str(documents.FIRST_PROJECT_ID + 1), ""}


# --- signatures, by an independent signer ----------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{}", b'{"object_kind": "push"}', '{"title": "Käsekuchen"}'.encode()])
def test_the_reference_library_accepts_what_we_sign_and_we_what_it_signs(body: bytes) -> None:
    """Over the raw bytes, with a secret that we made."""
    now, secret = utc_now(), new_webhook_secret()
    theirs = Webhook(secret.reveal())
    ours = sign(SIGNED, secret, body, now=now, headers={"webhook-id": "msg_1"})
    theirs.verify(body, ours)
    stamp = str(int(now.timestamp()))
    headers = {
        "webhook-id": "msg_2",
        "webhook-timestamp": stamp,
        "webhook-signature": theirs.sign(msg_id="msg_2", timestamp=now, data=body.decode()),
    }
    assert verify(SIGNED, {"s1": secret}, headers, body, now) == "s1"


def test_one_of_several_signatures_is_enough_and_a_changed_body_is_not() -> None:
    """While GitLab rotates it may send two; both libraries agree on what doesn't count."""
    now, secret, body = utc_now(), new_webhook_secret(), b'{"object_kind": "push"}'
    theirs = Webhook(secret.reveal())
    headers = sign(SIGNED, secret, body, now=now, headers={"webhook-id": "msg_1"})
    headers["webhook-signature"] = f"v1,{'A' * 43}= {headers['webhook-signature']}"
    lowered = {name.lower(): value for name, value in headers.items()}
    theirs.verify(body, headers)
    assert verify(SIGNED, {"s1": secret}, lowered, body, now) == "s1"
    with pytest.raises(WebhookVerificationError):
        theirs.verify(body + b" ", headers)
    for secrets, changed in (({"s1": secret}, body + b" "), ({"s1": Secret("whsec_" + "A" * 44)}, body)):
        with pytest.raises(VerificationRefusedError):
            verify(SIGNED, secrets, lowered, changed, now)
