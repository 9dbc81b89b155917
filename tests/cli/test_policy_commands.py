"""`policy` at the command line, and policies in `route simulate`, on both databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speckitty_connectors import ConflictError, Event, Resource, ResourceReference, Target
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.providers.codec import to_document
from speckitty_connectors.store.engine import Store
from testbed.layers import add_installation, add_resources
from testbed.shell import Shell

HELLO = ResourceReference(kind="repository", id="1", key="octo-org/hello")
APOLLO = ("--project", "apollo")


class Operator(Shell):
    """Somebody at a shell, with a workspace in which a repository is mapped to the project apollo."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        installation = add_installation(store, provider="github", host="github.com")
        add_resources(store, installation, Resource(kind="repository", id="1", key="octo-org/hello"))
        target = Target(kind="project", id="apollo")
        self.installation = installation.id
        Mappings(store).create(
            workspace="w1", installation_id=self.installation, resource=HELLO, target=target, actor="member:mona"
        )

    def value(self, field: str, *arguments: str) -> tuple[object, str]:
        """Return the effective value of a field and its level."""
        rows = self.read("policy", "effective", "w1", self.installation, *arguments)
        (row,) = (row for row in rows if row["field"] == field)
        return row["value"], row["level"]


@pytest.fixture
def operator(store: Store) -> Operator:
    """Somebody at a shell."""
    return Operator(store)


def test_a_field_is_set_at_each_level_and_cleared(operator: Operator) -> None:
    """The narrowest level is shown with its value and author; null is "explicitly none"."""
    assert operator.value("issue_labels", *APOLLO) == (None, "library")
    operator.run("policy", "set", "w1", "github", "issue_labels", '["w"]')
    assert operator.value("issue_labels", *APOLLO) == (["w"], "workspace")
    operator.run("policy", "set", "w1", "github", "issue_labels", '["i"]', "--installation", operator.installation)
    assert operator.value("issue_labels", *APOLLO) == (["i"], "installation")
    said = operator.run("policy", "set", "w1", "github", "issue_labels", "null", *APOLLO, "--actor", "member:ada")
    assert "project apollo, provider github:\n  issue_labels = null (project, by member:ada" in said
    assert operator.value("issue_labels", *APOLLO) == (None, "project")
    assert operator.value("issue_labels") == (["i"], "installation")
    operator.run("policy", "set", "w1", "github", "doctrine_mode", "split", *APOLLO)
    assert operator.value("doctrine_mode", *APOLLO) == ("split_ownership", "project")
    operator.run("policy", "clear", "w1", "github", "issue_labels", *APOLLO)
    assert operator.value("issue_labels", *APOLLO) == (["i"], "installation")
    assert operator.run("policy", "clear", "w1", "github", *APOLLO).endswith("  everything is inherited\n")
    lines = operator.run("policy", "effective", "w1", operator.installation).splitlines()
    assert lines[0] == 'doctrine_mode = "external_authoritative" (library)'


def test_a_locked_field_is_refused_below_until_it_is_unlocked(operator: Operator) -> None:
    """The refusal is an error with its remedy, and the lock is shown with what holds."""
    operator.run("policy", "lock", "w1", "github", "muted_kinds")
    refused = operator.invoke("policy", "set", "w1", "github", "muted_kinds", '["star"]', *APOLLO)
    assert isinstance(refused.exception, ConflictError)
    rows = operator.read("policy", "effective", "w1", operator.installation)
    assert [row["field"] for row in rows if row["locked"]] == ["muted_kinds"]
    operator.run("policy", "lock", "w1", "github", "muted_kinds", "--off")
    operator.run("policy", "set", "w1", "github", "muted_kinds", '["star"]', *APOLLO)


def test_who_deviates_and_what_a_default_would_touch_is_listed(operator: Operator) -> None:
    """A dry run names the projects and changes nothing; afterwards a project's exception is a deviation."""
    change = ("policy", "set", "w1", "github", "muted_kinds", '["star"]')
    tried = operator.read(*change, "--dry-run")
    assert [each["project_id"] for each in tried] == ["", "apollo"]
    assert "project apollo: muted_kinds null (library)" in operator.run(*change, "--dry-run")
    assert operator.value("muted_kinds") == (None, "library")
    assert operator.run("policy", "deviations", "w1", operator.installation) == "no project deviates\n"
    operator.run(*change, *APOLLO)
    (found,) = operator.read("policy", "deviations", "w1", operator.installation)
    assert (found["project_id"], found["after"]["value"]) == ("apollo", ["star"])
    assert operator.run(*change, *APOLLO, "--dry-run") == "nothing would change\n"


def test_a_policy_is_tried_on_an_event(operator: Operator, tmp_path: Path) -> None:
    """`route simulate --set` says what a project would no longer get."""
    file = tmp_path / "event.json"
    file.write_text(json.dumps(to_document(Event(kind="push", resources=(HELLO,)))))
    given = ("route", "simulate", "--workspace", "w1", "--installation", operator.installation, "--file", str(file))
    shown = operator.run(*given, "--set", "github/project:apollo", "muted_kinds", '["push"]')
    assert "now: explicit by rule mapping → project:apollo" in shown
    assert "proposed: ignored by rule blocked_by_policy" in shown
    shown = operator.run(*given, "--set", "github", "issue_labels", '["w"]')
    assert 'policy of project:apollo: issue_labels = ["w"] (workspace, by proposed)' in shown


@pytest.mark.parametrize("scope", ["github/apollo", "github/team:apollo", "github/project:"])
def test_a_scope_that_is_written_wrongly_ends_with_2(operator: Operator, scope: str) -> None:
    """The mistake is named before anything is asked of the database."""
    done = operator.invoke("route", "simulate", "event", "--workspace", "w1", "--set", scope, "muted_kinds", "[]")
    assert done.exit_code == 2, done.output
