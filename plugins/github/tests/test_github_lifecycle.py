"""Changes of GitHub's own state, each with the delivery that tells of it ("Webhook events and payloads")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from speckitty_connectors.plugin import (
    Account,
    Change,
    ExternalIdentity,
    Ignored,
    Lifecycle,
    Outcome,
    ResourceReference,
)

MONA = {"id": 1001, "login": "mona", "type": "User"}
LISA = {"id": 1002, "login": "lisa", "type": "User"}
ORGANIZATION = {"id": 2001, "login": "octo-org"}
OWNER = {**ORGANIZATION, "type": "Organization"}
REPOSITORY = {
    "id": 7001,
    "name": "hello",
    "full_name": "octo-org/hello",
    "owner": OWNER,
    "updated_at": "2026-01-02T03:04:05Z",
}
SHORT = {"id": 7001, "name": "hello", "full_name": "octo-org/hello", "private": True}
OTHER = {"id": 7002, "name": "menu", "full_name": "octo-org/menu", "private": True}
INSTALLATION = {
    "id": 42,
    "account": OWNER,
    "target_id": 2001,
    "target_type": "Organization",
    "permissions": {"metadata": "read", "contents": "write"},
    "created_at": 1_767_323_045,
    "suspended_at": None,
}

ACCOUNT = Account(id="2001", name="octo-org", kind="organization")
HELLO = ResourceReference(kind="repository", id="7001", key="octo-org/hello")
MENU = ResourceReference(kind="repository", id="7002", key="octo-org/menu")
BY_MONA = ExternalIdentity(id="1001", name="mona", kind="User")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SCOPES = ("contents:write", "metadata:read")

TABLE: list[tuple[str, dict[str, Any], Lifecycle]] = [
    (
        "installation",
        {"action": "created", "installation": INSTALLATION, "repositories": [SHORT, OTHER]},
        Lifecycle(
            change=Change.INSTALLED,
            installation="42",
            account=ACCOUNT,
            resources=(HELLO, MENU),
            scopes=SCOPES,
            occurred_at=AT,
        ),
    ),
    (
        "installation",
        {"action": "created", "installation": INSTALLATION, "repositories": [SHORT], "requester": LISA},
        Lifecycle(
            change=Change.INSTALLED,
            installation="42",
            account=ACCOUNT,
            resources=(HELLO,),
            requester=ExternalIdentity(id="1002", name="lisa", kind="User"),
            scopes=SCOPES,
            occurred_at=AT,
        ),
    ),
    (
        "installation",
        {"action": "created", "installation": INSTALLATION},
        Lifecycle(
            change=Change.INSTALLED, installation="42", account=ACCOUNT, scopes=SCOPES, relist=True, occurred_at=AT
        ),
    ),
    (
        "installation",
        {
            "action": "created",
            "installation": {
                "id": 43,
                "account": {"id": 3001, "slug": "octo-enterprise", "name": "Octo Enterprise"},
                "target_type": "Enterprise",
            },
            "repositories": [SHORT],
        },
        Lifecycle(
            change=Change.INSTALLED,
            installation="43",
            account=Account(id="3001", name="octo-enterprise", kind="enterprise"),
            resources=(HELLO,),
        ),
    ),
    (
        "installation",
        {"action": "deleted", "installation": INSTALLATION, "repositories": [SHORT]},
        Lifecycle(change=Change.UNINSTALLED, installation="42", account=ACCOUNT),
    ),
    (
        "installation",
        {"action": "suspend", "installation": {**INSTALLATION, "suspended_at": "2026-01-02T04:04:05+01:00"}},
        Lifecycle(change=Change.SUSPENDED, installation="42", account=ACCOUNT, occurred_at=AT),
    ),
    (
        "installation",
        {"action": "unsuspend", "installation": INSTALLATION},
        Lifecycle(change=Change.RESUMED, installation="42", account=ACCOUNT),
    ),
    (
        "installation",
        {"action": "new_permissions_accepted", "installation": INSTALLATION},
        Lifecycle(change=Change.SCOPES_CHANGED, installation="42", account=ACCOUNT, scopes=SCOPES),
    ),
    (
        "installation_repositories",
        {
            "action": "added",
            "installation": INSTALLATION,
            "repositories_added": [SHORT],
            "repositories_removed": [],
        },
        Lifecycle(change=Change.RESOURCES_ADDED, installation="42", account=ACCOUNT, resources=(HELLO,)),
    ),
    (
        "installation_repositories",
        {
            "action": "removed",
            "installation": INSTALLATION,
            "repositories_added": [],
            "repositories_removed": [SHORT, OTHER],
        },
        Lifecycle(change=Change.RESOURCES_REMOVED, installation="42", account=ACCOUNT, resources=(HELLO, MENU)),
    ),
    (
        "installation_repositories",
        {
            "action": "removed",
            "installation": INSTALLATION,
            "repository_selection": "selected",
            "repositories_added": [],
            "repositories_removed": [],
        },
        Lifecycle(change=Change.RESOURCES_REMOVED, installation="42", account=ACCOUNT, relist=True),
    ),
    (
        "installation_repositories",
        {
            "action": "added",
            "installation": INSTALLATION,
            "repository_selection": "all",
            "repositories_added": [],
            "repositories_removed": [],
        },
        Lifecycle(change=Change.RESOURCES_ADDED, installation="42", account=ACCOUNT, relist=True),
    ),
    (
        "installation_target",
        {
            "action": "renamed",
            "installation": {"id": 42},
            "account": OWNER,
            "target_type": "Organization",
            "changes": {"login": {"from": "old-org"}},
        },
        Lifecycle(change=Change.ACCOUNT_RENAMED, installation="42", account=ACCOUNT, former=("old-org",)),
    ),
    (
        "installation_target",
        {
            "action": "renamed",
            "installation": {"id": 43},
            "account": {"id": 3001, "slug": "octo-enterprise"},
            "target_type": "Enterprise",
            "changes": {"slug": {"from": "old-enterprise"}},
        },
        Lifecycle(
            change=Change.ACCOUNT_RENAMED,
            installation="43",
            account=Account(id="3001", name="octo-enterprise", kind="enterprise"),
            former=("old-enterprise",),
        ),
    ),
    (
        "organization",
        {
            "action": "renamed",
            "installation": {"id": 42},
            "organization": ORGANIZATION,
            "changes": {"login": {"from": "old-org"}},
        },
        Lifecycle(change=Change.ACCOUNT_RENAMED, installation="42", account=ACCOUNT, former=("old-org",)),
    ),
    (
        "organization",
        {"action": "deleted", "installation": {"id": 42}, "organization": ORGANIZATION},
        Lifecycle(change=Change.ACCOUNT_DELETED, installation="42", account=ACCOUNT),
    ),
    (
        "repository",
        {
            "action": "renamed",
            "installation": {"id": 42},
            "repository": REPOSITORY,
            "changes": {"repository": {"name": {"from": "goodbye"}}},
        },
        Lifecycle(
            change=Change.RESOURCE_RENAMED,
            installation="42",
            account=ACCOUNT,
            resources=(HELLO,),
            former=("octo-org/goodbye",),
            occurred_at=AT,
        ),
    ),
    (
        "repository",
        {
            "action": "transferred",
            "installation": {"id": 42},
            "repository": REPOSITORY,
            "changes": {"owner": {"from": {"user": LISA}}},
        },
        Lifecycle(
            change=Change.RESOURCE_TRANSFERRED,
            installation="42",
            account=ACCOUNT,
            resources=(HELLO,),
            former=("lisa",),
        ),
    ),
    (
        "repository",
        {
            "action": "transferred",
            "installation": {"id": 42},
            "repository": REPOSITORY,
            "changes": {"owner": {"from": {"organization": {"id": 2002, "login": "other-org"}}}},
        },
        Lifecycle(
            change=Change.RESOURCE_TRANSFERRED,
            installation="42",
            account=ACCOUNT,
            resources=(HELLO,),
            former=("other-org",),
        ),
    ),
    (
        "repository",
        {"action": "deleted", "repository": REPOSITORY, "organization": ORGANIZATION},
        Lifecycle(change=Change.RESOURCE_DELETED, account=ACCOUNT, resources=(HELLO,)),
    ),
    *(
        (
            "repository",
            {"action": action, "installation": {"id": 42}, "repository": REPOSITORY},
            Lifecycle(change=change, installation="42", account=ACCOUNT, resources=(HELLO,), occurred_at=AT),
        )
        for action, change in (
            ("archived", Change.RESOURCE_ARCHIVED),
            ("unarchived", Change.RESOURCE_RESTORED),
            ("privatized", Change.VISIBILITY_CHANGED),
            ("publicized", Change.VISIBILITY_CHANGED),
        )
    ),
    (
        "public",
        {"repository": REPOSITORY},
        Lifecycle(change=Change.VISIBILITY_CHANGED, account=ACCOUNT, resources=(HELLO,), occurred_at=AT),
    ),
    *(
        (
            "repository",
            {"action": action, "repository": {**REPOSITORY, "private": private}},
            Lifecycle(
                change=Change.VISIBILITY_CHANGED,
                account=ACCOUNT,
                resources=(HELLO,),
                private=private,
                occurred_at=AT,
            ),
        )
        for action, private in (("privatized", True), ("publicized", False))
    ),
    (
        "meta",
        {"action": "deleted", "hook_id": 9, "hook": {"type": "Repository"}, "repository": REPOSITORY},
        Lifecycle(change=Change.HOOK_REMOVED, account=ACCOUNT, resources=(HELLO,)),
    ),
    (
        "meta",
        {"action": "deleted", "hook_id": 9, "hook": {"type": "Organization"}, "organization": ORGANIZATION},
        Lifecycle(change=Change.HOOK_REMOVED, account=ACCOUNT),
    ),
]


@pytest.mark.parametrize(
    ("kind", "document", "expected"), TABLE, ids=[f"{kind}-{row.get('action')}" for kind, row, _ in TABLE]
)
def test_a_change_of_githubs_state_is_told(
    route: Callable[..., Outcome], kind: str, document: dict[str, Any], expected: Lifecycle
) -> None:
    """Each delivery about GitHub's own state comes out as the change it tells of, with ids, names and time."""
    assert route(kind, {**document, "sender": MONA}) == evolve(expected, actor=BY_MONA)


def test_a_revoked_authorisation_names_the_person_and_no_installation(route: Callable[..., Outcome]) -> None:
    """The end of a person's authorisation is told by their numeric id alone."""
    outcome = route("github_app_authorization", {"action": "revoked", "sender": MONA})
    assert outcome == Lifecycle(change=Change.LINK_REVOKED, identities=(BY_MONA,), actor=BY_MONA)


def test_a_renamed_account_needs_no_sender(route: Callable[..., Outcome]) -> None:
    """`installation_target` may come without a sender; the change is told without an actor."""
    document = {"action": "renamed", "installation": {"id": 42}, "account": OWNER, "changes": {}}
    assert route("installation_target", document) == Lifecycle(
        change=Change.ACCOUNT_RENAMED, installation="42", account=ACCOUNT
    )


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("installation", {"action": "deleted"}),
        ("installation", {"action": "deleted", "installation": {"account": OWNER}}),
        ("installation", {"action": "suspend", "installation": "42"}),
        ("installation", {"action": "created", "installation": {"id": True}}),
        ("installation_repositories", {"action": "added", "repositories_added": [SHORT]}),
        ("repository", {"action": "renamed", "repository": {"full_name": "octo-org/hello"}}),
        ("repository", {"action": "transferred", "repository": None}),
        ("organization", {"action": "renamed", "organization": {"login": "octo-org"}}),
        ("github_app_authorization", {"action": "revoked", "sender": {"login": "mona"}}),
        ("github_app_authorization", {"action": "revoked"}),
        ("public", {}),
    ],
)
def test_a_change_that_names_nothing_is_ignored(
    route: Callable[..., Outcome], kind: str, document: dict[str, Any]
) -> None:
    """Without the immutable id of what changed nothing is changed: names alone decide nothing."""
    assert isinstance(route(kind, document), Ignored)


def test_an_action_nobody_knows_changes_nothing(route: Callable[..., Outcome]) -> None:
    """An action that GitHub may add tomorrow is ignored, and the reason names its kind and action."""
    outcome = route("installation", {"action": "frozen", "installation": INSTALLATION, "sender": MONA})
    assert outcome == Ignored(reason="installation.frozen concerns no repository")


def test_broken_details_of_a_change_do_not_lose_it(route: Callable[..., Outcome]) -> None:
    """What a change needs is its id; every other field may be of any type."""
    document = {
        "action": "renamed",
        "installation": [],
        "repository": {"id": 7001, "full_name": 5, "owner": "octo-org", "updated_at": "soon"},
        "changes": {"repository": {"name": ["goodbye"]}},
        "sender": 12,
    }
    assert route("repository", document) == Lifecycle(
        change=Change.RESOURCE_RENAMED, resources=(ResourceReference(kind="repository", id="7001"),)
    )


@pytest.mark.parametrize(
    "kind", ["installation", "installation_repositories", "installation_target", "organization"]
)
@pytest.mark.parametrize("action", ["created", "deleted", "suspend", "removed", "renamed"])
def test_the_body_of_another_event_changes_no_installation(
    route: Callable[..., Outcome], kind: str, action: str
) -> None:
    """The header with the kind isn't signed: a captured comment that is resent as one of these removes nothing."""
    body = {
        "action": action,
        "comment": {"id": 1},
        "issue": {"number": 4},
        "installation": {"id": 42},
        "repository": REPOSITORY,
        "organization": ORGANIZATION,
        "sender": MONA,
    }
    assert not isinstance(route(kind, body), Lifecycle)
