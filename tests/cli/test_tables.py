"""What commands print on a terminal of 80 columns, with ids, names and reasons as long as real ones are."""

from __future__ import annotations

from pathlib import Path

import pytest

from speckitty_connectors import Resource, ResourceReference, Selector, Target
from speckitty_connectors.cli.printing import Row, table
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.loading import registry
from speckitty_connectors.loading.discovery import PluginEntryPoint, discover
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.providers.deliveries import Event
from speckitty_connectors.routing.review.holding import HeldDecision, hold_all
from speckitty_connectors.routing.types import NO_MAPPING, Decision, for_review
from speckitty_connectors.routing.write import add_all
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, add_resources
from testbed.shell import WIDTH, Shell

PROJECT = Target(kind="project", id="0195f3c2-7d1e-7c52-9b0c-5a4be2f10c77")
KEY = "spec-kitty-enterprises/platform/services/identity-gateway"
SETTINGS = """
[[apps]]
provider = "gitlab"
client_id = "0b1c8a7d6e5f40312a9b8c7d6e5f40312a9b8c7d6e5f40312a9b8c7d6e5f4031"
client_secret = "env:A_SECRET"
webhook_secrets = ["env:A_SECRET"]
base_url = "https://gitlab.internal.spec-kitty-enterprises.example"
"""


class Host(Shell):
    """A host whose names are as long as those of a large customer."""

    def __init__(self, store: Store, folder: Path) -> None:
        file = folder / "connectors.toml"
        file.write_text(SETTINGS)
        super().__init__(store, SPECKITTY_CONNECTORS_CONFIG=str(file), A_SECRET="a secret of sixteen bytes")
        self.environment["SPECKITTY_CONNECTORS_PUBLIC_URL"] = "https://app.spec-kitty.example/connectors"
        self.workspace = new_id()
        installation = add_installation(
            store,
            self.workspace,
            provider="gitlab",
            host="gitlab.internal.spec-kitty-enterprises.example",
            account_name="spec-kitty-enterprises/platform",
            status=InstallationStatus.NEEDS_REAUTHORISATION,
            status_reason="grantor_left",
        )
        add_resources(store, installation, Resource(kind="project", id="61234567", key=KEY))
        resource = ResourceReference(kind="project", id="61234567")
        mapping = Mappings(store).create(
            workspace=self.workspace,
            installation_id=installation.id,
            resource=resource,
            target=PROJECT,
            selector=Selector(paths=("services/identity/**",), branches=("release/*",)),
            actor="member:0195f3c2-7d1e-7c52-9b0c-5a4be2f10c99",
        )
        item_id = self._hold(store, installation.id, resource)
        self.ids = {
            "installations": installation.id,
            "mappings": mapping.id,
            "review": item_id,
            "audit": mapping.id,
        }

    def _hold(self, store: Store, installation_id: str, resource: ResourceReference) -> str:
        """Let an event wait for a person; return the id of its review item."""
        conclusion = for_review(NO_MAPPING)
        decision = Decision(
            id=new_id(),
            workspace=self.workspace,
            event_id=new_id(),
            installation_id=installation_id,
            stage=conclusion.stage,
            rule=conclusion.rule,
            outcome=Event(kind="merge_request", resources=(resource,)),
            targets=(),
            evidence=conclusion.evidence,
            decided_at=MOMENT,
        )
        subject = ResourceReference(kind="project", id=resource.id, key=KEY)
        with store.transaction() as connection:
            add_all(connection, [decision])
            waiting = HeldDecision(decision=decision, provider="gitlab", host="gitlab.com", subject=subject)
            hold_all(connection, [waiting])
        [row] = self.read("review", "list", self.workspace)
        return str(row["id"])


@pytest.fixture
def host(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with all installed plugins, and one that can't be loaded."""
    broken = PluginEntryPoint(
        provider="acme",
        value="acme_boards.of_a_module_that_is_gone:plugin",
        distribution="acme-boards",
        version="1.2",
    )
    monkeypatch.setattr(registry, "discover", lambda: (*discover(), broken))
    return Host(store, tmp_path)


@pytest.mark.parametrize(
    "arguments",
    ["providers", "providers -v", "providers --check", "apps", "doctor", "installations list", "mappings list",
     "review list", "audit list"],
)  # fmt: skip
def test_what_is_printed_fits_80_columns(host: Host, arguments: str) -> None:
    """No line is longer than the terminal is wide, save by one long word; and ids are there in one piece."""
    group, *rest = arguments.split()
    printed = host.invoke(group, *rest, *([host.workspace] if group in host.ids else [])).output
    assert [line for line in printed.splitlines() if len(line) > WIDTH and len(line.split()) > 1] == []
    assert host.ids.get(group, "") in printed


def test_urls_are_printed_in_one_piece(host: Host) -> None:
    """So that they can be copied into the provider's pages."""
    [app] = host.read("apps")
    words = host.run("apps").split()
    assert {app["webhook_url"], app["callback_url"], app["client_id"]} <= set(words)


def test_a_table_has_only_columns_that_say_something() -> None:
    """A column that is empty in every row is left out; one row's own gaps aren't."""
    rows: list[Row] = [{"id": "1", "note": "", "by": "mona"}, {"id": "2", "note": "", "by": None}]
    assert [*table(rows, ("id", "note", "by"), width=WIDTH)] == ["id  by", "1   mona", "2"]


def test_a_long_text_at_the_end_of_a_row_goes_on_below_it() -> None:
    """The other columns stay one below the other."""
    lines = [*table([{"id": "a" * 20, "text": "word " * 10}], ("id", "text"), width=60)]
    assert lines[1:] == [f"{'a' * 20}  word word word word word word word", f"{'':22}word word word"]


def test_where_an_id_would_be_cut_a_row_is_a_block() -> None:
    """Each column is on a line of its own then, and an empty one on none."""
    rows = [{"id": "a" * 36, "old_id": "b" * 36, "to": ""}, {"id": "c" * 36, "old_id": "", "to": "d" * 36}]
    assert [*table(rows, ("id", "old_id", "to"), width=WIDTH)] == [
        f"id      {'a' * 36}",
        f"old id  {'b' * 36}",
        "",
        f"id  {'c' * 36}",
        f"to  {'d' * 36}",
    ]
