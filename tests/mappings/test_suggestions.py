"""Suggestions: how they earn confidence, and what people say to them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speckitty_connectors import (
    Confidence,
    ConfigurationError,
    ConflictError,
    Evidence,
    NotFoundError,
    Resource,
    ResourceReference,
    Suggestion,
    Target,
)
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.links import repository as links
from speckitty_connectors.links.types import LinkStatus, UserLink
from speckitty_connectors.mappings.types import MappingOrigin
from speckitty_connectors.store.engine import Store
from speckitty_connectors.suggestions.types import SuggestionState
from testbed.layers import MOMENT, add_installation, add_resources, audited
from testbed.suggesting import Bureau

APOLLO, GEMINI = Target(kind="project", id="apollo"), Target(kind="project", id="gemini")
REMOTE = "git@fake.example:kitchen/menu.git"
OTHER_REMOTE = "https://mona:hunter2@fake.example/kitchen/menu"


@pytest.fixture
def bureau(store: Store) -> Bureau:
    """A workspace that sees one board, ``kitchen/menu``."""
    made = Bureau.on(store)
    made.board("b1", "kitchen/menu")
    return made


def proposal(project: str, *, kind: str = "board", resource: str = "b1", **values: object) -> Suggestion:
    """Return what a plugin may suggest."""
    given: dict[str, object] = {
        "confidence": Confidence.HIGH,
        "evidence": (Evidence(rule="hunch", text=f"{project} sounds right"),),
        **values,
    }
    return Suggestion(
        resource_kind=kind,
        resource_id=resource,
        target=Target(kind="project", id=project),
        **given,  # type: ignore[arg-type]  # what the test is about
    )


def test_a_remote_makes_a_suggestion_of_high_confidence(bureau: Bureau) -> None:
    """One project whose remote names the repository is suggested, with the evidence in words."""
    bureau.report("apollo", remote_url=OTHER_REMOTE)
    result = bureau.refresh()
    assert (result.resources, result.raised, result.closed) == (1, 1, 0)
    found = bureau.only()
    assert (found.target, found.confidence, found.state) == (APOLLO, Confidence.HIGH, SuggestionState.OPEN)
    assert found.evidence == (Evidence(rule="remote", text="a git remote of apollo is kitchen/menu"),)
    assert "hunter2" not in repr(found)


def test_a_slug_without_a_host_makes_one_of_low_confidence(bureau: Bureau) -> None:
    """The same name may live on several hosts."""
    bureau.report("apollo", repo_slug="Kitchen/Menu")
    bureau.refresh()
    assert bureau.told() == [("kitchen/menu", "apollo", "low")]


def test_a_slug_of_a_project_with_remotes_elsewhere_makes_none(bureau: Bureau) -> None:
    """Where a project's remotes name other repositories, its slug is most likely one of theirs."""
    bureau.report("apollo", repo_slug="kitchen/menu")
    bureau.report("apollo", remote_url="git@other.example:kitchen/menu.git")
    bureau.refresh()
    assert bureau.all_in() == ()


def test_several_projects_are_shown_and_none_is_chosen(bureau: Bureau) -> None:
    """Where two fit, both are suggested with medium confidence, and each is told of the other."""
    bureau.suggestions.set_automatic(workspace="w1", automatic=True, actor="member:mona")
    bureau.report("apollo", remote_url=REMOTE)
    bureau.report("gemini", remote_url=OTHER_REMOTE)
    bureau.refresh()
    assert bureau.told() == [("kitchen/menu", "apollo", "medium"), ("kitchen/menu", "gemini", "medium")]
    assert [evidence.text for evidence in bureau.all_in()[0].evidence if evidence.against] == [
        "gemini fits as well"
    ]
    assert bureau.mapped() == []


def test_many_rivals_are_named_in_part(bureau: Bureau) -> None:
    """Ten projects in one repository are ten suggestions, not ten times ten lines."""
    for number in range(10):
        bureau.report(f"p{number}", remote_url=REMOTE)
    bureau.refresh()
    against = [evidence.text for evidence in bureau.all_in()[0].evidence if evidence.against]
    assert len(against) == 6
    assert against[-1] == "4 more projects fit as well"


def test_a_name_that_changed_hands_makes_one_of_low_confidence(bureau: Bureau) -> None:
    """A remote may still mean the repository that bore the name before."""
    later = MOMENT + timedelta(days=5)
    add_resources(bureau.store, bureau.installation, Resource(kind="board", id="b1", key="kitchen/old"), at=later)
    add_resources(bureau.store, bureau.installation, Resource(kind="board", id="b2", key="Kitchen/Menu"), at=later)
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    assert bureau.told() == [("Kitchen/Menu", "apollo", "low"), ("kitchen/old", "apollo", "low")]
    assert all(any(evidence.rule == "reused_name" for evidence in each.evidence) for each in bureau.all_in())


def test_the_plugin_adds_what_it_knows(bureau: Bureau) -> None:
    """What only a plugin sees is suggested too; of a git repository it is medium at most, else as it says."""
    add_resources(bureau.store, bureau.installation, Resource(kind="space", id="s1", key="WEB"))
    bureau.report("apollo", feature_slugs=("web-12-01KQ3XYZ",))
    bureau.report("gemini", remote_url=REMOTE)
    bureau.plugin.answers = (proposal("apollo"), proposal("apollo", kind="space", resource="s1"))
    bureau.refresh()
    assert bureau.told() == [
        ("WEB", "apollo", "high"),
        ("kitchen/menu", "apollo", "medium"),
        ("kitchen/menu", "gemini", "medium"),
    ]


def test_the_plugin_is_shown_only_what_could_match(bureau: Bureau) -> None:
    """Of all signals, the request has those that name one of its resources, and no credential."""
    add_resources(bureau.store, bureau.installation, Resource(kind="space", id="s1", key="WEB"))
    bureau.report("apollo", remote_url=OTHER_REMOTE, commits=("ab" * 20,), branches=("main",))
    bureau.report("gemini", feature_slugs=("web-12-fix",))
    bureau.report("luna", remote_url="git@fake.example:kitchen/orders.git", feature_slugs=("ops-1-x",))
    bureau.refresh()
    (request,) = bureau.plugin.asked
    assert [(each.project_id, each.remote_url, each.feature_slugs) for each in request.signals] == [
        ("apollo", "https://fake.example/kitchen/menu", ()),
        ("gemini", "", ("web-12-fix",)),
    ]
    assert (request.host, request.web) == ("fake.example", "https://fake.example")


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(3)])
def test_a_broken_plugin_hides_nothing_of_ours(bureau: Bureau, error: BaseException) -> None:
    """What core has found is suggested, and the result says what is missing."""
    bureau.plugin.error = error
    bureau.report("apollo", remote_url=REMOTE)
    result = bureau.refresh()
    assert type(error).__name__ in result.plugin_error
    assert bureau.told() == [("kitchen/menu", "apollo", "high")]


def test_a_plugin_speaks_only_of_what_it_was_asked(bureau: Bureau) -> None:
    """Resources of others, projects that nobody reported and other kinds of targets are left out."""
    bureau.report("apollo", remote_url=REMOTE)
    feed = Suggestion(
        resource_kind="board", resource_id="b1", target=Target(kind="feed", id="apollo"), confidence=Confidence.HIGH
    )
    bureau.plugin.answers = (proposal("stranger"), proposal("apollo", resource="b9"), feed)
    bureau.refresh()
    assert bureau.told() == [("kitchen/menu", "apollo", "high")]


def test_mapped_and_missing_resources_are_left_out(bureau: Bureau) -> None:
    """What a person has mapped needs no suggestion, and an open one goes when it is mapped by hand."""
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    bureau.mappings.create(
        workspace="w1",
        installation_id=bureau.installation.id,
        resource=ResourceReference(kind="board", id="b1"),
        target=GEMINI,
        actor="member:mona",
    )
    result = bureau.refresh()
    assert (result.resources, result.closed, bureau.all_in()) == (0, 1, ())


def test_an_inventory_of_many_pages_is_looked_over_whole(bureau: Bureau) -> None:
    """Every resource is asked about once, in requests of bounded size; a second look changes nothing."""
    boards = [Resource(kind="board", id=f"x{number}", key=f"kitchen/x{number}") for number in range(250)]
    add_resources(bureau.store, bureau.installation, *boards)
    for number in range(0, 250, 10):
        bureau.report(f"p{number}", remote_url=f"git@fake.example:kitchen/x{number}")
    first, second = bureau.refresh(), bureau.refresh()
    assert (first.resources, first.raised, first.changed) == (251, 25, 0)
    assert (second.resources, second.raised, second.changed, second.closed) == (251, 0, 0, 0)
    assert max(len(request.resources) for request in bureau.plugin.asked) <= 100


def test_a_suggestion_whose_evidence_is_gone_is_closed(bureau: Bureau) -> None:
    """Signals that were forgotten suggest nothing any more."""
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    bureau.signals.forget_older(workspace="w1", than=MOMENT + timedelta(days=1))
    assert bureau.refresh().closed == 1
    assert bureau.all_in(None) == ()


def test_a_confirmed_suggestion_is_a_mapping(bureau: Bureau) -> None:
    """It says that it was suggested and who confirmed it; confirming twice does nothing more."""
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    found = bureau.only()
    confirmed = bureau.suggestions.confirm(workspace="w1", suggestion_id=found.id, actor="member:mona")
    again = bureau.suggestions.confirm(workspace="w1", suggestion_id=found.id, actor="member:luke")
    assert confirmed == again
    assert (confirmed.state, confirmed.decided_by) == (SuggestionState.CONFIRMED, "member:mona")
    assert bureau.mapped() == [("kitchen/menu", "apollo", "suggested", "member:mona")]
    assert audited(bureau.store) == ["mapping.created", "suggestion.confirmed"]


def test_a_confirmation_of_what_was_mapped_meanwhile_maps_nothing_twice(bureau: Bureau) -> None:
    """The mapping that is there is the suggestion's too."""
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    mapping = bureau.mappings.create(
        workspace="w1",
        installation_id=bureau.installation.id,
        resource=ResourceReference(kind="board", id="b1"),
        target=APOLLO,
        actor="member:luke",
    )
    said = bureau.suggestions.confirm(workspace="w1", suggestion_id=bureau.only().id, actor="member:mona")
    assert said.mapping_id == mapping.id
    assert bureau.mapped() == [("kitchen/menu", "apollo", "manual", "member:luke")]


def test_a_changed_suggestion_is_mapped_elsewhere_and_counts_as_dismissed(bureau: Bureau) -> None:
    """A person knew better; the suggested target doesn't come back, and undoing takes the mapping back."""
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    found = bureau.only()
    changed = bureau.suggestions.change(workspace="w1", suggestion_id=found.id, target=GEMINI, actor="member:mona")
    assert (changed.state, changed.reason) == (SuggestionState.DISMISSED, "mapped to project:gemini instead")
    assert bureau.mapped() == [("kitchen/menu", "gemini", "suggested", "member:mona")]
    undone = bureau.suggestions.undo(workspace="w1", suggestion_id=found.id, actor="member:mona")
    assert (undone.state, bureau.mapped()) == (SuggestionState.OPEN, [])


def test_a_target_that_the_host_has_not_is_refused(bureau: Bureau) -> None:
    """A suggestion can be changed only to a kind of target that there is."""
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    with pytest.raises(ConfigurationError, match="no targets of kind"):
        bureau.suggestions.change(
            workspace="w1", suggestion_id=bureau.only().id, target=Target(kind="moon", id="1"), actor="member:mona"
        )
    assert bureau.mapped() == []


def test_a_dismissed_suggestion_stays_away_until_something_new_speaks_for_it(bureau: Bureau) -> None:
    """Neither the same evidence nor a rename of the repository brings it back; another remote does."""
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    dismiss(bureau, reason="an experiment")
    bureau.refresh()
    assert (bureau.all_in(), bureau.only().reason) == ((), "an experiment")
    later = MOMENT + timedelta(days=9)
    add_resources(bureau.store, bureau.installation, Resource(kind="board", id="b1", key="kitchen/card"), at=later)
    bureau.refresh()
    assert bureau.all_in() == ()
    bureau.report("apollo", remote_url="git@fake.example:kitchen/card", observed_at=later)
    bureau.refresh()
    assert bureau.told() == [("kitchen/card", "apollo", "high")]


def dismiss(bureau: Bureau, *, reason: str = "") -> None:
    """Let mona dismiss the only suggestion."""
    bureau.suggestions.dismiss(workspace="w1", suggestion_id=bureau.only().id, actor="member:mona", reason=reason)


def test_a_dismissal_can_be_taken_back(bureau: Bureau) -> None:
    """It is open again, and both steps are in the audit."""
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    dismiss(bureau)
    bureau.suggestions.undo(workspace="w1", suggestion_id=bureau.only().id, actor="member:mona")
    assert bureau.told() == [("kitchen/menu", "apollo", "high")]
    assert audited(bureau.store) == ["suggestion.dismissed", "suggestion.undone"]


def test_a_confirmation_can_be_taken_back(bureau: Bureau) -> None:
    """The mapping is removed with it; a mapping that is gone already is no obstacle."""
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    found = bureau.suggestions.confirm(workspace="w1", suggestion_id=bureau.only().id, actor="member:mona")
    with pytest.raises(ConflictError, match="has been confirmed"):
        dismiss(bureau)
    bureau.suggestions.undo(workspace="w1", suggestion_id=found.id, actor="member:mona")
    assert (bureau.mapped(), bureau.told()) == ([], [("kitchen/menu", "apollo", "high")])


def test_a_mapping_that_a_person_removed_is_not_suggested_again(bureau: Bureau) -> None:
    """Removing is a decision too, whether the mapping was suggested or made by hand before any evidence came."""
    made = bureau.mappings.create(
        workspace="w1",
        installation_id=bureau.installation.id,
        resource=ResourceReference(kind="board", id="b1"),
        target=APOLLO,
        actor="member:mona",
    )
    bureau.mappings.remove(workspace="w1", mapping_id=made.id, actor="member:mona")
    bureau.report("apollo", remote_url=REMOTE)
    for _ in range(2):
        bureau.refresh()
        assert (bureau.all_in(), bureau.only().reason) == ((), "its mapping was removed")
    bureau.report("apollo", remote_url=OTHER_REMOTE)
    bureau.refresh()
    assert bureau.told() == [("kitchen/menu", "apollo", "high")]


def test_a_workspace_that_wants_it_gets_the_surest_mapped_at_once(bureau: Bureau) -> None:
    """They are labelled as automatic; what is less sure waits, and what a person took back isn't mapped again."""
    bureau.board("b2", "kitchen/orders")
    bureau.report("apollo", remote_url=REMOTE)
    bureau.report("apollo", repo_slug="kitchen/orders")
    bureau.report("gemini", repo_slug="kitchen/orders")
    bureau.suggestions.set_automatic(workspace="w1", automatic=True, actor="member:mona")
    assert bureau.suggestions.is_automatic(workspace="w1")
    assert bureau.refresh().mapped == 1
    assert bureau.mapped() == [("kitchen/menu", "apollo", MappingOrigin.AUTOMATIC.value, "system")]
    found = bureau.only(SuggestionState.CONFIRMED)
    bureau.suggestions.undo(workspace="w1", suggestion_id=found.id, actor="member:mona")
    assert bureau.refresh().mapped == 0
    assert bureau.mapped() == []


def test_nothing_is_mapped_at_once_where_nobody_asked_for_it(bureau: Bureau) -> None:
    """Without the opt-in, and after it was taken back, a person decides; other workspaces' wishes don't count."""
    bureau.report("apollo", remote_url=REMOTE)
    for workspace, wanted in (("w2", True), ("w1", True), ("w1", False)):
        bureau.suggestions.set_automatic(workspace=workspace, automatic=wanted, actor="member:mona")
    assert (bureau.refresh().mapped, bureau.mapped()) == (0, [])


def test_a_member_with_a_link_is_shown_what_they_may_see(bureau: Bureau) -> None:
    """Private resources stay hidden from them unless the host says otherwise; without a link, all are shown."""
    bureau.board("b2", "kitchen/secret", private=True)
    bureau.report("apollo", remote_url=REMOTE)
    bureau.report("gemini", remote_url="git@fake.example:kitchen/secret")
    bureau.refresh()
    link(bureau, "mona")
    link(bureau, "ray", status=LinkStatus.REVOKED)
    secret = ResourceReference(kind="board", id="b2", key="kitchen/secret")

    def shown(member: str, visible: tuple[ResourceReference, ...] | None = None) -> list[str]:
        may_see = None if visible is None else lambda _installation, _resources: visible
        found = bureau.suggestions.list(workspace="w1", member=member, may_see=may_see)
        return [each.resource_key for each in found]

    assert shown("mona") == ["kitchen/menu"]
    assert shown("mona", (secret,)) == ["kitchen/secret"]
    assert shown("mona", ()) == []
    assert shown("luke") == shown("ray") == ["kitchen/menu", "kitchen/secret"]
    assert shown("luke", ()) == ["kitchen/menu", "kitchen/secret"]


def link(bureau: Bureau, member: str, **values: object) -> None:
    """Link a member under the installation."""
    linked = UserLink(
        workspace="w1",
        id=new_id(),
        installation_id=bureau.installation.id,
        member=member,
        provider="fake",
        host="fake.example",
        external_id=f"of {member}",
        created_at=MOMENT,
        updated_at=MOMENT,
        **values,  # type: ignore[arg-type]  # what the test is about
    )
    with bureau.store.transaction() as connection:
        links.add(connection, linked)


def test_no_workspace_reaches_anothers(bureau: Bureau) -> None:
    """Signals of another workspace suggest nothing here, and its suggestions can't be decided from here."""
    add_resources(
        bureau.store, add_installation(bureau.store, "w2"), Resource(kind="board", id="b1", key="kitchen/menu")
    )
    bureau.report("apollo", remote_url=REMOTE)
    bureau.refresh()
    found = bureau.only()
    assert bureau.suggestions.list(workspace="w2") == ()
    for act in (bureau.suggestions.confirm, bureau.suggestions.dismiss, bureau.suggestions.undo):
        with pytest.raises(NotFoundError, match="no such suggestion"):
            act(workspace="w2", suggestion_id=found.id, actor="member:mona")
    with pytest.raises(NotFoundError):
        bureau.suggestions.refresh(workspace="w2", installation_id=bureau.installation.id)


def test_an_installation_that_is_filtered_for_shows_its_own(bureau: Bureau) -> None:
    """The list can be narrowed to an installation and to a number."""
    bureau.board("b2", "kitchen/orders")
    bureau.report("apollo", remote_url=REMOTE)
    bureau.report("apollo", remote_url="git@fake.example:kitchen/orders")
    bureau.refresh()
    other = add_installation(bureau.store, account_id="8")
    assert bureau.suggestions.list(workspace="w1", installation_id=other.id) == ()
    assert len(bureau.suggestions.list(workspace="w1", installation_id=bureau.installation.id, limit=1)) == 1
