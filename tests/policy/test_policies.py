"""Defaults, exceptions and locks: what each level says, and what holds in the end."""

from __future__ import annotations

import pytest
from attrs import evolve

from speckitty_connectors import ConfigurationError, ConflictError, CoreIssueField, NotFoundError, PolicyScope
from speckitty_connectors.contract.fake import FakePolicy
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.policy import repository
from speckitty_connectors.policy.service import Policies
from speckitty_connectors.policy.types import EffectivePolicy, Level
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, audited

WORKSPACE = PolicyScope(workspace="w1", provider="fake")
APOLLO = evolve(WORKSPACE, project_id="apollo")
MONA = "member:mona"


def of(installation: Installation) -> PolicyScope:
    """Return the scope of an installation's defaults."""
    return evolve(WORKSPACE, installation_id=installation.id)


def holding(policies: Policies, installation: Installation, project: str = "apollo") -> EffectivePolicy:
    """Return what holds for a project."""
    return policies.effective(workspace="w1", installation_id=installation.id, project_id=project)


def test_the_library_speaks_where_nobody_else_does(policies: Policies, installation: Installation) -> None:
    """Without a word from anyone, the defaults of core and of the plugin hold, and say where they come from."""
    policy = holding(policies, installation)
    assert policy.own == FakePolicy()
    assert policy.core.owner(CoreIssueField.TITLE).value == "external"
    assert {said.source.level for said in policy.statements.values() if said.source} == {Level.LIBRARY}
    assert policy.exceptions == {}


def test_each_level_goes_further_than_the_broader_one(policies: Policies, installation: Installation) -> None:
    """The narrowest word holds, field by field, and each value has its level, author and moment."""
    policies.set(WORKSPACE, fields={"digest_hours": 12, "labels": ["a"], "muted_kinds": ["star"]}, actor=MONA)
    policies.set(of(installation), fields={"labels": ["b"], "muted_kinds": ["fork"]}, actor="member:ada")
    policies.set(APOLLO, fields={"muted_kinds": None}, actor="member:eve")
    policy = holding(policies, installation)
    assert policy.own == FakePolicy(digest_hours=12, labels=("b",))
    assert policy.core.muted_kinds is None
    sources = {name: said.source for name, said in policy.exceptions.items()}
    assert {name: (each.level, each.actor) for name, each in sources.items() if each} == {
        "digest_hours": (Level.WORKSPACE, MONA),
        "labels": (Level.INSTALLATION, "member:ada"),
        "muted_kinds": (Level.PROJECT, "member:eve"),
    }
    assert all(each and each.at for each in sources.values())
    assert holding(policies, installation, project="").core.muted_kinds == ("fork",)
    assert "digest_hours = 12 (workspace, by member:mona at" in "\n".join(policy.lines())


def test_none_is_set_and_a_cleared_field_inherits(policies: Policies, installation: Installation) -> None:
    """None is a value of its own, apart from a field that isn't named; clearing one leaves the others."""
    policies.set(WORKSPACE, fields={"digest_hours": 12}, actor=MONA)
    policies.set(APOLLO, fields={"digest_hours": None, "labels": ["urgent"]}, actor=MONA)
    assert policies.get(APOLLO).fields == {"digest_hours": None, "labels": ["urgent"]}
    assert holding(policies, installation).own == FakePolicy(digest_hours=None, labels=("urgent",))
    policies.clear(APOLLO, fields=["digest_hours"], actor=MONA)
    assert holding(policies, installation).own == FakePolicy(digest_hours=12, labels=("urgent",))


def test_a_reset_inherits_everything_and_each_change_is_audited_once(
    store: Store, policies: Policies, installation: Installation
) -> None:
    """What changes nothing isn't a change."""
    for _ in range(2):
        policies.set(APOLLO, fields={"digest_hours": None}, actor=MONA)
    for _ in range(2):
        policies.lock(of(installation), fields=["labels"], actor=MONA)
    for _ in range(2):
        policies.clear(APOLLO, actor=MONA)
    for _ in range(2):
        policies.unlock(of(installation), fields=["labels"], actor=MONA)
    assert holding(policies, installation).exceptions == {}
    assert policies.get(APOLLO).statements == {}
    assert audited(store) == ["policy.cleared", "policy.locked", "policy.set", "policy.unlocked"]


def test_another_workspace_sees_nothing_of_it(store: Store, policies: Policies, installation: Installation) -> None:
    """The same project id in another workspace is another project, and its installations can't be named."""
    theirs = add_installation(store, workspace="w2")
    for scope in (WORKSPACE, of(installation), APOLLO):
        policies.set(scope, fields={"digest_hours": 1}, actor=MONA)
    policies.clear(evolve(APOLLO, workspace="w2"), actor="member:eve")
    there = policies.effective(workspace="w2", installation_id=theirs.id, project_id="apollo")
    assert there.exceptions == {}
    assert policies.get(APOLLO).fields == {"digest_hours": 1}
    with pytest.raises(NotFoundError):
        policies.set(evolve(of(installation), workspace="w2"), fields={"digest_hours": 1}, actor="member:eve")
    with pytest.raises(NotFoundError):
        policies.effective(workspace="w2", installation_id=installation.id)


def test_a_locked_field_cannot_be_set_below(policies: Policies, installation: Installation) -> None:
    """Who tries is told at which level it is locked, by whom, and that this is where to ask; others stay open."""
    policies.set(WORKSPACE, fields={"digest_hours": 12}, actor=MONA)
    policies.lock(WORKSPACE, fields=["digest_hours"], actor=MONA)
    for scope in (of(installation), APOLLO):
        with pytest.raises(ConflictError, match=r"digest_hours is locked: workspace, by member:mona.*unlocked"):
            policies.set(scope, fields={"digest_hours": 1}, actor="member:eve")
        policies.set(scope, fields={"labels": ["x"]}, actor="member:eve")
    with pytest.raises(ConflictError):
        policies.lock(of(installation), fields=["digest_hours"], actor="member:eve")
    policies.set(WORKSPACE, fields={"digest_hours": 6}, actor=MONA)
    assert holding(policies, installation).own == FakePolicy(digest_hours=6, labels=("x",))


def test_a_lock_overrules_what_was_said_before_until_it_is_gone(
    policies: Policies, installation: Installation
) -> None:
    """An exception waits under a lock, even one that locks what is inherited there."""
    policies.set(APOLLO, fields={"digest_hours": 1}, actor=MONA)
    policies.lock(of(installation), fields=["digest_hours"], actor="member:ada")
    policy = holding(policies, installation)
    assert policy.own == FakePolicy()
    lock = policy.statements["digest_hours"].lock
    assert lock is not None
    assert (lock.level, lock.actor) == (Level.INSTALLATION, "member:ada")
    policies.unlock(of(installation), fields=["digest_hours"], actor="member:ada")
    assert holding(policies, installation).own == FakePolicy(digest_hours=1)


def test_an_exception_may_be_set_where_some_installation_lets_it_hold(
    store: Store, policies: Policies, installation: Installation
) -> None:
    """It is refused where every connected installation locks the field; one that was removed doesn't count."""
    other = add_installation(store, account_id="8")
    add_installation(store, account_id="9", status=InstallationStatus.REMOVED)
    policies.lock(of(installation), fields=["digest_hours"], actor=MONA)
    policies.set(APOLLO, fields={"digest_hours": 1}, actor=MONA)
    assert holding(policies, installation).own == FakePolicy()
    assert holding(policies, other).own == FakePolicy(digest_hours=1)
    policies.lock(of(other), fields=["digest_hours"], actor=MONA)
    with pytest.raises(ConflictError):
        policies.set(APOLLO, fields={"digest_hours": 2}, actor=MONA)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"digest_hour": 1}, r"no field 'digest_hour'.*did you mean digest_hours"),
        ({"zzz": 1}, r"no field 'zzz'.*its fields are doctrine_mode"),
        ({"digest_hours": "12"}, r"\$\.digest_hours"),
        ({"digest_hours": True}, r"\$\.digest_hours"),
        ({"labels": "urgent"}, r"\$\.labels"),
        ({"labels": ["urgent", 1]}, r"\$\.labels\[1\]"),
        ({"doctrine_mode": None}, r"\$\.doctrine_mode"),
        ({"doctrine_mode": "mine"}, r"\$\.doctrine_mode"),
        ({"doctrine_field_owners": {"colour": "local"}}, r"\$\.doctrine_field_owners\['colour'\]"),
        ({"doctrine_field_owners": {"status": "me"}}, r"\$\.doctrine_field_owners\['status'\]"),
        ({"labels": [object()]}, r"\$\.labels\[0\]"),
    ],
)
def test_a_mistake_is_told_with_its_path(policies: Policies, fields: dict[str, object], told: str) -> None:
    """Nothing is turned into what it isn't, and nothing of a faulty change is kept."""
    with pytest.raises(ConfigurationError, match=told):
        policies.set(APOLLO, fields={"muted_kinds": ["star"], **fields}, actor=MONA)
    assert policies.get(APOLLO).statements == {}


def test_what_cannot_be_meant_is_refused(store: Store, policies: Policies, installation: Installation) -> None:
    """A project within an installation, a lock below everything, an installation of another provider."""
    with pytest.raises(ConfigurationError):
        evolve(APOLLO, installation_id=installation.id)
    with pytest.raises(ConfigurationError):
        policies.lock(APOLLO, fields=["labels"], actor=MONA)
    with pytest.raises(ConfigurationError, match="no field"):
        policies.lock(WORKSPACE, fields=["label"], actor=MONA)
    other = add_installation(store, account_id="8", provider="other", host="other.example")
    with pytest.raises(ConfigurationError, match="one of other"):
        policies.set(of(other), fields={"labels": []}, actor=MONA)


def test_split_is_kept_as_split_ownership(policies: Policies, installation: Installation) -> None:
    """Both spellings are one mode; who isn't named is shared."""
    policies.set(
        APOLLO, fields={"doctrine_mode": "split", "doctrine_field_owners": {"status": "local"}}, actor=MONA
    )
    assert policies.get(APOLLO).fields["doctrine_mode"] == "split_ownership"
    core = holding(policies, installation).core
    assert [core.owner(each).value for each in (CoreIssueField.STATUS, CoreIssueField.TITLE)] == ["local", "shared"]
    policies.set(APOLLO, fields={"doctrine_mode": "spec_kitty_authoritative"}, actor=MONA)
    assert {holding(policies, installation).core.owner(each).value for each in CoreIssueField} == {"local"}


def test_values_of_a_newer_schema_survive_being_written_back(
    store: Store, policies: Policies, installation: Installation
) -> None:
    """Unknown fields and unknown words of known fields are kept, hold nowhere, and may be cleared."""
    newer = {"colour": {"dark": [1, None]}, "doctrine_mode": "by_committee"}
    with store.transaction() as connection:
        repository.put(connection, APOLLO, values=newer, actor=MONA, at=MOMENT)
    read = policies.get(APOLLO).fields
    policies.set(APOLLO, fields={**read, "digest_hours": 1}, actor="member:ada")
    assert policies.get(APOLLO).fields == {**newer, "digest_hours": 1}
    policy = holding(policies, installation)
    assert {name: said.value for name, said in policy.passed_over.items()} == newer
    assert policy.core.doctrine_mode == "external_authoritative"
    assert policy.own == FakePolicy(digest_hours=1)
    policies.clear(APOLLO, fields=["colour", "doctrine_mode"], actor=MONA)
    assert holding(policies, installation).passed_over == {}
