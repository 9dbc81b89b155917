"""`mappings`, `review` and `route` at the command line, on both databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speckitty_connectors import Event, GitFacts, Resource, ResourceReference
from speckitty_connectors.errors import ConnectorsError
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.providers.codec import to_document
from speckitty_connectors.routing.review.holding import HeldDecision, hold_all
from speckitty_connectors.routing.types import NO_MAPPING, Decision, for_review
from speckitty_connectors.routing.write import add_all
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, add_resources
from testbed.shell import Shell

HELLO = ResourceReference(kind="repository", id="1", key="octo-org/hello")
PUSH = Event(kind="push", resources=(HELLO,), git=GitFacts(branch="main", paths=("src/a.py",)))


class Operator(Shell):
    """Somebody at a shell, with a workspace that sees two repositories."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.store = store
        self.installation: Installation = add_installation(store, provider="github", host="github.com")
        add_resources(
            store,
            self.installation,
            Resource(kind="repository", id="1", key="octo-org/hello"),
            Resource(kind="repository", id="2", key="octo-org/world"),
        )

    def hold(self, event: Event = PUSH) -> str:
        """Let an event wait in the review queue; return its id in the inbox."""
        conclusion = for_review(NO_MAPPING)
        decision = Decision(
            id=new_id(),
            workspace="w1",
            event_id=new_id(),
            installation_id=self.installation.id,
            stage=conclusion.stage,
            rule=conclusion.rule,
            outcome=event,
            targets=(),
            evidence=conclusion.evidence,
            decided_at=MOMENT,
        )
        with self.store.transaction() as connection:
            add_all(connection, [decision])
            waiting = HeldDecision(decision=decision, provider="github", host="github.com", subject=HELLO)
            hold_all(connection, [waiting])
        return decision.event_id

    def item_id(self) -> str:
        """Return the id of the one item that waits."""
        (row,) = self.read("review", "list", "w1")
        return str(row["id"])


@pytest.fixture
def operator(store: Store) -> Operator:
    """Somebody at a shell."""
    return Operator(store)


def test_a_mapping_is_made_changed_paused_and_taken_back(operator: Operator) -> None:
    """Every step of a mapping's life has a command, and `list` shows where it stands."""
    made = operator.read(
        "mappings", "add", "w1", operator.installation.id, "repository:key=octo-org/hello", "project:apollo"
    )
    identity = ("w1", made["id"])
    assert "→ feed:all" in operator.run(
        "mappings", "update", *identity, "--target", "feed:all", "--branch", "main", "--direction", "in"
    )
    assert "paused: too loud" in operator.run("mappings", "pause", *identity, "--reason", "too loud")
    (row,) = operator.read("mappings", "list", "w1")
    assert (row["target"], row["wants"], row["direction"], row["state"]) == (
        "feed:all",
        "branches main",
        "in",
        "paused",
    )
    operator.run("mappings", "resume", *identity)
    operator.run("mappings", "remove", *identity)
    assert operator.read("mappings", "list", "w1") == []
    assert "→ feed:all" in operator.run("mappings", "undo", *identity, "--actor", "member:mona")
    assert operator.read("mappings", "list", "w1", "--target", "project:apollo") == []


def test_a_second_mapping_is_warned_about(operator: Operator) -> None:
    """The note says what both get, in words."""
    for target in ("project:apollo", "project:gemini"):
        said = operator.run("mappings", "add", "w1", operator.installation.id, "github_repo:1", target)
    assert "note: events that both want go to project:apollo and to project:gemini" in said


def test_a_file_goes_out_and_comes_in(operator: Operator, tmp_path: Path) -> None:
    """Export, edit, dry run, import: the dry run says what the import does, and a faulty file is refused whole."""
    operator.run("mappings", "add", "w1", operator.installation.id, "repository:1", "project:apollo")
    file = tmp_path / "mappings.toml"
    file.write_text(operator.run("mappings", "export", "w1"))
    assert operator.run("mappings", "lint", "w1", str(file)) == "the file has no faults\n"
    file.write_text(file.read_text().replace('id = "1"', 'id = "2"'))
    shown = operator.run("mappings", "import", "w1", str(file), "--dry-run", "--complete")
    assert shown.splitlines() == [
        "+ repository octo-org/world → project:apollo",
        "- repository octo-org/hello → project:apollo",
        "0 unchanged",
    ]
    assert operator.run("mappings", "import", "w1", str(file), "--complete") == shown
    file.write_text(file.read_text().replace('id = "2"', 'id = "99"'))
    assert operator.invoke("mappings", "lint", "w1", str(file)).exit_code == 1
    refused = operator.invoke("mappings", "import", "w1", str(file))
    assert isinstance(refused.exception, ConnectorsError)
    exported = json.loads(operator.run("mappings", "export", "w1", "--form", "json"))
    assert [each["id"] for each in exported["mappings"]] == ["2"]


def test_what_waits_is_looked_at_simulated_and_mapped(operator: Operator) -> None:
    """A person sees the reasons, tries a mapping on an event, then maps and replays."""
    event_id = operator.hold()
    item_id = operator.item_id()
    shown = operator.run("review", "show", "w1", item_id)
    assert "1 x no_mapping" in shown
    assert event_id in shown
    tried = operator.run(
        "route", "simulate", event_id, "--workspace", "w1",
        "--map", operator.installation.id, "repository:1", "project:apollo",
    )  # fmt: skip
    assert "now: review by rule no_mapping" in tried
    assert "proposed: explicit by rule mapping → project:apollo" in tried
    (asked,) = operator.read("route", "simulate", event_id, "--workspace", "w1")
    assert asked["now"] == asked["proposed"]
    assert "replayed: 1 explicit; 0 still wait" in operator.run(
        "review", "map", "w1", item_id, "project:apollo", "--path", "src"
    )
    assert operator.read("review", "list", "w1") == []
    assert operator.read("review", "replay", "w1", item_id)["waiting"] == 0
    (mapped,) = operator.read("review", "list", "w1", "--state", "mapped")
    assert mapped["id"] == item_id


def test_an_event_that_has_not_happened_is_simulated_from_a_file(operator: Operator, tmp_path: Path) -> None:
    """The file holds the event as a document; what isn't one is a mistake in the command."""
    operator.run("mappings", "add", "w1", operator.installation.id, "repository:1", "project:apollo")
    file = tmp_path / "event.json"
    file.write_text(json.dumps(to_document(PUSH)))
    given = ("route", "simulate", "--workspace", "w1", "--installation", operator.installation.id)
    assert "explicit by rule mapping → project:apollo" in operator.run(*given, "--file", str(file))
    assert operator.invoke(*given).exit_code == 2
    file.write_text('{"outcome": "ignored", "reason": "no"}')
    assert operator.invoke(*given, "--file", str(file)).exit_code == 2


def test_what_waits_is_put_off_dismissed_and_reopened(operator: Operator) -> None:
    """Each answer shows where the item stands, and what is old is forgotten."""
    operator.hold()
    item = ("w1", operator.item_id())
    assert "snoozed" in operator.run("review", "snooze", *item, "--hours", "2")
    assert "dismissed: not ours" in operator.run("review", "dismiss", *item, "--reason", "not ours")
    assert "open" in operator.run("review", "reopen", *item)
    assert operator.invoke("review", "assign", *item, "project:apollo").exit_code == 1
    assert operator.run("review", "forget", "w1", "--days", "1") == "forgot 1 items\n"


def test_ignore_rules_are_tried_kept_and_removed(operator: Operator) -> None:
    """A rule without conditions is a mistake in the command; one with them is tried before it holds."""
    operator.hold()
    assert operator.invoke("review", "rules", "add", "w1").exit_code == 2
    (matched,) = operator.read("review", "rules", "test", "w1", "--key", "octo-org/*", "--event", "push")
    assert matched["resource"] == "repository octo-org/hello"
    assert "none of 1 items" in operator.run("review", "rules", "test", "w1", "--forks")
    added = operator.run("review", "rules", "add", "w1", "--actor", "*bot", "--forks", "--note", "noise")
    rule_id = added.partition(":")[0]
    (rule,) = operator.read("review", "rules", "list", "w1")
    assert (rule["id"], rule["ignores"], rule["note"]) == (rule_id, "actor *bot, forks", "noise")
    operator.run("review", "rules", "remove", "w1", rule_id)
    assert operator.read("review", "rules", "list", "w1") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("mappings", "add", "w1", "i1", "repository", "project:apollo"),
        ("mappings", "add", "w1", "i1", "repository:1", "apollo"),
        ("mappings", "list", "w1", "--target", ":apollo"),
        ("mappings", "import", "w1", "missing.toml"),
        ("review", "snooze", "w1", "item", "--hours", "0"),
        ("route", "simulate", "event"),
    ],
)
def test_a_command_that_is_written_wrongly_ends_with_2(operator: Operator, arguments: tuple[str, ...]) -> None:
    """The mistake is named before anything is asked of the database."""
    done = operator.invoke(*arguments)
    assert done.exit_code == 2, done.output
