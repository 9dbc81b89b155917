"""Jira from the first consent to the last delivery, over real HTTP on loopback and on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from speckitty_connectors import ConnectorsError
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors_jira.standin import documents
from testbed.clock import FrozenClock
from testbed.jira import FIRST, WORKSPACE, Site, open_site

AT = 1_767_323_045_678
SECOND = str(documents.FIRST_PROJECT_ID + 1)


@pytest.fixture
def site(database_url: str) -> Iterator[Site]:
    """A workspace beside a Jira that nobody has connected yet."""
    with open_site(database_url) as opened:
        yield opened


def test_a_site_is_connected_listed_and_routed(site: Site) -> None:
    """The cloud id is the account; 25 projects come on three pages; an issue of the mapped project arrives once."""
    installation = site.set_up()
    assert (installation.account_id, installation.account_kind) == (documents.CLOUD_ID, "site")
    assert (installation.account_url, installation.granted_by) == (documents.SITE, documents.ACCOUNT_ID)
    assert len(site.connectors.inventory.resources(WORKSPACE, installation.id)) == documents.PROJECT_COUNT
    told: dict[str, Any] = {
        "issue": documents.issue(documents.project(0), 12),
        "user": documents.user(),
        "timestamp": AT,
    }
    codes = [site.tell("jira:issue_created", delivery="d1", **told).code for _ in range(2)]
    assert codes == ["accepted", "duplicate"]
    (dispatch,) = site.dispatched
    assert (dispatch.event.subject, dispatch.event.kind) == ("HELLO-12", "jira:issue_created")


def test_a_person_who_connects_and_links_has_one_grant(site: Site) -> None:
    """Atlassian keeps one grant for an app and a person: the link renews the installation's and leaves it."""
    installation = site.connect()
    link = site.link(installation)
    assert (link.external_id, link.credential_id) == (documents.ACCOUNT_ID, "")
    site.sync(installation)
    site.connectors.links.revoke(workspace=WORKSPACE, link_id=link.id, actor="member:mona")
    site.sync(installation)


def test_a_comment_without_its_issue_waits_for_a_person(site: Site) -> None:
    """Its project isn't known, so it is neither routed nor lost."""
    site.set_up()
    link = f"{documents.SITE}/rest/api/2/issue/20012/comment/30001"
    answer = site.tell("comment_created", delivery="d1", comment={"id": "30001", "self": link})
    assert answer.status == 202
    assert [(each.decision.stage, each.decision.rule) for each in site.decisions("d1")] == [
        ("review", "no_resource")
    ]


def test_an_issue_that_moved_is_routed_by_its_new_project(site: Site) -> None:
    """From the moment it moves, it belongs to the mappings of where it is."""
    site.set_up()
    issue = documents.issue(documents.project(1), 7)
    moved = {"id": "40001", "items": [{"field": "project", "fieldId": "project", "from": FIRST, "to": SECOND}]}
    site.tell("jira:issue_updated", delivery="d1", issue=issue, changelog=moved)
    (item,) = site.connectors.review.list(workspace=WORKSPACE)
    assert (item.subject.id, site.dispatched) == (SECOND, [])


def test_an_issue_without_its_project_is_found_by_its_key(site: Site) -> None:
    """Atlassian's own sample leaves the project out: the key of today tells it."""
    site.set_up()
    issue = {**documents.issue(documents.project(0), 12), "fields": {"summary": "soup"}}
    site.tell("jira:issue_updated", issue=issue)
    assert [dispatch.event.subject for dispatch in site.dispatched] == ["HELLO-12"]


def test_one_webhook_follows_the_mappings(site: Site) -> None:
    """A mapping takes a new webhook for all mapped projects, and the old one goes only then."""
    installation = site.set_up()
    assert [each["jqlFilter"] for each in site.stand_in.registered.listed()] == [f"project IN ({FIRST})"]
    site.map_project(installation, SECOND)
    assert site.subscribe(installation) == ["2"]
    assert [each["jqlFilter"] for each in site.stand_in.registered.listed()] == [f"project IN ({FIRST}, {SECOND})"]
    site.connectors.onboarding.remove(workspace=WORKSPACE, actor="member:mona", installation_id=installation.id)
    assert site.stand_in.registered.listed() == []


def test_an_end_of_thirty_days_is_put_off_well_before(database_url: str) -> None:
    """No delivery tells of the end: from the fifteenth day on, the webhook is extended."""
    clock = FrozenClock()
    with open_site(database_url, clock) as site:
        installation = site.set_up()
        (webhook,) = site.connectors.subscriptions.webhooks(workspace=WORKSPACE, installation_id=installation.id)
        assert webhook.expires_at is not None
        site.stand_in.registered.listed()[0]["expirationDate"] = (clock() + timedelta(days=10)).isoformat()
        clock.advance(timedelta(days=1).total_seconds())
        assert site.connectors.subscriptions.sync_due() == 1
        (renewed,) = site.connectors.subscriptions.webhooks(workspace=WORKSPACE, installation_id=installation.id)
        assert renewed.registration == webhook.registration
        assert site.stand_in.registered.listed()[0]["expirationDate"].endswith("+0000")


def test_two_workspaces_on_one_site_each_get_what_their_webhook_sent(site: Site) -> None:
    """The site alone doesn't tell whose it is: the ids of the webhooks do, and one that nobody holds is stopped."""
    own = site.set_up()
    other = site.connect(workspace="w2")
    site.sync(other)
    site.map_project(other, SECOND)
    assert site.subscribe(other) == ["2"]
    issue = documents.issue(documents.project(1), 7)
    site.tell("jira:issue_created", delivery="d1", matched=[2], issue=issue)
    with pytest.raises(ConnectorsError):
        site.decisions("d1")
    assert [each.decision.installation_id for each in site.decisions("d1", "w2")] == [other.id]
    site.tell("jira:issue_created", delivery="d2", matched=[99], issue=issue)
    assert [item.reason for item in site.connectors.review.list(workspace="")] == ["unknown_installation"]
    assert own.account_id == other.account_id


def test_equal_ids_of_two_sites_are_two_deliveries(site: Site) -> None:
    """Atlassian's delivery ids are unique within a site only."""
    site.set_up()
    for number in (12, 13):
        issue = documents.issue(documents.project(0), number)
        assert site.tell("jira:issue_created", delivery="same", issue=issue).status == 202
    assert [dispatch.event.subject for dispatch in site.dispatched] == ["HELLO-12", "HELLO-13"]


def test_an_admin_webhook_speaks_for_its_own_site_alone(site: Site) -> None:
    """A customer holds its secret: what it signs in another site's name goes to a person of their own workspace."""
    installation = site.set_up()
    webhook = site.admin_webhook(installation)
    issue = documents.issue(documents.project(0), 12)
    webhook.tell("jira:issue_created", delivery="d1", issue=issue)
    foreign = {**issue, "self": "https://stranger.atlassian.net/rest/api/2/issue/20012"}
    webhook.tell("jira:issue_created", delivery="d2", issue=foreign)
    assert [dispatch.event.subject for dispatch in site.dispatched] == ["HELLO-12"]
    assert [each.decision.rule for each in site.decisions("d2")] == ["principal_conflict"]


def test_data_center_is_connected_at_its_own_address(site: Site) -> None:
    """Another flow with PKCE, no pages, no cloud id, and webhooks that an administrator enters."""
    installation = site.connect(host=site.data_center_host)
    base = f"http://{site.data_center_host}"
    assert (installation.account_id, installation.account_kind) == (base, "server")
    assert (installation.granted_by, installation.scopes) == (documents.USER_KEY, ("READ",))
    site.sync(installation)
    site.map_project(installation)
    result = site.connectors.subscriptions.sync(workspace=WORKSPACE, installation_id=installation.id)
    assert "by hand" in result.fault
    assert site.installation(installation).status is InstallationStatus.DEGRADED
    webhook = site.admin_webhook(installation)
    issue = {**documents.issue(documents.project(0), 12), "self": f"{base}/rest/api/2/issue/20012"}
    webhook.tell("jira:issue_updated", issue=issue, user={"key": "JIRAUSER1", "name": "mona"})
    assert [dispatch.event.actor.id for dispatch in site.dispatched if dispatch.event.actor] == ["JIRAUSER1"]


def test_a_personal_access_token_may_take_a_grants_place_on_data_center(site: Site) -> None:
    """It is proved to reach the instance and presented as a bearer; on Cloud nobody is asked for one."""
    installation = site.connect(host=site.data_center_host)
    site.data_center.authorization.revoke()
    with pytest.raises(ConnectorsError):
        site.sync(installation)
    given: dict[str, Any] = {
        "workspace": WORKSPACE,
        "member": "mona",
        "token": site.data_center.authorization.personal_token(),
    }
    entered = site.connectors.entered_tokens.enter(installation_id=installation.id, **given)
    assert (entered.status, entered.granted_by) == (InstallationStatus.ACTIVE, documents.USER_KEY)
    site.sync(entered)
    cloud = site.connect()
    with pytest.raises(ConnectorsError, match="no tokens that can be entered"):
        site.connectors.entered_tokens.enter(installation_id=cloud.id, **given)
