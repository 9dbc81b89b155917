"""Who deviates from the defaults, and what a change of them would touch."""

from __future__ import annotations

import pytest
from attrs import evolve

from speckitty_connectors import ConflictError, PolicyScope, Resource, ResourceReference, Target
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.policy.service import Policies
from speckitty_connectors.store.engine import Store
from testbed.layers import add_installation, add_resources, audited

WORKSPACE = PolicyScope(workspace="w1", provider="fake")
MONA = "member:mona"


def project(name: str) -> PolicyScope:
    """Return the scope of a project's exceptions."""
    return evolve(WORKSPACE, project_id=name)


def map_board(store: Store, installation: Installation, target: Target) -> None:
    """Map the installation's board to a target."""
    Mappings(store).create(
        workspace="w1",
        installation_id=installation.id,
        resource=ResourceReference(kind="board", id="b1"),
        target=target,
        actor=MONA,
    )


def test_projects_that_differ_from_the_default_are_told(
    store: Store, policies: Policies, installation: Installation
) -> None:
    """An exception that says what the default says, or that a lock overrules, is no deviation."""
    policies.set(WORKSPACE, fields={"digest_hours": 12}, actor=MONA)
    policies.set(project("apollo"), fields={"digest_hours": 1, "labels": ["x"]}, actor="member:ada")
    policies.set(project("gemini"), fields={"digest_hours": 12}, actor=MONA)
    policies.lock(evolve(WORKSPACE, installation_id=installation.id), fields=["labels"], actor=MONA)
    (found,) = policies.deviations(workspace="w1", installation_id=installation.id)
    assert (found.project_id, found.field, found.before.value, found.after.value) == (
        "apollo",
        "digest_hours",
        12,
        1,
    )
    assert "digest_hours 12 (workspace, by member:mona" in str(found)
    policies.clear(project("apollo"), actor=MONA)
    assert policies.deviations(workspace="w1", installation_id=installation.id) == ()


def test_a_dry_run_tells_what_a_default_would_touch_and_changes_nothing(
    store: Store, policies: Policies, installation: Installation
) -> None:
    """Mapped projects that inherit are touched, those with an exception of their own and feeds aren't."""
    add_resources(store, installation, Resource(kind="board", id="b1", key="kitchen/b1"))
    for target in (
        Target(kind="project", id="apollo"),
        Target(kind="project", id="gemini"),
        Target(kind="feed", id="all"),
    ):
        map_board(store, installation, target)
    policies.set(project("gemini"), fields={"digest_hours": 1}, actor=MONA)
    elsewhere = add_installation(store, account_id="8")
    policies.set(evolve(WORKSPACE, installation_id=elsewhere.id), fields={"digest_hours": 2}, actor=MONA)
    before = audited(store)
    touched = policies.touched_by(WORKSPACE, fields={"digest_hours": 12})
    assert [(each.installation_id, each.project_id, each.before.value, each.after.value) for each in touched] == [
        (installation.id, "", 24, 12),
        (installation.id, "apollo", 24, 12),
    ]
    assert policies.get(WORKSPACE).statements == {}
    assert audited(store) == before
    assert policies.touched_by(WORKSPACE, fields={"digest_hours": 24}) == ()


def test_a_dry_run_is_refused_like_the_change(policies: Policies, installation: Installation) -> None:
    """What couldn't be set can't be tried."""
    policies.lock(WORKSPACE, fields=["digest_hours"], actor=MONA)
    with pytest.raises(ConflictError):
        policies.touched_by(evolve(WORKSPACE, installation_id=installation.id), fields={"digest_hours": 1})
