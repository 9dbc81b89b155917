"""Two workspaces at one host: in that of mona there is something of everything, in that of eve somebody curious."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import BinaryExpression, ColumnElement, Connection, event, select, true
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.visitors import ExternallyTraversible

from speckitty_connectors import Callback, IgnoreConditions, PolicyScope, Secret, Signal
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.inbox.request import Request
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.links.types import LinkDone
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.row_level_security import confined_tables

from .desk import state_in
from .office import WEBHOOK_SECRET, Office, who

THEIRS, OURS = "w1", "w2"
STATE = "the state of a conversation"
PROJECT = "the project of mona"
BOARD = "b1"

SHARED = ("workspace_id", "app_id")
"""Columns of ids that are no secret: eve's installation is of the operator's app too."""
ACCOUNT = {"id": "7"}


@frozen(kw_only=True)
class Tenants:
    """The host, and every id that there is of anything in the workspace of mona: ``table.column`` → id."""

    office: Office
    ids: Mapping[str, str]

    @property
    def store(self) -> Store:
        return self.office.connectors.store

    @property
    def secrets(self) -> set[str]:
        """Return what eve must never read."""
        return {*self.ids.values(), "mona"}

    def rows(self) -> dict[str, list[Any]]:
        """Return every row that isn't eve's, by table; but not what the audit notes for the operator."""
        found = {}
        with self.store.reading() as connection:
            for table in confined_tables():
                query = select(table).where(table.c.workspace_id != OURS)
                if table.name == "audit":
                    query = query.where(table.c.workspace_id != "")
                found[table.name] = sorted(map(repr, connection.execute(query)))
        return found


def furnish(office: Office) -> Tenants:
    """Let mona use everything there is, and eve connect the same account."""
    connectors = office.connectors
    connectors.on()(lambda dispatch, connection: None)
    made = office.connect(installation="41")
    connectors.inventory.sync(THEIRS, made.id)
    sent = connectors.links.begin(visitor=who(), installation_id=made.id)
    parameters = office.server.approve(sent.url)
    done = connectors.links.complete(
        visitor=who(), callback=Callback(provider="fake", host=office.host, parameters=parameters)
    )
    assert isinstance(done, LinkDone)
    office.map(made, BOARD, PROJECT)
    connectors.subscriptions.add_by_hand(workspace=THEIRS, installation_id=made.id, actor="member:mona")
    everywhere = PolicyScope(workspace=THEIRS, provider="fake")
    for scope in (everywhere, evolve(everywhere, installation_id=made.id), evolve(everywhere, project_id=PROJECT)):
        connectors.policies.set(scope, fields={"muted_kinds": ["star"]}, actor="member:mona")
    connectors.policies.lock(everywhere, fields=["doctrine_mode"], actor="member:mona")
    connectors.review.rules.add(
        workspace=THEIRS, conditions=IgnoreConditions(key="attic/*"), actor="member:mona", note="the attic of mona"
    )
    connectors.signals.report(workspace=THEIRS, signals=[Signal(project_id=PROJECT, repo_slug="kitchen/orders")])
    connectors.suggestions.refresh(workspace=THEIRS, installation_id=made.id)
    connectors.suggestions.set_automatic(workspace=THEIRS, automatic=True, actor="member:mona")
    office.post({"change": "renamed", "account": ACCOUNT, "board": {"id": "b2", "key": "kitchen/bills"}})
    office.post({"event": "card", "account": ACCOUNT, "board": {"id": "b1", "key": "kitchen/menu"}})
    office.post({"event": "card", "account": ACCOUNT, "board": {"id": "b9", "key": "kitchen/unknown"}})
    office.connect("eve", OURS, installation="41", user={"id": "u2", "name": "eve"})
    state = state_in(office.begin().url)
    deliver_to_an_app_of_their_own(office)
    return Tenants(office=office, ids={**_ids(connectors.store), STATE: state})


def deliver_to_an_app_of_their_own(office: Office, *, workspace: str = THEIRS, delivery_id: str = "hers") -> None:
    """Let a workspace register an app, and the provider post to it."""
    connectors = office.connectors
    app = connectors.apps.register(
        workspace=workspace,
        provider="fake",
        client_id=f"the app of {workspace}",
        client_secret=Secret(f"the client secret of {workspace}"),
        webhook_secrets=(WEBHOOK_SECRET,),
        base_url=office.server.host.url,
    )
    body = b'{"event": "card", "board": {"id": "b1"}}'
    headers = {"X-Fake-Event": "card", "X-Fake-Delivery": delivery_id, "Content-Type": "application/json"}
    signed = sign(office.plugin.manifest.webhooks.schemes["secret"], WEBHOOK_SECRET, body, now=office.clock())
    with connectors.store.reading() as connection:
        endpoint = connectors.apps.endpoint_of(connection, app)
    answer = connectors.inbox.accept(
        Request(provider="fake", endpoint_id=endpoint, headers=list({**headers, **signed}.items()), body=body)
    )
    assert answer.status == 202, answer
    while connectors.worker().run_once():
        pass


def _ids(store: Store) -> dict[str, str]:
    """Return one id of each kind that tables have in mona's workspace, where each table has a row."""
    found = {}
    with store.reading() as connection:
        for table in confined_tables():
            row = (
                connection.execute(select(table).where(table.c.workspace_id == THEIRS).limit(1)).mappings().first()
            )
            assert row is not None, f"mona has nothing in the table {table.name}"
            for column in table.columns:
                is_ours = len(str(row[column.name])) == len(new_id())
                is_key = column.primary_key and column.name.endswith(("id", "digest"))
                if column.name not in SHARED and (is_key or (is_ours and column.name.endswith("_id"))):
                    found[f"{table.name}.{column.name}"] = str(row[column.name])
        found["inbox.delivery_id"] = str(_theirs(connection, "inbox", "delivery_id"))
    return found


def _theirs(connection: Connection, table: str, column: str) -> object:
    (found,) = (each for each in confined_tables() if each.name == table)
    return connection.execute(select(found.c[column]).where(found.c.workspace_id == THEIRS).limit(1)).scalar_one()


@contextmanager
def without_filters(store: Store) -> Iterator[None]:
    """Take every condition on the workspace out of every statement, as a mistake in each of them would."""

    def execute(
        _: Connection, statement: Any, many: Any, parameters: Any, __: Mapping[str, Any]
    ) -> tuple[Any, Any, Any]:
        if isinstance(statement, ExternallyTraversible):
            statement = visitors.replacement_traverse(statement, {}, _unfiltered)
        return statement, many, parameters

    event.listen(store.engine, "before_execute", execute, retval=True)
    try:
        yield
    finally:
        event.remove(store.engine, "before_execute", execute)


FILTERS: Sequence[Any] = (operators.eq, operators.in_op)


def _unfiltered(element: Any, **_: Any) -> ColumnElement[bool] | None:
    """Return what stands in place of a part of a statement, or None for the part itself."""
    if not isinstance(element, BinaryExpression) or element.operator not in FILTERS:
        return None
    is_filter = getattr(element.left, "name", "") == "workspace_id" and not hasattr(element.right, "table")
    return true() if is_filter else None
