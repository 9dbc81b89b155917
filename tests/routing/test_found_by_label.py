"""Deliveries that know no id of an account or a resource: address and key find it, and decide nothing more."""

from __future__ import annotations

from speckitty_connectors import Change, Resource
from speckitty_connectors.links import repository as links
from speckitty_connectors.links.types import LinkStatus, UserLink
from speckitty_connectors.routing.types import Stage
from speckitty_connectors.store.engine import Store
from testbed.inbound import Inbound, card, change
from testbed.layers import MOMENT, add_installation, add_resources, installation_of

KITCHEN = "https://kitchen.example"


def addressed(url: str) -> dict[str, object]:
    """Return the document of an event in an account that only its address names."""
    return card() | {"account": {"id": "", "url": url}}


def test_the_address_of_an_account_finds_its_installations(store: Store) -> None:
    """Every workspace that connected the account gets the event; one of another address gets none."""
    inbound = Inbound.on(store)
    for workspace, url in (("w1", KITCHEN), ("w2", KITCHEN), ("w3", "https://other.example")):
        add_installation(store, workspace, account_url=url)
    event_id = inbound.deliver(inbound.endpoint(), addressed(KITCHEN))
    inbound.router().route_due()
    assert [len(inbound.decisions(event_id, workspace)) for workspace in ("w1", "w2", "w3")] == [1, 1, 0]


def test_an_address_that_nobody_connected_waits_for_a_person(store: Store) -> None:
    """The review item names the address, so that an operator sees who isn't connected."""
    inbound = Inbound.on(store)
    add_installation(store, account_url=KITCHEN)
    inbound.deliver(inbound.endpoint(), addressed("https://stranger.example"))
    inbound.router().route_due()
    (item,) = inbound.review_items("")
    assert (item.reason, item.subject.id) == ("unknown_installation", "https://stranger.example")


def test_a_hook_of_one_installation_speaks_for_its_own_address_alone(store: Store) -> None:
    """What a customer's own secret signed for another address is stopped, and shown to them."""
    inbound = Inbound.on(store)
    installation = add_installation(store, account_url=KITCHEN)
    add_resources(store, installation)
    hook = inbound.endpoint(workspace="w1", installation_id=installation.id)
    own, foreign = (inbound.deliver(hook, addressed(url)) for url in (KITCHEN, "https://other.example"))
    inbound.router().route_due()
    assert inbound.decision(own).rule == "no_mapping"
    assert inbound.decision(foreign).rule == "principal_conflict"


def test_a_hook_of_one_installation_ends_the_links_under_it_alone(store: Store) -> None:
    """A customer's hook may tell who left, but nothing of other installations."""
    inbound = Inbound.on(store)
    own, other = (add_installation(store, workspace, granted_by="u1") for workspace in ("w1", "w2"))
    with store.transaction() as connection:
        for installation in (own, other):
            link = UserLink(
                workspace=installation.workspace,
                id=f"link-{installation.workspace}",
                installation_id=installation.id,
                member="mona",
                provider="fake",
                host="fake.example",
                external_id="u1",
                created_at=MOMENT,
                updated_at=MOMENT,
            )
            links.add(connection, link)
    hook = inbound.endpoint(workspace="w1", installation_id=own.id)
    event_id = inbound.deliver(hook, change(Change.LINK_REVOKED, identities=[{"id": "u1"}]))
    inbound.router().route_due()
    assert inbound.decision(event_id).stage is Stage.LIFECYCLE
    with store.reading() as connection:
        statuses = [links.get(connection, workspace=w, link_id=f"link-{w}").status for w in ("w1", "w2")]
    assert statuses == [LinkStatus.REVOKED, LinkStatus.ACTIVE]
    assert installation_of(store, own).status == "needs_reauthorisation"
    assert installation_of(store, other).status == "active"


def test_a_resource_that_a_delivery_knows_by_its_key_alone_is_found_by_it(store: Store) -> None:
    """The one resource of that key today is meant; a key that none or several have goes to a person."""
    inbound = Inbound.on(store)
    installation = add_installation(store)
    add_resources(
        store,
        installation,
        Resource(kind="board", id="b1", key="menu"),
        Resource(kind="board", id="b2", key="twice"),
        Resource(kind="board", id="b3", key="twice"),
    )
    inbound.map(installation, "b1", "apollo")
    endpoint = inbound.endpoint()
    known, unknown, twice = (
        inbound.deliver(endpoint, card() | {"board": {"id": "", "key": key}}) for key in ("menu", "soup", "twice")
    )
    inbound.router().route_due()
    assert [routed.target.id for routed in inbound.decision(known).targets] == ["apollo"]
    assert {inbound.decision(each).rule for each in (unknown, twice)} == {"no_mapping"}
