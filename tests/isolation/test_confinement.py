"""Row-level security: what a confined transaction can do, and what it takes to set it up."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from speckitty_connectors import Application, Callback, Connectors, Settings
from speckitty_connectors.cli import commands
from speckitty_connectors.conversations.refusals import OnboardingRefusedError
from speckitty_connectors.errors import ConfigurationError
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.installations.tables import installations
from speckitty_connectors.links.types import LinkDone
from speckitty_connectors.signals.tables import signals
from speckitty_connectors.store.confinement import across_workspaces, confined
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.row_level_security import confined_tables, row_level_security
from speckitty_connectors.web.forms import TOKEN_FIELD, form_token
from testbed.office import KEY, Office, open_office, who
from testbed.postgresql import execute
from testbed.roles import workspace_role
from testbed.tenants import without_filters


@pytest.fixture
def role(empty_postgresql_url: str) -> Iterator[str]:
    """A database of this test alone, with row-level security set up; the role that it holds."""
    with Connectors(Settings(database_url=empty_postgresql_url, keys={"2026": KEY})) as connectors:
        connectors.upgrade()
    with workspace_role(empty_postgresql_url) as made:
        yield made


@pytest.fixture
def office(empty_postgresql_url: str, role: str) -> Iterator[Office]:
    """A host on that database, which confines."""
    with open_office(empty_postgresql_url, workspace_role=role) as opened:
        opened.connectors.start()
        yield opened


@pytest.fixture
def store(office: Office) -> Store:
    """Its store, with an installation in each of two workspaces."""
    office.connect("mona", "w1")
    office.connect("eve", "w2")
    return office.connectors.store


def counted(connection: Connection) -> int:
    """Return how many installations there are to see."""
    return connection.execute(select(func.count()).select_from(installations)).scalar_one()


def test_a_confined_transaction_sees_its_own_rows_and_all_others_see_everything(store: Store) -> None:
    """Confinement ends with its block, also where the same connection is used again."""
    for _ in range(3):
        with confined("w1"), store.transaction() as connection:
            assert connection.execute(select(installations.c.workspace_id)).scalars().all() == ["w1"]
        with confined("w2"), store.reading() as connection:
            assert connection.execute(select(installations.c.workspace_id)).scalars().all() == ["w2"]
        with store.reading() as connection:
            assert counted(connection) == 2


def test_the_role_without_a_workspace_sees_nothing(store: Store, role: str) -> None:
    """Neither before a workspace was ever named on a connection, nor after one was, nor where the name is empty."""
    store.engine.dispose()
    for named in ("", "w1", ""):
        with store.transaction() as connection:
            connection.execute(text("SELECT set_config('role', :role, true)"), {"role": role})
            assert [counted(connection), *connection.execute(text("SELECT id FROM audit"))] == [0]
            connection.execute(text("SELECT set_config('connectors.workspace', :name, true)"), {"name": named})
            assert counted(connection) == bool(named)


@pytest.mark.parametrize("workspace", ["w2", ""])
def test_a_confined_transaction_writes_no_row_of_others(store: Store, workspace: str) -> None:
    """Not even what nobody reads: the database refuses the row itself, the operator's as well."""
    row = {
        "workspace_id": workspace,
        "id": "x",
        "conditions": {},
        "note": "",
        "created_by": "",
        "created_at": store.now(),
    }
    (rules,) = (table for table in confined_tables() if table.name == "ignore_rules")
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        confined("w1"),
        store.transaction() as connection,
    ):
        connection.execute(insert(rules), row)


def test_a_confined_transaction_can_not_give_its_rows_away(store: Store) -> None:
    """A row can't be moved to another workspace."""
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        confined("w1"),
        store.transaction() as connection,
    ):
        connection.execute(text("UPDATE installations SET workspace_id = 'w2', id = 'x'"))


def test_looking_across_workspaces_ends_with_its_block(store: Store) -> None:
    """However it ends, and only where a transaction was confined is there anything to end."""
    with confined("w1"), store.transaction() as connection:
        with across_workspaces(connection):
            assert counted(connection) == 2
        assert counted(connection) == 1
        with suppress(KeyError), across_workspaces(connection):
            raise KeyError
        assert counted(connection) == 1
    with store.reading() as connection, across_workspaces(connection):
        assert counted(connection) == 2


def test_members_work_confined(office: Office) -> None:
    """Connecting, linking, listing, mapping and explaining go as ever, each in its own workspace."""
    connectors = office.connectors
    connectors.on()(lambda dispatch, connection: None)
    with connectors.confined("w1"):
        made = office.connect()
        sent = connectors.links.begin(visitor=who(), installation_id=made.id)
        parameters = office.server.approve(sent.url)
        done = connectors.links.complete(
            visitor=who(), callback=Callback(provider="fake", host=office.host, parameters=parameters)
        )
        assert isinstance(done, LinkDone)
        assert connectors.inventory.sync("w1", made.id).complete
        office.map(made, "b1", "menu")
    event_id = office.post({"event": "card", "account": {"id": "7"}, "board": {"id": "b1", "key": "kitchen/menu"}})
    with connectors.confined("w1"):
        explained = connectors.explain(workspace="w1", event_id=event_id)
        assert [dispatch.state for each in explained.decisions for dispatch in each.dispatches] == ["done"]
        removed = connectors.onboarding.remove(workspace="w1", installation_id=made.id, actor="member:mona")
        assert removed.installation.status is InstallationStatus.REMOVED


def test_an_exclusive_account_is_refused_to_the_confined_too(empty_postgresql_url: str, role: str) -> None:
    """That another workspace has it is found out, and its holder is told, though neither can see the other."""
    with open_office(empty_postgresql_url, workspace_role=role, exclusive=True) as office:
        with office.connectors.confined("w1"):
            office.connect("mona", "w1")
        with office.connectors.confined("w2"), pytest.raises(OnboardingRefusedError):
            office.connect("eve", "w2")
        assert "installation.contested" in office.verbs("w1")


def test_what_is_reached_by_a_wrong_argument_is_held_by_the_session(office: Office) -> None:
    """A host that takes the workspace from a URL instead of the session gives nothing away."""
    office.connect("mona", "w1")
    with office.connectors.confined("w2"):
        assert office.connectors.installations("w1") == []
        with without_filters(office.connectors.store):
            assert office.connectors.installations("w1") == []


def test_nobody_is_confined_to_the_operator() -> None:
    """The empty workspace is a mistake of whoever names it."""
    with pytest.raises(ValueError, match="name a workspace"), confined(""):
        pass


def test_sqlite_has_no_roles() -> None:
    """A setting that can't be kept is refused at the start."""
    with pytest.raises(ConfigurationError, match="SQLite has no row-level security"):
        Store("sqlite://", workspace_role="connectors_workspace")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("ALTER TABLE resources NO FORCE ROW LEVEL SECURITY", "forced on, or .* of: resources"),
        ("ALTER TABLE inbox DISABLE ROW LEVEL SECURITY", "forced on, or .* of: inbox"),
        ("ALTER ROLE {role} BYPASSRLS", "bypasses"),
        ("ALTER ROLE {role} SUPERUSER", "bypasses"),
    ],
)
def test_a_host_does_not_start_where_workspaces_are_open(
    office: Office, role: str, change: str, complaint: str
) -> None:
    """A table that the script didn't see, or a role that isn't held, is named together with the remedy."""
    execute(office.connectors.settings.database_url, change.format(role=role))
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        office.connectors.start()
    assert "db row-level-security" in caught.value.remedy


def test_an_application_may_sign_in_as_another_role_than_the_owner(empty_postgresql_url: str, role: str) -> None:
    """Named in the script it works as the operator; before, it is told instead of finding empty tables."""
    app = f"application_{role}"
    execute(empty_postgresql_url, f"CREATE ROLE {app} LOGIN PASSWORD '{app}'; GRANT {role} TO {app}")
    try:
        execute(empty_postgresql_url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {app}")
        url = make_url(empty_postgresql_url).set(username=app, password=app).render_as_string(hide_password=False)
        settings = Settings(database_url=url, keys={"2026": KEY}, workspace_role=role)
        with (
            Connectors(settings) as connectors,
            pytest.raises(ConfigurationError, match="shuts the operator out of"),
        ):
            connectors.start()
        execute(empty_postgresql_url, row_level_security(role=role, sign_in_role=app))
        with open_office(url, workspace_role=role) as office:
            office.connectors.start()
            office.connect("mona", "w1")
            with office.connectors.confined("w2"):
                assert office.connectors.installations("w1") == []
            assert len(office.connectors.installations("w1")) == 1
    finally:
        execute(empty_postgresql_url, f"DROP OWNED BY {app}; DROP ROLE {app}")


def test_a_host_does_not_start_without_the_role(empty_postgresql_url: str) -> None:
    """A role that nobody made is named."""
    settings = Settings(database_url=empty_postgresql_url, keys={"2026": KEY}, workspace_role="nobody_made_it")
    with Connectors(settings) as connectors:
        connectors.upgrade()
        with pytest.raises(ConfigurationError, match="is missing"):
            connectors.start()


@pytest.mark.parametrize("name", ["", "Robert", "x; DROP TABLE audit", 'a"b', "x" * 64])
def test_only_plain_names_of_roles_get_into_the_script(name: str) -> None:
    """A name that PostgreSQL would read otherwise is refused instead of quoted."""
    with pytest.raises(ConfigurationError, match="plain name"):
        row_level_security(role=name)


def test_the_command_prints_the_script() -> None:
    """It names every table with a workspace, and needs neither settings nor a database."""
    printed = CliRunner().invoke(commands, ["db", "row-level-security", "--role", "held", "--sign-in-role", "app"])
    assert printed.output == row_level_security(role="held", sign_in_role="app")
    assert "TO CURRENT_USER, app USING (true)" in printed.output
    assert {f"ALTER TABLE {table.name} FORCE" in printed.output for table in confined_tables()} == {True}
    assert signals.name in printed.output


@pytest.mark.parametrize("page", ["reauthorise", "link"])
def test_pages_are_confined_to_the_visitor(office: Office, page: str) -> None:
    """Whoever presses the button for another workspace's installation finds none, whatever is filtered."""
    made = office.connect("mona", "w1")
    eve = who("eve", "w2")
    application = Application(office.connectors, identify=lambda _: eve)
    form = urlencode({TOKEN_FIELD: form_token(eve)}).encode()
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": f"/{page}/{made.id}", "wsgi.input": io.BytesIO(form)}
    environ["CONTENT_LENGTH"] = str(len(form))
    with without_filters(office.connectors.store):
        shown = b"".join(application(environ, lambda *_: None)).decode()
        office.connectors.installation("w2", made.id)  # there it is, for whoever isn't confined
    assert "there is no such installation" in shown
