"""The inbox in the database: store a delivery once, and read it back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache

import attrs
from attrs import field, frozen
from sqlalchemy import Connection, Dialect, Engine, Insert, bindparam, case, exists, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from ..apps.endpoints import Endpoint
from ..credentials.tables import endpoints
from ..errors import NotFoundError
from ..identifiers import new_id
from ..providers.deliveries import Delivery
from ..providers.manifest import Manifest
from ..store.claims import DONE, PARKED, PENDING, ClaimQueue
from ..store.compiled import Compiled, given
from ..store.engine import Store
from ..store.metadata import OPERATOR
from .request import DocumentMembers, readable_content
from .tables import inbox, inbox_bodies

CONFLICT_MARK = "#"
"""Stands between a delivery id and the digest of other content that came under it; so no id may hold it."""

IGNORED_OUTCOME = "ignored"

CONFLICT = "conflict"
"""Why a person looks at a delivery: its id came before with other content."""

REPLAY_SUSPECT = "replay_suspect"
"""Why a person looks at a delivery: its content came before under another id."""


class Recorded(StrEnum):
    """What became of a delivery that was handed to the inbox."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


@frozen(kw_only=True)
class Arrival:
    """A verified request, ready to be stored.

    Attributes:
        endpoint: the principal.
        provider: provider key.
        delivery_id: the provider's id of it, or its digest in words.
        kind: value of the kind header, or empty.
        digest: of the body: `digest_of`.
        secret_id: credential id of the secret that verified it.
        received_at: when, in UTC.
        headers: the kept headers.
        media_type: of the body.
        body: the raw body.
        unrouted_reason: why it is recorded without its body, or empty.
        replayable: whether who saw it could send it again under another id, because neither id nor time is signed.
        id_per_account: whether another account's delivery may have the same id.
        id: the id of the row that it becomes.
    """

    endpoint: Endpoint
    provider: str
    delivery_id: str
    kind: str
    digest: bytes
    secret_id: str
    received_at: datetime
    headers: Mapping[str, str]
    media_type: str
    body: bytes
    unrouted_reason: str = ""
    replayable: bool = False
    id_per_account: bool = False
    id: str = field(factory=new_id)


@frozen(kw_only=True)
class StoredDelivery:
    """The row of a delivery, without its body.

    Attributes:
        workspace: the endpoint's workspace.
        id: id in the inbox.
        provider: provider key.
        host: host of the endpoint.
        endpoint_id: its principal.
        installation_id: the installation that the endpoint belongs to, or empty for an app's.
        delivery_id: the provider's id of it.
        kind: value of the kind header, or empty.
        secret_id: credential id of the secret that verified it.
        received_at: when, in UTC.
        state: ``pending``, ``running``, ``done`` or ``parked``.
        attempts: how often it was started to be routed.
        outcome: what it meant, once routed.
        outcome_reason: why it was ignored, or why a person must look at it; or empty.
        last_error: why the last attempt failed, or empty.
    """

    workspace: str
    id: str
    provider: str
    host: str
    endpoint_id: str
    installation_id: str
    delivery_id: str
    kind: str
    secret_id: str
    received_at: datetime
    state: str
    attempts: int
    outcome: str
    outcome_reason: str
    last_error: str


def digest_of(body: bytes, members: DocumentMembers | None = None, without: frozenset[str] = frozenset()) -> bytes:
    """Return what two deliveries share only if they say the same: SHA-256 over the body.

    The kind isn't part of it: its header isn't signed, so a captured body can be sent under another.

    Args:
        body: the raw body.
        members: those of the document in it.
        without: the members that only say when it was sent, which may differ between tries.
    """
    if not members or without.isdisjoint(members):
        return hashlib.sha256(body).digest()
    kept = (name.encode() + b"\0" + bytes(value) for name, value in members.items() if name not in without)
    return hashlib.sha256(b"\0".join(kept)).digest()


def record(store: Store, arrival: Arrival) -> Recorded:
    """Store a delivery unless it is there, and return after the commit.

    What is unclear is stored as well, with the reason for which the router leaves it to a person: the same
    delivery id with other content or of another kind becomes a row of its own, a ``conflict``; the same content
    under another id, of whatever kind, where a stranger could have sent it, is a ``replay_suspect``. Where ids are
    unique within an account only, other content under a known id is another account's delivery, and routed. A
    re-delivery of a parked row makes it due again.

    Raises:
        StoreUnavailableError: the database didn't take it.
    """
    if _insert(store, arrival, arrival.delivery_id):
        return Recorded.IGNORED if arrival.unrouted_reason else Recorded.ACCEPTED
    if _is_redelivery(store, arrival):
        return Recorded.DUPLICATE
    with_digest = f"{arrival.delivery_id}{CONFLICT_MARK}{arrival.digest.hex()}"
    if not arrival.id_per_account:
        _insert(store, arrival, with_digest, doubt=CONFLICT)
        return Recorded.CONFLICT
    if not _insert(store, arrival, with_digest):
        return Recorded.DUPLICATE
    return Recorded.IGNORED if arrival.unrouted_reason else Recorded.ACCEPTED


def find(connection: Connection, workspace: str, inbox_id: str) -> StoredDelivery | None:
    """Return the row of a delivery, or None where this workspace has none of that id."""
    key = {"workspace": workspace, "inbox_id": inbox_id}
    row = connection.execute(_ROW, key).mappings().one_or_none()
    return StoredDelivery(**row) if row else None


def find_by_delivery_id(connection: Connection, delivery_id: str, *, workspace: str) -> str | None:
    """Return the inbox id of the newest delivery that a provider gave this id, or None.

    Only endpoints of the workspace and the operator's count: what others let their providers post under an id
    of their choice must not hide it.
    """
    reachable = endpoints.c.workspace_id.in_([workspace, OPERATOR])
    at_endpoint = inbox.c.endpoint_id.in_(select(endpoints.c.id).where(reachable))  # the unique key leads with it
    found = select(inbox.c.id).where(at_endpoint, inbox.c.delivery_id == delivery_id)
    return connection.scalar(found.order_by(inbox.c.id.desc()).limit(1))


def load_delivery(connection: Connection, workspace: str, inbox_id: str, manifest: Manifest) -> Delivery:
    """Return a delivery as `route_event` sees it.

    Raises:
        NotFoundError: this workspace has no delivery of that id, or it was recorded without its body.
        DocumentRefusedError: the manifest has changed, and what was accepted can't be read by it.
    """
    row = find(connection, workspace, inbox_id)
    raw = connection.execute(_BODY, {"workspace": workspace, "inbox_id": inbox_id}).one_or_none()
    if row is None or raw is None:
        raise NotFoundError("there is no such delivery with a body", subject=f"delivery {inbox_id}")
    return read_delivery(row, manifest, headers=raw.headers, media_type=raw.content_type, body=raw.body)


def read_delivery(
    row: StoredDelivery, manifest: Manifest, *, headers: Mapping[str, str], media_type: str, body: bytes
) -> Delivery:
    """Return a delivery as `route_event` sees it, of its row and what is kept of the request.

    Raises:
        DocumentRefusedError: the manifest has changed, and what was accepted can't be read by it.
    """
    content = readable_content(media_type, body, form_field=manifest.webhooks.form_field)
    return Delivery(
        provider=row.provider,
        host=row.host,
        kind=row.kind,
        content=content.document,
        received_at=row.received_at,
        headers=headers,
        fields=content.fields,
    )


def _is_redelivery(store: Store, arrival: Arrival) -> bool:
    """Say whether the delivery id came before with this content and kind; if that is parked, make it due again."""
    with store.transaction() as connection:
        earlier = connection.execute(
            _EARLIER, {"endpoint": arrival.endpoint.id, "delivery": arrival.delivery_id}
        ).one()
        if (earlier.body_digest, earlier.kind) != (arrival.digest, arrival.kind):
            return False
        if earlier.state == PARKED:
            ClaimQueue(inbox).rearm(connection, earlier.workspace_id, earlier.id)
        return True


def _insert(store: Store, arrival: Arrival, delivery_id: str, *, doubt: str = "") -> bool:
    """Store row and body in one transaction; return False where the endpoint has that delivery id."""
    endpoint = arrival.endpoint
    reason = arrival.unrouted_reason or doubt
    values = {
        "workspace_id": endpoint.workspace,
        "id": arrival.id,
        "endpoint_id": endpoint.id,
        "installation_id": endpoint.installation_id,
        "provider": arrival.provider,
        "host": endpoint.host,
        "delivery_id": delivery_id,
        "kind": arrival.kind,
        "body_digest": arrival.digest,
        "secret_id": arrival.secret_id,
        "received_at": arrival.received_at,
        "outcome": IGNORED_OUTCOME if arrival.unrouted_reason else "",
        "state": DONE if arrival.unrouted_reason else PENDING,
        "same_endpoint": endpoint.id,
        "same_digest": arrival.digest,
        "reason_if_new": reason,
        "reason_if_seen": reason or (REPLAY_SUSPECT if arrival.replayable else ""),
        "inbox_id": arrival.id,
        "headers": arrival.headers,
        "content_type": arrival.media_type,
        "body": arrival.body,
    }
    inserts = _inserts(store.engine, with_body=not arrival.unrouted_reason)
    with store.driver_transaction() as cursor:
        return all(each.execute(cursor, values) for each in inserts)


@cache
def _inserts(engine: Engine, *, with_body: bool) -> tuple[Compiled, ...]:
    """Return what stores a delivery; each runs only if the one before added a row."""
    row, body = _row_insert(engine.dialect), insert(inbox_bodies).values(given(*inbox_bodies.c))
    statements: tuple[Insert, ...] = (row, body) if with_body else (row,)
    if with_body and engine.dialect.name == "postgresql":  # takes both at once, which saves a round trip
        stored = row.returning(inbox.c.workspace_id, inbox.c.id).cte("stored")
        columns = given(inbox_bodies.c.headers, inbox_bodies.c.content_type, inbox_bodies.c.body)
        values = select(stored.c.workspace_id, stored.c.id, *columns.values())
        statements = (insert(inbox_bodies).from_select(["workspace_id", "inbox_id", *columns], values),)
    return tuple(Compiled(statement, engine) for statement in statements)


def _row_insert(dialect: Dialect) -> sqlite.Insert | postgresql.Insert:
    """Return the insert of a row, which does nothing where the delivery id is known.

    It looks in the same breath whether the endpoint has had this content before.
    """
    columns = inbox.c
    seen = exists().where(
        columns.endpoint_id == bindparam("same_endpoint"), columns.body_digest == bindparam("same_digest")
    )
    reason = case((seen, bindparam("reason_if_seen")), else_=bindparam("reason_if_new"))
    make = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    return (
        make(inbox)
        .values(outcome_reason=reason, **given(*(columns[name] for name in ROW_COLUMNS)))
        .on_conflict_do_nothing(index_elements=[columns.endpoint_id, columns.delivery_id])
    )


ROW_COLUMNS = (
    "workspace_id",
    "id",
    "endpoint_id",
    "installation_id",
    "provider",
    "host",
    "delivery_id",
    "kind",
    "body_digest",
    "secret_id",
    "received_at",
    "outcome",
    "state",
)
"""What an arrival fills in; the other columns of the row begin with their defaults."""

_EARLIER = select(inbox.c.workspace_id, inbox.c.id, inbox.c.kind, inbox.c.body_digest, inbox.c.state).where(
    inbox.c.endpoint_id == bindparam("endpoint"), inbox.c.delivery_id == bindparam("delivery")
)

_ROW = select(
    inbox.c.workspace_id.label("workspace"),
    *(inbox.c[name] for name in attrs.fields_dict(StoredDelivery) if name != "workspace"),
).where(inbox.c.workspace_id == bindparam("workspace"), inbox.c.id == bindparam("inbox_id"))

_BODY = select(inbox_bodies.c.headers, inbox_bodies.c.content_type, inbox_bodies.c.body).where(
    inbox_bodies.c.workspace_id == bindparam("workspace"), inbox_bodies.c.inbox_id == bindparam("inbox_id")
)
